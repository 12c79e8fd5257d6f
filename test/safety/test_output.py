"""What is sent to the robot, and which guarantee of docs/safety.md acted."""

from __future__ import annotations

import math
import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ami_ros.core.commands import Command
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.output import BLIND, BY_SCANS, REASONS, STOPPED, Acceleration, SafetyOutput
from harness.scans import NOTHING

DOCS = Path(__file__).resolve().parents[2] / "docs" / "safety.md"


@pytest.mark.parametrize(
    ("reason", "guarantee"),
    [
        ("", 0),
        ("something else", 0),
        ("limit", 1),
        ("command is not finite", 1),
        ("no command", 2),
        ("clock stands still", 2),
        ("obstacle ahead", 3),
        ("too much to look at", 3),
        ("unseen ahead", 4),
        ("no scan", 5),
        ("scan without a reading", 5),
        ("scan without what stood there", 5),
        ("no data: depth: left", 5),
        ("moving thing ahead", 6),
        ("emergency stop", 7),
        ("a node is missing", 8),
        ("zone: front, stop", 9),
        ("keep-out: ahead", 10),
    ],
)
def test_each_reason_is_that_of_a_guarantee(reason: str, guarantee: int) -> None:
    assert SafetyOutput(0.0, 0.0, reason).guarantee == guarantee
    assert not guarantee or reason.split(":")[0] in REASONS


def test_guarantees_are_those_of_the_docs() -> None:
    numbers = {int(number) for number in re.findall(r"^\| (\d+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)}
    assert {*REASONS.values()} <= numbers and numbers >= {BLIND, *map(int, BY_SCANS.split(", "))}
    assert REASONS[STOPPED] == 7 and BY_SCANS == "3, 4, 5, 6, 9"


def test_an_output_is_a_command_of_three_numbers_that_nobody_changes() -> None:
    output = SafetyOutput(0.1, 0.2, "limit", 0.3)
    assert output.command == (0.1, 0.2, 0.3) and SafetyOutput(0.1, 0.2, "").command == (0.1, 0.2, 0.0)
    with pytest.raises(FrozenInstanceError):
        output.linear = 1.0  # type: ignore[misc]


def test_the_zone_that_acted_is_named_also_if_its_name_has_a_comma() -> None:
    assert SafetyOutput(0.0, 0.0, "zone: left, front, slowdown").zone == ("left, front", "slowdown")
    assert SafetyOutput(0.0, 0.0, "zone: front, stop").zone == ("front", "stop")
    assert SafetyOutput(0.0, 0.0, "keep-out: zone: a, b").zone == ("", "")


CONFIG = SafetyConfig(max_lateral=0.3, clock_timeout=100.0, silence_timeout=100.0)
TICK = st.sampled_from([0.0, 0.0, 0.001, 0.05, 0.09, 0.1, 1.0, -0.09, -0.05, -5.0])
PASSES = st.sampled_from([0.0, 0.001, 0.01, 0.05, 0.09, 0.5])
ASKED = st.sampled_from([(0.5, 1.8, 0.3), (-0.5, -1.8, -0.3), (0.5, 0.0, 0.0), (0.0, 0.0, 0.0)])
RATES = np.array([CONFIG.max_linear_acceleration, CONFIG.max_angular_acceleration, CONFIG.max_linear_acceleration])


def sent(
    ticks: list[float], passes: list[float], asked: list[Command], steady_told: bool = True, simulated: bool = False
) -> tuple[list[float], list[float], np.ndarray]:
    """Both clocks at each output, and what was sent then (n, 3), to a robot that has nothing around it."""
    gate = SafetyGate(CONFIG, simulated=simulated)
    now, steady, clock, real, out = 50.0, 1000.0, [], [], []
    for tick, passed, (linear, angular, lateral) in zip(ticks, passes, asked, strict=True):
        now, steady = now + tick, steady + passed
        told = steady if steady_told else 0.0
        gate.scan(NOTHING, now, steady=told)
        gate.command(linear, angular, now, lateral, told)
        out.append(gate.output(now, told).command)
        clock.append(now)
        real.append(steady)
    return clock, real, np.array(out)


def faster_than_allowed(times: list[float], commands: np.ndarray) -> float:
    """By how much [m/s or rad/s] any command is faster than one before it, beyond what the time between them allows."""
    most = -math.inf
    for k in range(1, len(times)):
        allowed = RATES * (np.array(times[k]) - np.array(times[:k]))[:, None]
        same = np.sign(commands[:k]) * np.sign(commands[k]) >= 0
        gained = np.abs(commands[k]) - np.where(same, np.abs(commands[:k]), 0.0)
        most = max(most, float((gained - allowed).max()))
    return most


@pytest.mark.fault("many outputs at one stamp, a clock that ticks seldom, in bursts or back and on")
@given(st.lists(st.tuples(TICK, PASSES, ASKED), min_size=2, max_size=40))
@example([(0.0, 0.05, (0.5, 0.0, 0.0))] * 11)
@example([(0.05, 0.05, (0.5, 0.0, 0.0))] * 12 + [(0.05, 0.05, (-0.5, 0.0, 0.0))] * 3)
@example([(0.09, 0.01, (0.5, 0.0, 0.0)), (-0.09, 0.01, (0.5, 0.0, 0.0))] * 8)
@example([(1.0 * (k % 20 == 0), 0.05, (0.5, 0.0, 0.0)) for k in range(40)])
@settings(max_examples=60, deadline=None)
def test_acceleration_holds_over_any_interval_of_real_time(steps: list[tuple[float, float, Command]]) -> None:
    ticks, passes, asked = (list(each) for each in zip(*steps, strict=True))
    _, real, commands = sent(ticks, passes, asked)
    assert faster_than_allowed(real, commands) < 1e-9
    assert (np.abs(commands[0]) <= RATES * 0.05 + 1e-9).all()


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.001, 0.05, 0.09, -0.09]), ASKED), min_size=2, max_size=40))
@example([(0.0, (0.5, 0.0, 0.0))] * 11)
@settings(max_examples=60, deadline=None)
def test_acceleration_holds_over_any_interval_of_the_clock_where_that_is_all_that_is_known(
    steps: list[tuple[float, Command]],
) -> None:
    ticks, asked = (list(each) for each in zip(*steps, strict=True))
    clock, _, commands = sent(ticks, [0.05] * len(ticks), asked, steady_told=False)
    assert faster_than_allowed(list(np.maximum.accumulate(clock)), commands) < 1e-9


def test_eleven_outputs_at_one_stamp_are_no_faster_than_one() -> None:
    *_, commands = sent([0.0] * 11, [0.05] * 11, [(0.5, 0.0, 0.0)] * 11, steady_told=False)
    assert commands[:, 0] == pytest.approx(CONFIG.max_linear_acceleration * 0.05)


def test_a_simulated_robot_accelerates_in_its_own_time_however_fast_that_goes_by() -> None:
    ahead: list[Command] = [(0.5, 0.0, 0.0)] * 12
    *_, fast = sent([0.05] * 12, [0.005] * 12, ahead, simulated=True)
    *_, real = sent([0.05] * 12, [0.005] * 12, ahead)
    assert fast[:, 0] == pytest.approx(np.minimum(0.5, 0.05 * np.arange(1, 13)))
    assert real[:, 0] == pytest.approx(0.05 + 0.005 * np.arange(12))


def test_a_pause_counts_for_no_more_than_its_last_tenth_of_a_second() -> None:
    acceleration = Acceleration()
    assert [acceleration.passed(now, 0.0) for now in (5.0, 5.04, 9.0, 8.95, 9.0, 9.03)] == pytest.approx(
        [0.05, 0.04, 0.1, 0.0, 0.0, 0.03]
    )
    acceleration.begin_again(2.0)
    assert acceleration.passed(2.0, 0.0) == 0.0 and acceleration.passed(2.05, 0.0) == pytest.approx(0.05)


def test_steady_time_counts_from_its_beginning_on() -> None:
    acceleration = Acceleration()
    assert [acceleration.passed(5.0 + 0.05 * k, 0.01 * k) for k in range(4)] == pytest.approx([0.05, 0.01, 0.01, 0.01])


def test_commands_of_other_widths_are_a_mistake_of_who_asks() -> None:
    with pytest.raises(ValueError):
        Acceleration.limit((0.0, 0.0), (0.5, 0.0), 0.05, CONFIG)


def test_a_gate_takes_a_robot_for_a_real_one_unless_it_is_told_otherwise() -> None:
    gate = SafetyGate(CONFIG)
    for now, steady, speed in ((5.0, 100.0, 0.05), (5.1, 100.01, 0.06)):
        gate.scan(NOTHING, now, steady=steady)
        gate.command(0.5, 0.0, now, steady=steady)
        assert gate.output(now, steady).linear == pytest.approx(speed)


def test_where_the_clock_is_set_steady_time_that_was_counted_is_not_counted_again() -> None:
    acceleration = Acceleration()
    assert [acceleration.passed(5.0, 1000.0), acceleration.passed(5.05, 1000.05)] == pytest.approx([0.05, 0.05])
    acceleration.begin_again(2.0)
    assert acceleration.passed(2.1, 1000.06) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("last", "wanted", "then"),
    [(-0.5, 0.5, 0.05), (0.5, -0.5, -0.05), (-0.5, 0.3, 0.05), (0.3, 0.2, 0.2), (-0.3, -0.2, -0.2), (0.2, 0.3, 0.25)],
)
def test_it_turns_round_from_rest_and_slows_down_at_once(last: float, wanted: float, then: float) -> None:
    slow = SafetyConfig(max_linear_acceleration=1.0, max_angular_acceleration=1.0)
    assert Acceleration.limit((last,) * 3, (wanted,) * 3, 0.05, slow) == pytest.approx((then,) * 3)


def test_after_it_was_stopped_it_starts_from_rest() -> None:
    """It began where it had left off: at full speed."""
    gate = SafetyGate(CONFIG)
    for k in range(20):
        gate.scan(NOTHING, 0.05 * k)
        gate.command(0.5, 0.0, 0.05 * k)
        assert gate.output(0.05 * k).linear == pytest.approx(min(0.5, 0.05 * (k + 1)))
    gate.stop()
    gate.scan(NOTHING, 1.0)
    gate.command(0.5, 0.0, 1.0)
    assert gate.output(1.0).linear <= CONFIG.max_linear_acceleration * 0.1 + 1e-9
