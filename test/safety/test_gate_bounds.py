"""How old, how far and how fast what the gate is told may be, to the edge of each bound."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, wrap
from ami_ros.core.scan import Scan
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import GateConfig, SafetyGate
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.observations import NOT_SEEN
from ami_ros.safety.obstruction import Track
from ami_ros.safety.zones import Zone
from harness.gate import driving
from harness.scans import NOTHING, scan_of_points
from harness.square_room import room_scan

QUICK = {"max_linear_acceleration": 50.0, "max_angular_acceleration": 50.0}  # it is as fast as asked at once


def gate(sources: dict[str, float] | None = None, zones: dict[str, Zone] | None = None, **config: Any) -> SafetyGate:
    return SafetyGate(SafetyConfig(**QUICK | config), zones, sources)


def at(x: float = 0.0, y: float = 0.0, yaw: float = 0.0) -> Array:
    return np.array([x, y, yaw])


def sent(gate: SafetyGate, now: float, command: Command = (0.3, 0.0, 0.0), scan: Scan | None = NOTHING) -> Command:
    """What goes out once a scan and a command have come."""
    if scan is not None:
        gate.scan(scan, now)
    gate.command(command[0], command[1], now, command[2])
    return gate.output(now).command


def test_a_scan_may_be_as_old_as_scan_timeout_and_a_fifth_of_a_second_of_the_future() -> None:
    for stamp, words in ((9.4, ""), (9.39, "0.61 s old"), (10.2, ""), (10.21, "0.21 s in the future")):
        assert words in gate().scan(NOTHING, 10.0, stamp), stamp
        assert bool(gate().scan(NOTHING, 10.0, stamp)) == bool(words)
    for stamp in (math.nan, -math.inf, math.inf):
        assert "in the future" in gate().scan(NOTHING, 10.0, stamp)


def test_scans_out_of_turn_are_not_used() -> None:
    late = gate()
    assert late.scan(NOTHING, 10.0, 9.9) == "" and late.scan(NOTHING, 10.0, 9.9) == ""
    assert late.scan(NOTHING, 10.0, 9.89) == "a newer scan came before this one"


def test_without_scans_it_stands_after_scan_timeout_and_silence_timeout() -> None:
    for now, steady, moves in ((10.6, 100.0, True), (10.61, 100.0, False), (10.1, 101.0, True), (10.1, 101.01, False)):
        one = gate(clock_timeout=9.0, command_timeout=9.0)
        one.scan(NOTHING, 10.0, steady=100.0)
        one.command(0.3, 0.0, now, steady=steady)
        assert (one.output(now, steady).linear > 0.0) == moves, (now, steady)


def test_a_command_lasts_for_command_timeout_and_silence_timeout() -> None:
    for now, steady, moves in ((0.3, 0.0, True), (0.31, 0.0, False), (0.1, 1.0, True), (0.1, 1.01, False)):
        one = gate(clock_timeout=9.0)
        one.scan(NOTHING, now, steady=steady)
        one.command(0.3, 0.0, 0.0)
        assert (one.output(now, steady).linear > 0.0) == moves, (now, steady)
    late = gate()
    assert late.command(0.3, 0.0, 0.3, stamp=0.0) == ""
    assert (
        late.command(0.3, 0.0, 10.0, stamp=9.69) == "the command is 0.31 s old when it comes, more than command_timeout"
    )
    assert late.command(0.3, 0.0, 10.0, stamp=99.0) == "" and late.asked == (0.3, 0.0, 0.0)
    late.scan(NOTHING, 10.31)
    assert late.output(10.31).linear == 0.0, "one of the future is as old as when it came"
    assert gate().asked == (0.0, 0.0, 0.0)


def test_a_clock_may_stand_for_clock_timeout() -> None:
    for steady, reason in ((0.4, ""), (0.41, "clock stands still")):
        one = gate()
        one.scan(NOTHING, 10.0)
        one.command(0.3, 0.0, 10.0)
        one.output(10.0)
        one.command(0.3, 0.0, 10.0, steady=steady)
        assert one.output(10.0, steady).reason == reason


@pytest.mark.parametrize(("back", "forgets"), [(0.09, False), (0.1, False), (0.11, True)])
def test_time_may_go_back_by_a_tenth_of_a_second(back: float, forgets: bool) -> None:
    one = gate()
    assert sent(one, 10.0)[0] == pytest.approx(0.3)
    assert (one.output(10.0 - back).linear == 0.0) == forgets
    assert (one.asked == (0.0, 0.0, 0.0)) == forgets


@pytest.mark.parametrize(
    ("pose", "velocity", "stamp", "used"),
    [
        (at(1e7, -1e7), (0.0, 0.0, 0.0), 10.0, True),
        (at(1e7 + 0.5), (0.0, 0.0, 0.0), 10.0, False),
        (at(0.0, -1.001e7), (0.0, 0.0, 0.0), 10.0, False),
        (at(yaw=math.nan), (0.0, 0.0, 0.0), 10.0, False),
        (at(), (0.0, math.inf, 0.0), 10.0, False),
        (at(), (0.0, 0.0, 0.0), 10.2, True),
        (at(), (0.0, 0.0, 0.0), 10.21, False),
        (at(), (0.0, 0.0, 0.0), math.nan, False),
        (at(), (3.5, 10.0, 1.0), 10.0, True),  # five times the limit, and 1 more
        (at(), (-3.51, 0.0, 0.0), 10.0, False),
        (at(), (0.0, 10.01, 0.0), 10.0, False),
        (at(), (0.0, 0.0, -1.01), 10.0, False),
    ],
)
def test_odometry_that_can_be_is_used(pose: Array, velocity: Command, stamp: float, used: bool) -> None:
    one = gate()
    assert (one.odometry(pose, velocity, stamp, 10.0) == "") == used
    assert (one._motion.velocity == velocity) == (used or not any(velocity))
    assert one.odometry(at(), (0.0, 0.0), 8.0) == "" or used
    assert one.odometry(at(), (0.0, 0.0), 8.0), "each stamp once"


@pytest.mark.parametrize(
    ("stamp", "used"), [(8.0, True), (7.99, False), (10.2, True), (10.21, False), (math.nan, False)]
)
def test_other_sensors_may_be_two_seconds_late(stamp: float, used: bool) -> None:
    one = gate({"depth": 0.0})
    assert (one.observe("depth", np.zeros((1, 2)), 10.0, stamp) == "") == used
    if used:
        assert one.observe("depth", np.zeros((1, 2)), 10.0, stamp) == ""
        assert "something newer" in one.observe("depth", np.zeros((1, 2)), 10.0, stamp - 0.1) or stamp == 8.0


@pytest.mark.parametrize(("stamp", "used"), [(9.4, True), (9.39, False), (10.2, True), (10.21, False)])
def test_tracks_may_be_six_tenths_of_a_second_old(stamp: float, used: bool) -> None:
    one = gate()
    things = [Track(at()[:2] + [0.6, 0.0], at()[:2], 0.3)]
    assert (one.tracks(things, 10.0, stamp) == "") == used
    assert one.tracks(things, 10.0, 10.0, odom=True) in (
        "moving things: without odometry it is not known where odom is",
        "something newer of what moves came before this",
    )
    one.odometry(at(), (0.0, 0.0), 10.0)
    assert not used or stamp > 10.0 or one.tracks(things, 10.0, stamp, odom=True) == ""


def test_before_an_obstacle_the_greatest_free_share_of_32_is_passed() -> None:
    """All parts shrink alike; of less than a sixteenth the turn alone is left."""
    one = gate()
    shares = set()
    for distance in np.arange(0.2, 0.5, 0.004):
        one = gate(max_lateral=0.3)
        linear, angular, lateral = sent(one, 0.0, (0.4, 0.8, 0.0), scan_of_points(np.array([[distance, 0.0]])))
        shares.add(round(32 * linear / 0.4, 6))
        assert linear == 0.0 or angular == pytest.approx(2 * linear)
        assert linear or angular == pytest.approx(0.8)
        assert lateral == 0.0 and (linear == 0.0 or linear >= 0.4 / 16)
    assert (
        all(share == round(share) for share in shares)
        and any(share % 2 for share in shares)
        and {0.0, 2.0, 32.0} <= shares
    )


@pytest.mark.parametrize("aside", [1, -1])
def test_where_the_way_aside_is_blocked_it_may_still_turn(aside: int) -> None:
    beside = scan_of_points(np.array([[0.0, 0.1955 * aside]]))
    assert sent(gate(max_lateral=0.3), 0.0, (0.0, 0.8, 0.3 * aside), beside) == (0.0, 0.8, 0.0)


def test_a_clock_may_begin_below_zero() -> None:
    one = gate()
    assert one.odometry(at(), (0.0, 0.0), -5.0, -5.0) == ""
    assert sent(one, -5.0) == (0.3, 0.0, 0.0)


def test_after_the_clock_was_set_back_what_odometry_leapt_over_before_counts_no_more() -> None:
    keep_out, far = KeepOut(), np.array([[50.0, 0.0, 1.0]])
    one = SafetyGate(SafetyConfig(max_linear_acceleration=50.0), keep_out=keep_out)
    for k, x in enumerate((0.0, 0.0, 9.0)):
        one.odometry(at(x), (0.0, 0.0), 10.0 + 0.1 * k)
    keep_out.circles("area", "odom", far, 10.1)
    sent(one, 10.3)
    assert one.output(10.3).reason == "keep-out: odometry leapt since it was said where area is"
    one.output(-20.0)
    keep_out.circles("area", "odom", far, -20.0)
    one.odometry(at(), (0.0, 0.0), -20.0)
    assert sent(one, -19.9) == (0.3, 0.0, 0.0)


def test_limits_of_speed_hold_for_each_part() -> None:
    one = gate(max_lateral=0.2)
    assert sent(one, 0.0, (-9.0, 9.0, -9.0)) == pytest.approx((-0.5, 1.8, -0.2))
    assert one.output(0.0).reason == "limit"
    assert sent(gate(), 0.0, (0.0, 0.0, 0.3)) == (0.0, 0.0, 0.0)
    assert sent(gate(), 0.0, (0.5, -1.8, 0.0)) == (0.5, -1.8, 0.0)


def test_after_a_stop_an_emergency_and_a_leap_are_remembered() -> None:
    one = gate()
    for k, x in enumerate((0.0, 0.0, 9.0)):
        one.odometry(at(x), (0.0, 0.0), 0.1 * k)
    one.emergency_stop()
    one.stop()
    assert one._motion.leapt == pytest.approx(0.2) and one.emergency and one.asked == (0.0, 0.0, 0.0)
    assert sent(one, 0.3) == (0.0, 0.0, 0.0) and one.output(0.3).reason == "emergency stop"
    one.release()
    assert not one.emergency and one.asked == (0.0, 0.0, 0.0) and one.output(0.35).reason == ""
    assert sent(one, 0.4)[0] > 0.0
    one.held = True
    assert sent(one, 0.5) == (0.0, 0.0, 0.0) and one.output(0.5).reason == "a node is missing"


def test_a_round_robot_turns_while_it_is_lost_and_one_with_corners_does_not() -> None:
    for footprint, turn in (((), 0.5), ((0.3, 0.1, -0.3, 0.1, -0.3, -0.1, 0.3, -0.1), 0.0)):
        keep_out = KeepOut(expected=("mask",))
        one = SafetyGate(SafetyConfig(footprint=footprint, max_lateral=0.3, **QUICK), keep_out=keep_out)  # type: ignore[arg-type]
        assert sent(one, 0.0, (0.3, 0.5, 0.0)) == (0.0, turn, 0.0)
        assert one.output(0.0).reason == "keep-out: mask did not come"


def test_while_only_old_scans_come_a_round_robot_may_turn_for_scan_timeout() -> None:
    one = gate(scan_timeout=0.5)
    seen = scan_of_points(np.array([[2.0, 0.1 * k] for k in range(-9, 10)]))
    for k in range(12):
        now = 0.1 * k
        one.odometry(at(0.03 * k), (0.3, 0.0), now)
        problem = one.scan(seen, now)
        one.command(0.3, 0.5, now)
        output = one.output(now)
    assert "does its driver hang" in problem and output.command == (0.0, 0.5, 0.0) and output.reason == "no scan"
    for now, turns in ((1.6, 0.5), (1.61, 0.0)):
        one.odometry(at(0.33), (0.0, 0.0), now)
        one.command(0.3, 0.5, now)
        assert one.output(now).angular == turns, now


def test_200_000_readings_of_all_sensors_are_looked_at() -> None:
    zones = {"z": Zone("circle", radius=0.3, min_points=1)}
    for count, reason in ((199_999, ""), (200_000, "too much to look at")):
        one = gate({"depth": 0.0}, zones)
        one.observe("depth", np.full((count, 2), 60.0), 0.0)
        assert (sent(one, 0.0, scan=scan_of_points(np.array([[5.0, 5.0]])))[0] == 0.0) == bool(reason)
        assert one.output(0.0).reason == reason


def test_what_comes_too_late_or_too_early_is_refused_with_its_age() -> None:
    one, things = gate({"depth": 0.0}), [Track(np.zeros(2), np.zeros(2), 0.3)]
    for words, said in (
        ("the scan is 6.00 s old when it comes, more than scan_timeout", one.scan(NOTHING, 10.0, 4.0)),
        ("the scan's stamp is 15.00 s in the future; make the clocks alike", one.scan(NOTHING, 10.0, 25.0)),
        ("the command is 6.00 s old when it comes, more than command_timeout", one.command(0.3, 0.0, 10.0, stamp=4.0)),
        (
            "what depth says is 6.00 s old when it comes; at most 2.0 s is usable",
            one.observe("depth", np.zeros((1, 2)), 10.0, 4.0),
        ),
        ("moving things: their stamp is 6.00 s old; 0 to 0.6 s is usable", one.tracks(things, 10.0, 4.0)),
    ):
        assert said == words


@pytest.mark.parametrize(("gap", "left"), [(0.02, 0.26), (0.0125, 0.0), (0.008, 0.0), (0.035, 0.3)])
def test_an_error_of_millimetres_is_no_reason_to_brake_harder(gap: float, left: float) -> None:
    """It rolls to within its margin of a thing, and not to within half of that: it slows down as it had to anyway."""
    one = gate()
    assert sent(one, 0.0)[0] == 0.3
    rolls = 0.3 * 0.2 + 0.3**2 / 2 / 0.8
    now = sent(one, 0.05, scan=scan_of_points(np.array([[0.18 + rolls + gap, 0.0]])))
    assert now[0] == pytest.approx(left) if left < 0.3 else now[0] > 0.26


@pytest.mark.parametrize("linear", [0.3, -0.3])
def test_once_no_command_comes_it_says_so_when_it_stops_and_then_no_more(linear: float) -> None:
    one = gate()
    assert sent(one, 0.0, (linear, 0.0, 0.0))[0] == linear
    assert [one.output(0.4 + 0.1 * k).reason for k in range(3)] == ["no command", "", ""]
    sent(one, 1.0, (linear, 0.0, 0.0))
    one.release()
    assert [one.output(1.05 + 0.01 * k).reason for k in range(3)] == ["no command", "", ""]
    held = gate(zones={"z": Zone("circle", radius=0.5, min_points=1)})
    for now, releases in ((2.0, True), (3.0, False)):
        assert sent(held, now, (linear, 0.0, 0.0), scan_of_points(np.array([[0.0, 0.4]]))) == (0.0, 0.0, 0.0)
        if releases:
            held.release()
        assert held.output(now + 0.4).reason == "", "it stood already"
    assert gate().output(0.0).reason == ""
    asleep = gate()
    asleep.command(0.0, 0.0, 0.0)
    assert asleep.output(0.0).reason == "", "who asks for nothing needs no scan"


def test_backwards_it_stops_before_what_stands_there_as_well() -> None:
    behind = scan_of_points(np.array([[-0.25, 0.0]]))
    assert sent(gate(), 0.0, (-0.3, 0.0, 0.0), behind)[0] > -0.15
    one = gate(zones={"z": Zone("circle", radius=0.4, min_points=1)})
    sent(one, 0.0, (-0.3, 0.0, 0.0))
    assert sent(one, 0.05, (-0.3, 0.0, 0.0), behind) == (0.0, 0.0, 0.0)
    assert one.output(0.05).reason == "zone: z, stop", "the zone leaves nothing to look at"


def test_a_clock_that_goes_back_a_little_moves_and_one_that_says_the_same_does_not() -> None:
    one = gate(command_timeout=9.0, scan_timeout=9.0)
    one.scan(NOTHING, 9.9)
    one.command(0.3, 0.0, 9.9)
    assert [one.output(*times).reason for times in ((10.0, 0.0), (9.95, 0.35), (9.95, 0.6))] == ["", "", ""]
    assert one.output(float("9.95"), 0.8).reason == "clock stands still"


def test_while_old_scans_come_it_does_not_turn_if_anything_else_is_wrong() -> None:
    seen = scan_of_points(np.array([[2.0, 0.1 * k] for k in range(-9, 10)]))
    for wrong in ("no data: depth", "scan without a reading"):
        one = gate({"depth": 2.0}, scan_timeout=0.5)
        one.observe("depth", np.zeros((0, 2)), 0.0)
        for k in range(12):
            now = 0.1 * k
            one.odometry(at(0.03 * k), (0.3, 0.0), now)
            one.scan(seen, now)
            one.output(now)
        nothing = Scan(np.full(72, np.nan, np.float32), -math.pi, math.pi / 36)
        if wrong == "scan without a reading":
            assert one.scan(nothing, 1.15) == wrong
        now = 1.2 if wrong == "scan without a reading" else 2.05
        for k in range(12, 21 if now > 2.0 else 12):
            one.odometry(at(0.03 * k), (0.3, 0.0), 0.1 * k)
            one.scan(seen, 0.1 * k)
            one.output(0.1 * k)
        one.command(0.3, 0.5, now)
        output = one.output(now)
        assert (output.command, output.reason) == ((0.0, 0.0, 0.0), wrong)


def test_what_is_just_as_old_as_it_may_be_counts_and_what_says_no_steady_time_came_at_its_beginning() -> None:
    one = gate(command_timeout=9.0)
    assert one.scan(NOTHING, 0.6, 0.0) == "" and one.command(0.3, 0.0, 0.6) == ""
    assert one.output(0.6).linear > 0.0
    assert gate().output(0.3).command == (0.0, 0.0, 0.0)
    for steady, moves in ((1.0, True), (1.5, False)):
        late = gate(clock_timeout=9.0)
        late.scan(NOTHING, 0.0)
        late.command(0.3, 0.0, 0.0, steady=steady)
        assert (late.output(0.0, steady).linear > 0.0) == moves
    for steady, moves in ((0.5, True), (0.6, False)):
        other = gate({"depth": 0.5}, clock_timeout=9.0)
        other.observe("depth", np.zeros((0, 2)), 0.0)
        assert other._others.missing(0.0, steady) == ("" if moves else "depth")
    never = gate()
    never.command(0.3, 0.5, 0.3)
    assert never.output(0.3).command == (0.0, 0.0, 0.0) and never.output(0.3).reason == "no scan"


def test_things_that_move_are_told_in_base_link_or_in_odom() -> None:
    ahead, in_odom = (Track(np.array(place), np.zeros(2), 0.3) for place in ([0.75, 0.0], [7.0, -2.25]))
    for track, odom in ((ahead, False), (in_odom, True)):
        for told, blocked in ((odom, True), (not odom, False)):
            one = gate()
            one.odometry(at(7.0, -3.0, math.pi / 2), (0.0, 0.0), 1.0)
            assert one.tracks([track], 1.0, 1.0, told) == ""
            one.scan(NOTHING, 1.0)
            one.command(0.3, 0.0, 1.0)
            assert (one.output(1.0).reason == "moving thing ahead") == blocked


def test_readings_of_the_laser_and_of_other_sensors_are_counted_together() -> None:
    one = gate({"depth": 0.0}, {"z": Zone("circle", radius=0.3, min_points=1)})
    one.observe("depth", np.full((199_998, 2), 60.0), 0.0)
    sent(one, 0.0, scan=scan_of_points(np.array([[5.0, 5.0], [-5.0, 5.0], [-5.0, -5.0]])))
    assert one.output(0.0).reason == "too much to look at"


CONFIG = SafetyConfig()


@pytest.mark.fault("time pauses, is slow, or is missing")
def test_on_a_slow_clock_steady_time_ends_what_is_said_no_more() -> None:
    gate = SafetyGate(CONFIG)
    driving(gate, 7.0, 100.0)
    gate.command(0.3, 0.0, 7.01, steady=101.05)
    assert gate.output(7.01, 101.05).reason == "no scan"
    gate.scan(NOTHING, 7.02, steady=102.1)
    gate.output(7.02, 102.0)
    assert gate.output(7.02, 102.1).linear == 0.0


def test_limits_that_are_tightened_hold_from_the_next_command_on() -> None:
    gate = SafetyGate(CONFIG)
    for k in range(20):
        fast = driving(gate, 0.1 * k)
    assert fast.linear == 0.3
    gate.tighten(replace(CONFIG, max_linear=0.1))
    assert driving(gate, 2.0).linear == 0.1


@pytest.mark.fault("odometry of a speed or a place that cannot be")
@pytest.mark.parametrize(
    ("pose", "velocity"),
    [
        ((0.1, 0.0, 0.0), (1e3, 0.0)),
        ((0.1, 0.0, 0.0), (-1e300, 0.0)),
        ((0.1, 0.0, 0.0), (0.0, 1e7)),
        ((0.1, 0.0, 0.0), (0.0, 0.0, 50.0)),
        ((1e90, 0.0, 0.0), (0.0, 0.0)),
        ((math.inf, 0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_odometry_that_no_robot_can_have_is_dropped_with_a_word_and_costs_nothing(
    pose: tuple[float, ...], velocity: tuple[float, ...]
) -> None:
    gate = SafetyGate(CONFIG)
    assert gate.odometry(np.zeros(3), (0.0, 0.0), 1.0, 1.0) == ""
    assert "odometry" in gate.odometry(np.array(pose), velocity, 1.05, 1.05)
    assert driving(gate, 1.1).linear > 0 and gate._motion.at(1.05)[0][0] == 0.0


@pytest.mark.fault("odometry stamped in the future, once")
def test_odometry_of_the_future_the_past_or_no_number_is_dropped() -> None:
    gate = SafetyGate(CONFIG)
    gate.odometry(np.zeros(3), (0.0, 0.0), 1.0, 1.0)
    gate.odometry(np.array([0.1, 0.0, 0.0]), (0.0, 0.0), 900.0, 1.1)
    gate.odometry(np.array([math.nan, 0.0, 0.0]), (0.0, 0.0), 1.1, 1.1)
    gate.odometry(np.array([0.1, 0.0, 0.0]), (0.0, 0.0), 0.9, 1.1)
    assert gate._motion.at(1.1)[0][0] == 0.0
    gate.odometry(np.array([0.1, 0.0, 0.0]), (0.0, 0.0), 1.1, 1.1)
    assert gate._motion.at(1.1)[0][0] == pytest.approx(0.1)


STANDS = (0.0, 0.0, 0.0)


@pytest.mark.parametrize(("late", "doubted"), [(room_scan(), True), (room_scan(half=3.1), False)])
def test_a_scan_that_comes_late_and_shows_the_same_was_measured_where_it_was(late: object, doubted: bool) -> None:
    """So a third one that shows the same is 3 cm away from it, and none of now."""
    one = SafetyGate(SafetyConfig(max_linear_acceleration=50.0))
    for x, stamp in ((0.0, 0.8), (0.03, 1.0)):
        one.odometry(np.array([x, 0.0, 0.0]), STANDS, stamp)
    assert one.scan(room_scan(), 1.0, 1.0) == ""
    assert one.scan(late, 1.05, 0.8) == "a newer scan came before this one"  # type: ignore[arg-type]
    one.odometry(np.array([0.03, 0.0, 0.0]), STANDS, 1.1)
    assert ("to the last bit" in one.scan(room_scan(), 1.1, 1.1)) == doubted


def hung() -> SafetyGate:
    """The part of the view ahead hangs while it drives there."""
    one = SafetyGate(SafetyConfig(max_linear_acceleration=50.0))
    for k in range(2):
        x = 0.1 * k
        one.odometry(np.array([x, 0.0, 0.0]), (0.5, 0.0, 0.0), 0.2 * k)
        now = room_scan(x)
        ahead = np.abs(now.angles) < math.pi / 4
        assert one.scan(replace(now, ranges=np.where(ahead, room_scan().ranges, now.ranges)), 0.2 * k) == ""
    return one


def test_what_a_part_of_the_view_that_hangs_says_is_not_known() -> None:
    newest = hung()._around.newest
    assert newest is not None
    off = np.abs(wrap(newest.first + np.arange(120) * math.pi / 60))
    assert (newest.free[off < math.radians(45.0)] == NOT_SEEN).all()
    assert (newest.free[off > math.radians(67.5)] != NOT_SEEN).all(), "between them nothing should have changed"


def test_without_odometry_nobody_asks_which_part_hung() -> None:
    one = hung()
    assert one.scan(room_scan(beams=90), 5.0) == ""
    assert one._around.newest is not None and (one._around.newest.free > 0.0).all()


def test_readings_of_a_doubted_scan_count_for_zones_until_one_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It turned at full speed, to see whether its laser hangs, past what stood in its zone."""
    slow = Zone(type="circle", radius=2.2, action_type="slowdown", slowdown_ratio=0.4, min_points=1)
    one = SafetyGate(SafetyConfig(max_angular_acceleration=50.0), {"slow": slow})

    def turn(x: float, stamp: float, half: float, seen_from: float) -> tuple[str, float]:
        one.odometry(np.array([x, 0.0, 0.0]), STANDS, stamp)
        problem = one.scan(room_scan(seen_from, half=half), stamp, stamp)
        one.command(0.0, 1.0, stamp)
        return problem, one.output(stamp).command[1]

    assert turn(0.0, 0.0, half=2.0, seen_from=0.0) == ("", pytest.approx(0.4))
    assert turn(0.03, 0.1, half=3.0, seen_from=0.03) == ("", pytest.approx(1.0))
    problem, slowed = turn(0.06, 0.2, half=2.0, seen_from=0.0)
    assert "to the last bit" in problem and slowed == pytest.approx(0.4)
    with monkeypatch.context() as patched:
        patched.setattr(one, "_own", GateConfig(readings=300))  # both scans have 180
        assert one.output(0.2).reason == "too much to look at"
    assert turn(0.09, 0.3, half=3.0, seen_from=0.09) == ("", pytest.approx(1.0))
