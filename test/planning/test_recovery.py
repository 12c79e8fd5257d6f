"""Recovery: away from what is in the way, towards room, and over in time."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.geometry import Array
from ami_ros.planning.recovery import BackAndTurn, RecoveryConfig
from ami_ros.planning.scan_geometry import free_range
from ami_ros.simulation.loopback import Loopback

from .conftest import NOTHING, PERIOD, robot_at, room_with_box

CONFIG = RecoveryConfig()


def recover(robot: Loopback) -> list[tuple[float, float]]:
    """Lets the manoeuvre drive the robot to its end; returns the commands."""
    seen = robot.observe()
    manoeuvre, commands = BackAndTurn(CONFIG, robot.time, seen.odometry, seen.scan), []
    while (command := manoeuvre.command(robot.time, seen.odometry, seen.scan)) is not None:
        commands.append(command)
        robot.step(command, PERIOD)
        seen = robot.observe()
        assert len(commands) * PERIOD <= CONFIG.seconds + PERIOD
    return commands


def room_ahead(robot: Loopback) -> float:
    return free_range(robot.observe().scan, 0.0, 0.22)


@pytest.mark.parametrize("pose", [(3.6, 2.0, 0.0), (3.7, 3.7, 0.8), (0.4, 1.0, np.pi)])
def test_before_a_wall_it_backs_up_and_turns_to_where_there_is_room(pose: tuple[float, float, float]) -> None:
    robot = robot_at(*pose)
    commands = recover(robot)
    moved = robot.ground_truth().pose[:2] - pose[:2]
    assert commands[0] == (-CONFIG.back_speed, 0.0) and np.hypot(*moved) > 0.15
    assert moved @ [np.cos(pose[2]), np.sin(pose[2])] < 0
    assert room_ahead(robot) > 1.0 and robot.ground_truth().contacts == 0


def test_with_something_behind_it_turns_on_the_spot() -> None:
    robot = robot_at(3.6, 2.0, 0.0, room_with_box(2.95, 2.0, 0.6))
    commands = recover(robot)
    assert all(linear == 0.0 and angular != 0.0 for linear, angular in commands)
    assert room_ahead(robot) > 0.8


def test_backing_up_ends_when_something_comes_near() -> None:
    manoeuvre = BackAndTurn(CONFIG, 0.0, np.zeros(3), NOTHING)
    assert manoeuvre.command(0.2, np.zeros(3), NOTHING) == (-CONFIG.back_speed, 0.0)
    close = robot_at(0.4, 2.0, 0.0).observe().scan
    command = manoeuvre.command(0.4, np.array([-0.05, 0.0, 0.0]), close)
    assert command is None or command[0] == 0.0


def test_without_scanner_it_still_ends() -> None:
    odometry: Array = np.zeros(3)
    manoeuvre = BackAndTurn(CONFIG, 0.0, odometry, None)
    stamps = [t for t in np.arange(0.2, 60.0, 0.2) if manoeuvre.command(float(t), odometry, None) is not None]
    assert len(stamps) > 0 and stamps[-1] <= CONFIG.seconds


def test_a_robot_that_cannot_move_gives_up_in_time() -> None:
    scan = robot_at(2.0, 2.0, 0.0).observe().scan
    manoeuvre = BackAndTurn(CONFIG, 10.0, np.zeros(3), scan)
    commands = [manoeuvre.command(10.0 + t, np.zeros(3), scan) for t in np.arange(0.2, 20.0, 0.2)]
    assert commands[-1] is None and any(c is not None and c[1] != 0 for c in commands)


def test_a_car_backs_up_and_then_leaves_turning_to_the_search() -> None:
    manoeuvre = BackAndTurn(CONFIG, 0.0, np.zeros(3), NOTHING, turns_on_the_spot=False)
    assert manoeuvre.command(0.2, np.zeros(3), NOTHING) == (-CONFIG.back_speed, 0.0)
    assert manoeuvre.command(2.4, np.array([-0.3, 0.0, 0.0]), NOTHING) is None
