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
