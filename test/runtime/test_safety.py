"""The part of the safety gate on the bus in simulated time: what the node adds to it is tried in test/nodes."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.commands import STILL, Command
from ami_ros.runtime.part import CMD_VEL, CMD_VEL_RAW, EMERGENCY_STOP, GATE
from ami_ros.runtime.safety import WHOLE_FOR, SafetyPart
from ami_ros.runtime.simulated_bus import SimulatedBus, Span, Timing
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate

RATE = 20.0


class Bench:
    """A gate without a laser, asked for 0.2 m/s at its rate."""

    def __init__(self, supervised: bool = False) -> None:
        self.bus, self.sent, self.reasons = (
            SimulatedBus(Timing(transport=Span(0.01, 0.01))),
            list[Command](),
            list[str](),
        )
        seat = self.bus.seat("safety")
        self.part = self.bus.add(SafetyPart(seat, SafetyGate(SafetyConfig(require_scan=False)), RATE, supervised))
        self.bus.watch(CMD_VEL, lambda stamp, command: self.sent.append(command))
        self.bus.watch(GATE, lambda stamp, output: self.reasons.append(output.reason))
        self.bus.seat("planner").every(1.0 / RATE, lambda: self.bus.give(CMD_VEL_RAW, self.bus.time, (0.2, 0.0)))

    def after(self, seconds: float) -> float:
        """The speed [m/s] that is sent `seconds` [s] from now."""
        self.bus.run_until(self.bus.time + seconds)
        return self.sent[-1][0]


def test_a_supervised_gate_passes_commands_only_while_the_word_of_the_supervisor_is_fresh() -> None:
    bench = Bench(supervised=True)
    assert bench.after(1.0) == 0.0 and bench.reasons[-1] == "a node is missing"
    bench.part.supervise(True)
    assert bench.after(WHOLE_FOR * 0.9) > 0.0
    assert bench.after(WHOLE_FOR) == 0.0
    bench.part.supervise(True)
    assert bench.after(WHOLE_FOR / 2) > 0.0
    bench.part.supervise(False)
    assert bench.after(0.01) == 0.0, "at once, but for the transport"


def test_an_emergency_stop_that_is_not_one_changes_nothing_and_only_release_ends_one() -> None:
    bench = Bench()
    assert bench.after(1.0) == pytest.approx(0.2)
    bench.bus.give(EMERGENCY_STOP, bench.bus.time, False)
    assert bench.after(1.0) == pytest.approx(0.2)
    bench.bus.give(EMERGENCY_STOP, bench.bus.time, True)
    assert bench.after(0.2) == 0.0 and bench.reasons[-1] == "emergency stop"
    bench.part.restart()
    assert bench.after(1.0) == 0.0
    bench.part.gate.release()
    assert bench.after(1.0) == pytest.approx(0.2)


def test_a_gate_that_fails_lets_nothing_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    assert bench.after(1.0) > 0.0
    monkeypatch.setattr(bench.part.gate, "output", lambda *_: np.linalg.inv(np.zeros((2, 2))))
    with pytest.raises(np.linalg.LinAlgError):
        bench.part.send()
    monkeypatch.undo()
    bench.after(0.01)
    assert STILL in bench.sent[-2:]
