"""Recovery: away from what is in the way, towards room, and over in time."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.recovery import BackAndTurn, BackUpConfig, Trail
from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, relative
from ami_ros.core.scan import Scan
from ami_ros.planning.scan_geometry import free_range
from ami_ros.simulation.loopback import Loopback

from .conftest import NOTHING, PERIOD, robot_at, room_with_box


def recover(robot: Loopback, trail: Trail | None = None) -> list[Command]:
    """Lets the manoeuvre drive the robot to its end; returns the commands."""
    seen = robot.observe()
    manoeuvre, commands = BackAndTurn(robot.time, seen.odometry, trail or Trail()), []
    while (command := manoeuvre.command(robot.time, seen.odometry, seen.scan)) is not None:
        commands.append(command)
        robot.step(command, PERIOD)
        seen = robot.observe()
        assert len(commands) * PERIOD <= BackUpConfig.longest + PERIOD
    return commands


def room_ahead(robot: Loopback) -> float:
    return free_range(robot.observe().scan, 0.0, 0.22)


@pytest.mark.parametrize("pose", [(3.6, 2.0, 0.0), (3.7, 3.7, 0.8), (0.4, 1.0, np.pi)])
def test_before_a_wall_it_backs_up_and_turns_to_where_there_is_room(pose: tuple[float, float, float]) -> None:
    robot = robot_at(*pose)
    commands = recover(robot)
    moved = robot.ground_truth().pose[:2] - pose[:2]
    assert commands[0] == (-BackUpConfig.speed, 0.0) and np.hypot(*moved) > 0.15
    assert moved @ [np.cos(pose[2]), np.sin(pose[2])] < 0
    assert room_ahead(robot) > 1.0 and robot.ground_truth().contacts == 0


def test_with_something_behind_it_turns_on_the_spot() -> None:
    robot = robot_at(3.6, 2.0, 0.0, room_with_box(2.95, 2.0, 0.6))
    commands = recover(robot)
    assert all(linear == 0.0 and angular != 0.0 for linear, angular in commands)
    assert room_ahead(robot) > 0.8


def test_backing_up_ends_when_something_comes_near() -> None:
    manoeuvre = BackAndTurn(0.0, np.zeros(3), Trail())
    assert manoeuvre.command(0.2, np.zeros(3), NOTHING) == (-BackUpConfig.speed, 0.0)
    close = robot_at(0.4, 2.0, 0.0).observe().scan
    command = manoeuvre.command(0.4, np.array([-0.05, 0.0, 0.0]), close)
    assert command is None or command[0] == 0.0


def test_without_scanner_it_still_ends() -> None:
    odometry: Array = np.zeros(3)
    manoeuvre = BackAndTurn(0.0, odometry, Trail())
    stamps = [t for t in np.arange(0.2, 60.0, 0.2) if manoeuvre.command(float(t), odometry, None) is not None]
    assert len(stamps) > 0 and stamps[-1] <= BackUpConfig.longest


def test_a_robot_that_cannot_move_gives_up_in_time() -> None:
    scan = robot_at(2.0, 2.0, 0.0).observe().scan
    manoeuvre = BackAndTurn(10.0, np.zeros(3), Trail())
    commands = [manoeuvre.command(10.0 + t, np.zeros(3), scan) for t in np.arange(0.2, 20.0, 0.2)]
    assert commands[-1] is None and any(c is not None and c[1] != 0 for c in commands)


def test_a_car_backs_up_and_then_leaves_turning_to_the_search() -> None:
    manoeuvre = BackAndTurn(0.0, np.zeros(3), Trail(), drive="ackermann")
    assert manoeuvre.command(0.2, np.zeros(3), NOTHING) == (-BackUpConfig.speed, 0.0)
    assert manoeuvre.command(2.4, np.array([-0.4, 0.0, 0.0]), NOTHING) is None


def test_it_goes_back_the_way_it_came_round_a_corner_and_not_straight_back() -> None:
    robot, trail = robot_at(2.0, 1.0, np.pi / 2), Trail()
    for _ in range(25):  # a bow to the left
        trail.add(robot.observe().odometry)
        robot.step((0.3, 0.6), PERIOD)
    start = robot.ground_truth().pose
    driven = recover(robot, trail)
    backwards = [linear for linear, angular in driven if linear < 0]
    assert len(backwards) > 5
    back = relative(start, robot.ground_truth().pose)
    assert back[0] < -0.2
    # On the circle that it came along, of 0.5 m, whose centre lies to its left: straight back would be y = 0.
    assert np.hypot(back[0], back[1] - 0.5) == pytest.approx(0.5, abs=0.05) and back[1] > 0.03


AHEAD_ONLY = Scan(np.full(37, 3.0, np.float32), -np.pi / 2, np.pi / 36)


def test_what_the_scanner_does_not_see_is_not_backed_into() -> None:
    blind = BackAndTurn(0.0, np.zeros(3), Trail())
    command = blind.command(0.2, np.zeros(3), AHEAD_ONLY)
    assert command is not None and command[0] == 0.0


def test_a_robot_that_does_not_see_behind_it_turns_round_to_go_back_the_way_it_came() -> None:
    """It has stood too long for the safety gate to know that the ground behind it is free."""
    trail = Trail()
    for x in np.arange(-1.0, 0.0, 0.05):
        trail.add(np.array([x, 0.0, 0.0]))
    turning = BackAndTurn(0.0, np.zeros(3), trail).command(0.2, np.zeros(3), AHEAD_ONLY)
    assert turning is not None and turning[0] == 0.0 and turning[1] != 0.0
    round_now = np.array([0.0, 0.0, np.pi])
    back = BackAndTurn(0.0, round_now, trail).command(0.2, round_now, AHEAD_ONLY)
    assert back is not None and back[0] > 0.0
    car = BackAndTurn(0.0, np.zeros(3), trail, drive="ackermann").command(0.2, np.zeros(3), AHEAD_ONLY)
    assert car is not None and car[0] < 0.0


def test_a_robot_that_turned_round_since_goes_forwards_on_its_way_back() -> None:
    trail = Trail()
    for x in np.arange(0.0, 1.0, 0.05):
        trail.add(np.array([x, 0.0, 0.0]))
    here = np.array([1.0, 0.0, np.pi])
    command = BackAndTurn(0.0, here, trail).command(0.2, here, NOTHING)
    assert command is not None and command[0] > 0.0
