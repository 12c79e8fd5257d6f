"""What docs/safety.md guarantees, on robots that do their worst within its assumptions. `./ami bench gate` goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.evaluation.gate_trials import ATTENTIVE, FAULTS, KINDS, RANGES, Drive, DriveKind, Fault, Outcome, drive

TRAITS = st.fixed_dictionaries({name: st.floats(*limits) for name, limits in RANGES.items()})
SEEDS = st.integers(0, 2**31 - 1)
BEAMS = st.integers(72, 720)
FEW = settings(max_examples=3, deadline=None)


def keeps_its_word(outcome: Outcome) -> bool:
    """Nothing was touched while it moved, no command over a limit, none that is not finite, none without a scan."""
    return outcome.contact_speed is None and not outcome.over_limits + outcome.not_finite + outcome.moved_blind


@pytest.mark.parametrize("kind", KINDS)
@given(SEEDS, BEAMS, TRAITS)
@FEW
def test_what_stands_is_not_touched(kind: DriveKind, seed: int, beams: int, traits: dict[str, float]) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, beams=beams, traits=traits)))


@pytest.mark.parametrize("fault", FAULTS[1:])
@given(SEEDS, st.sampled_from(KINDS), TRAITS)
@FEW
def test_a_laser_that_fails_under_way_does_no_harm(
    fault: Fault, seed: int, kind: DriveKind, traits: dict[str, float]
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, fault, traits=traits)))


@pytest.mark.parametrize("closing", [0.3, 0.5])
@given(SEEDS, st.sampled_from(KINDS), TRAITS)
@FEW
def test_what_comes_at_it_no_faster_than_was_said_is_not_driven_at(
    closing: float, seed: int, kind: DriveKind, traits: dict[str, float]
) -> None:
    assert keeps_its_word(drive(Drive(seed, kind, closing=closing, traits=traits | ATTENTIVE)))


def test_a_robot_that_brakes_worse_than_was_said_does_touch_things() -> None:
    """The drives above mean something: the same ones with an assumption broken do harm."""
    weak = Drive(0).traits | {"braking": 0.12, "dead_time": 0.5, "turning": 20.0, "slip": 1.0, "scan_rate": 20.0}
    weak |= {"view": RANGES["view"][1]}
    outcomes = [drive(replace(Drive(seed, beams=120), traits=weak)) for seed in range(12)]
    assert any(outcome.contact_speed for outcome in outcomes)
