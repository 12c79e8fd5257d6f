"""Lasers that are late, slow, dead, covered, or look ahead only: what the gate makes of them. Each was a bug once."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from ami_ros.bench.gate_drives import Drive
from ami_ros.bench.gate_trials import STEP, Robot
from ami_ros.core.commands import Command
from ami_ros.core.scan import Scan
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from harness.scans import NOTHING, scan_of_points

CONFIG = SafetyConfig()
TRAITS = Drive(0).traits | {"lag": 0.06, "braking": 1.0, "slip": 1.0}
WALL = 1.6  # [m] ahead of where the robot begins
BEAMS, INCREMENT = 72, np.pi / 36


def wall_at(distance: float, increment: float = INCREMENT, view: float = 2 * np.pi) -> Scan:
    """An endless wall across the way, `distance` [m] ahead of base_link."""
    angles = -view / 2 + increment * np.arange(round(view / increment))
    with np.errstate(divide="ignore"):
        ranges = np.where(np.cos(angles) > 0.05, distance / np.cos(angles), np.inf)
    return Scan(ranges.astype(np.float32), float(angles[0]), increment, max_range=8.0)


def drive_at_wall(
    scan_at: Callable[[float, float], Scan | None],
    period: float = 0.1,
    latency: float = 0.0,
    odometry: bool = True,
    config: SafetyConfig = CONFIG,
    command: Command = (0.5, 0.0, 0.0),
    duration: float = 8.0,
) -> tuple[float, float]:
    """Asks for `command` all the time; `scan_at(time, distance to the wall)` is what the laser says, if anything.

    Returns:
        Distance [m] between robot and wall in the end, or when they touch; and the speed [m/s] then.
    """
    robot, gate, coming = Robot(Drive(0, traits=TRAITS), np.zeros(3)), SafetyGate(config), []
    sent: Command = (0.0, 0.0, 0.0)
    for tick in range(round(duration / STEP)):
        now, gap = tick * STEP, WALL - robot.pose[0] - config.robot_radius
        if gap <= 0:
            break
        if tick % round(period / STEP) == 0 and (scan := scan_at(now, WALL - robot.pose[0])) is not None:
            coming.append((now + latency, scan, now))
        for arrival, scan, stamp in [item for item in coming if item[0] <= now + 1e-9]:
            gate.scan(scan, now, stamp)
            coming.remove((arrival, scan, stamp))
        if odometry and tick % 4 == 0:
            gate.odometry(robot.pose, tuple(robot.velocity), now)
        if tick % 5 == 0:
            gate.command(command[0], command[1], now, command[2])
            sent = gate.output(now).command
        robot.step(sent)
    return gap, float(robot.velocity[0])


@pytest.mark.fault("laser late, slow or dead")
@pytest.mark.parametrize("odometry", [True, False], ids=["odometry", "by its commands"])
@pytest.mark.parametrize(("period", "latency"), [(0.2, 0.15), (0.1, 0.0), (0.2, 0.0), (0.5, 0.05), (0.02, 0.2)])
def test_a_slow_and_late_laser_does_not_let_it_touch_the_wall(period: float, latency: float, odometry: bool) -> None:
    gap, speed = drive_at_wall(lambda _, distance: wall_at(distance), period, latency, odometry)
    assert 0.0 < gap < 0.12 and speed < 0.02


@pytest.mark.fault("laser late, slow or dead")
@pytest.mark.parametrize("odometry", [True, False], ids=["odometry", "by its commands"])
@pytest.mark.parametrize("left", [0.8, 0.6, 0.5, 0.45, 0.3])
def test_a_laser_that_dies_before_the_wall_does_not_let_it_touch_it(left: float, odometry: bool) -> None:
    gap, speed = drive_at_wall(lambda _, distance: wall_at(distance) if distance > left else None, odometry=odometry)
    assert gap > 0.0 and abs(speed) < 0.02


@pytest.mark.fault("laser covered")
@pytest.mark.parametrize(
    ("reading", "left"),
    # inf all the time is what an open place looks like
    [(r, left) for r in (math.nan, 0.0, -1.0, math.inf) for left in (math.inf, 0.8, 0.45) if r != left],
)
def test_a_covered_laser_does_not_let_it_touch_the_wall(reading: float, left: float) -> None:
    covered = Scan(np.full(BEAMS, reading, np.float32), -np.pi, INCREMENT, max_range=8.0)
    gap, speed = drive_at_wall(lambda _, distance: wall_at(distance) if distance > left else covered)
    assert gap > 0.0 and abs(speed) < 0.02
    assert gap > 1.0 or left < math.inf


@pytest.mark.fault("laser repeats itself with new stamps")
@pytest.mark.parametrize("left", [1.0, 0.8, 0.6, 0.45])
def test_a_laser_that_repeats_itself_does_not_let_it_touch_the_wall(left: float) -> None:
    gap, speed = drive_at_wall(lambda _, distance: wall_at(max(distance, left)), odometry=True)
    assert gap > 0.0 and abs(speed) < 0.02


def test_a_scan_that_repeats_itself_counts_while_the_robot_stands_and_not_once_it_has_moved() -> None:
    gate = SafetyGate(CONFIG)
    for time, x in [(0.0, 0.0), (0.1, 0.005), (0.2, 0.01), (0.3, 0.015)]:
        gate.odometry(np.array([x, 0.0, 0.0]), (0.05, 0.0, 0.0), time)
        assert gate.scan(wall_at(1.0), time) == ""
    gate.odometry(np.array([0.03, 0.0, 0.0]), (0.05, 0.0, 0.0), 0.4)
    assert "repeats" in gate.scan(wall_at(1.0), 0.4)
    assert gate.scan(wall_at(0.97), 0.4) == ""


def test_a_scan_that_lost_everything_is_a_fault_until_something_shows_again() -> None:
    gate = SafetyGate(CONFIG)
    assert gate.scan(wall_at(1.0), 0.0) == ""
    empty = Scan(np.full(BEAMS, np.inf, np.float32), -np.pi, INCREMENT, max_range=8.0)
    gate.command(0.2, 0.0, 0.1)
    assert gate.scan(empty, 0.1) == gate.output(0.1).reason == "scan without what stood there"
    assert gate.output(0.1).guarantee == 5
    assert gate.scan(wall_at(1.0), 0.2) == ""
    gate.command(0.2, 0.0, 0.2)
    assert gate.output(0.2).linear > 0.0


def test_a_repeated_scan_that_overtakes_the_one_that_it_repeats_is_no_newer() -> None:
    """One drive of 4,059 of `./ami bench gate --seed 8406` went on for 0.03 s too long: a hanging driver's first
    repetition came before the scan itself."""
    gate, scan = SafetyGate(SafetyConfig()), scan_of_points(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    gate.odometry(np.zeros(3), (0.0, 0.0), 0.0)
    assert gate.scan(scan, 0.10, 0.09) == "" and gate._around.newest is not None
    assert gate.scan(scan, 0.11, 0.05) == "a newer scan came before this one"
    assert gate._around.newest.stamp == 0.05, "measured then, and repeated"
    other = scan_of_points(np.array([[1.1, 0.0]]))
    assert gate.scan(other, 0.12, 0.04) == "a newer scan came before this one"
    assert gate._around.newest.stamp == 0.05


def test_what_stood_at_the_end_of_the_range_may_go_out_of_sight() -> None:
    gate = SafetyGate(CONFIG)
    far = scan_of_points(np.array([[7.5, 0.0]]))
    gate.scan(Scan(far.ranges, far.angle_min, far.angle_increment, max_range=8.0), 0.0)
    assert gate.scan(Scan(NOTHING.ranges, NOTHING.angle_min, NOTHING.angle_increment, max_range=8.0), 0.1) == ""


@pytest.mark.parametrize(
    ("stamp", "word"), [(5.0, "future"), (math.nan, "future"), (0.3, "old"), (0.9, "newer"), (1.1, "")]
)
def test_scans_with_wrong_stamps_are_not_used(stamp: float, word: str) -> None:
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 0.95, 0.95)
    problem = gate.scan(wall_at(0.22), 1.0, stamp)
    assert word in problem and bool(problem) == bool(word)
    gate.command(0.2, 0.0, 1.1)
    assert (gate.output(1.1).reason == "obstacle ahead") == (not word)


def test_a_scan_ages_by_its_stamp_not_by_its_arrival() -> None:
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 1.0, stamp=0.5)
    gate.command(0.2, 0.0, 1.0)
    assert gate.output(1.05).linear > 0
    assert gate.output(1.15).reason == "no scan"


# What is not seen


def test_one_beam_to_the_back_does_not_make_all_the_rest_free() -> None:
    one = Scan(np.array([2.0], np.float32), np.pi, INCREMENT)
    assert outcome(one, (0.3, 0.0, 0.0)) == ((0.0, 0.0, 0.0), "unseen ahead")
    assert outcome(one, (0.0, 1.0, 0.0)) == ((0.0, 1.0, 0.0), "")


def outcome(scan: Scan, command: Command, config: SafetyConfig = CONFIG) -> tuple[Command, str]:
    """What is sent in the end to a robot that stands, or would if it were not for the scan."""
    gate = SafetyGate(config)
    for tick in range(10):
        gate.scan(scan, 0.1 * tick)
        gate.odometry(np.zeros(3), (0.0, 0.0), 0.1 * tick)
        gate.command(command[0], command[1], 0.1 * tick, command[2])
        output = gate.output(0.1 * tick)
    return output.command, output.reason


def test_a_laser_that_looks_ahead_only_does_not_let_it_back_up_blindly() -> None:
    ahead = wall_at(3.0, view=np.pi)
    assert outcome(ahead, (0.3, 0.0, 0.0)) == ((0.3, 0.0, 0.0), "")
    command, reason = outcome(ahead, (-0.3, 0.0, 0.0))
    assert command == (0.0, 0.0, 0.0) and reason == "unseen ahead"


def test_it_backs_up_over_what_it_has_seen_and_no_farther() -> None:
    """Half a metre ahead, then back: as far as it has come from, and what is behind that was never seen."""
    pose, gate, now = np.zeros(3), SafetyGate(CONFIG), 0.0

    def ask(linear: float, ticks: int) -> float:
        nonlocal now, pose
        for _ in range(ticks):
            gate.scan(wall_at(4.0 - pose[0], view=np.pi), now)
            gate.odometry(pose, (0.0, 0.0), now)
            gate.command(linear, 0.0, now)
            pose = pose + [gate.output(now).linear * 0.05, 0.0, 0.0]
            now += 0.05
        return float(pose[0])

    assert ask(0.5, 24) > 0.3
    assert 0.0 <= ask(-0.5, 40) < 0.12


def test_what_was_seen_is_forgotten_in_time() -> None:
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 0.0)
    for now in (0.1, CONFIG.memory + 0.2):
        gate.scan(wall_at(3.0, view=np.pi), now)
        gate.odometry(np.zeros(3), (0.0, 0.0), now)
        gate.command(-0.3, 0.0, now)
        assert (gate.output(now).linear < 0.0) == (now < 1.0)


def test_a_thing_that_was_seen_where_nobody_looks_any_more_is_not_backed_into() -> None:
    """Free all round; then something behind; then the laser looks ahead only: the last that was seen there counts."""
    gate = SafetyGate(CONFIG)
    gate.scan(NOTHING, 0.0)
    gate.scan(scan_of_points(np.column_stack([np.full(41, -0.25), np.linspace(-0.4, 0.4, 41)])), 0.4)
    gate.scan(wall_at(3.0, view=np.pi), 0.8)
    gate.odometry(np.zeros(3), (0.0, 0.0), 0.8)
    gate.command(-0.3, 0.0, 0.8)
    assert gate.output(0.8).linear > -0.06


def test_single_beams_without_a_reading_do_not_stop_it_and_a_gap_does() -> None:
    scan = wall_at(3.0)
    scan.ranges[[30, 34, 37, 40]] = np.nan
    assert outcome(scan, (0.3, 0.0, 0.0)) == ((0.3, 0.0, 0.0), "")
    scan.ranges[34:39] = np.nan
    assert outcome(scan, (0.3, 0.0, 0.0)) == ((0.0, 0.0, 0.0), "unseen ahead")
    assert outcome(scan, (-0.3, 0.0, 0.0)) == ((-0.3, 0.0, 0.0), "")


# Speed, braking, cost


@pytest.mark.parametrize(("fastest", "braking"), [(1.5, 0.8), (2.0, 0.8), (0.5, 0.15), (1.0, 0.3)])
def test_it_looks_as_far_ahead_as_it_takes_to_stop(fastest: float, braking: float) -> None:
    """It looked one metre ahead, whatever its speed."""
    config = SafetyConfig(max_linear=fastest, deceleration=braking, max_linear_acceleration=1.0)
    traits = TRAITS | {"braking": braking}
    robot, gate = Robot(Drive(0, traits=traits), np.zeros(3)), SafetyGate(config)
    for tick in range(3000):
        now, distance = tick * STEP, 9.0 - robot.pose[0]
        assert distance > config.robot_radius
        if tick % 10 == 0:
            gate.scan(Scan(wall_at(distance).ranges, -np.pi, INCREMENT), now)
        if tick % 4 == 0:
            gate.odometry(robot.pose, tuple(robot.velocity), now)
        if tick % 5 == 0:
            gate.command(fastest, 0.0, now)
            sent = gate.output(now).command
        robot.step(sent)
    assert distance < 0.6, "it came there"


def test_it_does_not_drive_faster_than_it_sees_far() -> None:
    config = SafetyConfig(max_linear=2.0, max_linear_acceleration=50.0)
    short = Scan(NOTHING.ranges, NOTHING.angle_min, NOTHING.angle_increment, max_range=1.0)
    gate = SafetyGate(config)
    gate.scan(short, 0.0)
    gate.command(2.0, 0.0, 0.0)
    output = gate.output(0.0)
    assert output.reason == "unseen ahead" and 0.3 < output.linear < 1.1


def test_the_arc_that_was_looked_at_is_the_arc_that_is_driven() -> None:
    gate = SafetyGate(SafetyConfig(max_linear_acceleration=50.0, max_angular_acceleration=50.0))
    gate.scan(wall_at(0.45), 0.0)
    gate.command(0.5, 0.8, 0.0)
    output = gate.output(0.0)
    assert output.reason == "obstacle ahead" and 0.1 < output.linear < 0.45
    assert output.angular / output.linear == pytest.approx(0.8 / 0.5)


def test_ten_thousand_beams_are_no_more_work_than_a_hundred_and_twenty() -> None:
    gate = SafetyGate(CONFIG)
    ranges = np.linspace(1.0, 2.0, 10_000).astype(np.float32)
    ranges[7777] = 0.5  # a thin pole
    gate.scan(Scan(ranges, -np.pi, 2 * np.pi / 10_000), 0.0)
    seen = gate._around.newest
    assert seen is not None and len(seen.free) <= 120 and len(seen.points) <= 120
    assert np.hypot(*seen.points.T).min() == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize(("increment", "count"), [(2 * np.pi, 1), (np.pi / 2, 4), (3.2, 2), (1e-30, 1)])
def test_a_beam_answers_for_what_is_near_it_however_far_apart_beams_are(increment: float, count: int) -> None:
    gate = SafetyGate(CONFIG)
    for k in range(30):
        gate.scan(Scan(np.full(count, 5.0, np.float32), 0.4, increment, max_range=8.0), 0.1 * k)
        gate.command(-0.4, 0.0, 0.1 * k)
        output = gate.output(0.1 * k)
    assert abs(output.linear) < 1e-9 and output.reason == "unseen ahead"
