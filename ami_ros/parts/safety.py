"""The part `safety`: the last word on every command. It has no worker: nothing may hold it up."""

from __future__ import annotations

from ami_ros.commands import Command, of_width
from ami_ros.errors import AmiError
from ami_ros.moving.things import MovingThings
from ami_ros.parts.part import Bus, Part
from ami_ros.parts.ports import CMD_VEL, CMD_VEL_RAW, GATE, MOVING_THINGS, ODOM, SCAN, Motion, Port
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.tracks import Track, largest_sigma
from ami_ros.scan import Scan


class SafetyPart(Part):
    """Passes commands through the gate as they arrive, and at a fixed rate in between.

    Args:
        bus: see `Part`.
        gate: judges.
        rate: of commands [Hz] of steady time.
    """

    name = "safety"
    takes: tuple[Port, ...] = (CMD_VEL_RAW, SCAN.taken(frame="base_link"), ODOM, MOVING_THINGS)
    gives: tuple[Port, ...] = (CMD_VEL, GATE)

    def __init__(self, bus: Bus, gate: SafetyGate, rate: float) -> None:
        super().__init__(bus)
        self.gate = gate
        self._reason = ""
        bus.every(1.0 / rate, self.send, steady=True)

    def on_cmd_vel_raw(self, stamp: float, command: Command) -> None:
        linear, angular, lateral = of_width(command, 3)
        _refuse(self.gate.command(linear, angular, self.bus.now(), lateral, self.bus.steady(), stamp or None))
        self.send()

    def on_scan(self, stamp: float, scan: Scan) -> None:
        _refuse(self.gate.scan(scan, self.bus.now(), stamp, self.bus.steady()))

    def on_odom(self, stamp: float, motion: Motion) -> None:
        _refuse(self.gate.odometry(*motion, stamp, self.bus.now()))

    def on_moving_things(self, stamp: float, things: MovingThings) -> None:
        tracks = [
            Track(
                t.position,
                t.velocity,
                t.radius,
                largest_sigma(t.covariance[:2, :2]),
                largest_sigma(t.covariance[2:, 2:]),
            )
            for t in things.things
        ]
        _refuse(self.gate.tracks(tracks, self.bus.now(), stamp, odom=True))

    def send(self) -> None:
        """What the robot shall do now."""
        now = self.bus.now()
        output = self.gate.output(now, self.bus.steady())
        self.bus.give(CMD_VEL, now, output.command)
        if output.reason != self._reason:
            self._reason = output.reason
            self.bus.give(GATE, now, output)

    def restart(self) -> None:
        self.gate.stop()


def _refuse(problem: str) -> None:
    if problem:
        raise AmiError(problem)
