"""Robots that steer like a car, with physics and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ami_ros.core.geometry import relative
from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.exploration import PERIOD, Explorer
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import Robot
from ami_ros.simulation.routes import RouteDriver, Routes
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World

PERFECT = SensorNoise(scale=0.0)
CAR = load_robot("ami_bot_ackermann")
RADIUS, TIGHTEST = CAR.shape.radius, CAR.drive.turning_radius
Make = Callable[..., Robot]


def simulator(world: World, noise: SensorNoise = PERFECT) -> Robot:
    return Simulator(world, CAR, noise=noise, pictures=False)


def loopback(world: World, noise: SensorNoise = PERFECT) -> Robot:
    return Loopback(world, noise=noise, robot=CAR)


both = pytest.mark.parametrize("make", [simulator, loopback])


def placed(robot: Robot, x: float, y: float, yaw: float) -> Robot:
    robot.reset(np.array([x, y, yaw]))
    return robot


def radius_driven(robot: Robot, command: tuple[float, float]) -> float:
    """Of the circle [m] that it drives once it steers as it is told: chord over twice the sine of half the turn."""
    robot.step(command, 1.0)
    before = robot.ground_truth().pose
    robot.step(command, 1.0)
    x, y, turn = relative(before, robot.ground_truth().pose)
    return float(np.hypot(x, y) / (2 * np.sin(turn / 2)))


@both
@pytest.mark.parametrize("command", [(0.3, 0.6), (0.4, -0.6), (-0.3, 0.5), (-0.2, -0.4)])
def test_it_drives_the_curve_of_a_command_both_ways(make: Make, command: tuple[float, float], empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.3)
    wanted = abs(command[0]) / command[1]
    assert radius_driven(robot, command) == pytest.approx(wanted, rel=0.02)
    assert robot.ground_truth().velocity == pytest.approx(command, abs=0.02)


@both
@pytest.mark.parametrize("command", [(0.3, 9.0), (0.1, -1.5), (-0.3, 9.0)])
def test_it_turns_no_tighter_than_it_can(make: Make, command: tuple[float, float], empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.3)
    assert abs(radius_driven(robot, command)) == pytest.approx(TIGHTEST, rel=0.03)


@both
def test_it_does_not_turn_without_moving(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.3)
    robot.step((0.0, 1.5), 1.0)
    assert robot.ground_truth().pose == pytest.approx([2.0, 2.0, 0.3], abs=1e-3)
    robot.step((0.3, 0.9), 1.0)
    robot.step((0.0, 1.5), 1.0)
    stood = robot.ground_truth().pose
    robot.step((0.0, -1.5), 1.0)
    assert robot.ground_truth().pose == pytest.approx(stood, abs=1e-3)


@both
def test_it_still_turns_left_for_a_moment_when_it_is_steered_to_the_right(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.0)
    robot.step((0.3, 1.0), 1.0)
    robot.step((0.3, -1.0), 0.1)
    assert robot.ground_truth().velocity[1] > 0.3
    robot.step((0.3, -1.0), 0.5)
    assert robot.ground_truth().velocity[1] == pytest.approx(-1.0, abs=0.05)


@both
def test_the_middle_of_its_rear_axle_never_moves_sideways(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 1.5, 0.0)
    for command in ((0.3, 0.9), (0.4, -1.0), (-0.3, 0.6), (0.3, 0.0)):
        for _ in range(50):
            before = robot.ground_truth().pose
            robot.step(command, 0.02)
            x, y, turn = relative(before, robot.ground_truth().pose)
            assert abs(y - x * turn / 2) < 4e-4


@both
def test_without_noise_odometry_follows_any_motion(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.7)
    pose, odometry = robot.ground_truth().pose, robot.odometry()[0]
    for command in ((0.3, 0.9), (0.3, -1.0), (-0.3, 0.8), (0.0, 0.5)):
        robot.step(command, 1.0)
        seen, true = relative(odometry, robot.odometry()[0]), relative(pose, robot.ground_truth().pose)
        assert np.abs(seen - true)[:2].max() < 0.02
        assert abs(seen - true)[2] < 0.05, "wheels slip a little while they are turned, no more"
    robot.step((0.3, 0.6), 1.0)
    assert robot.odometry()[1] == pytest.approx(robot.ground_truth().velocity, abs=0.01)


@both
def test_worn_wheels_slow_it_down_on_the_same_curve(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.0)
    robot.wheel_gains = (0.4, 0.6)  # type: ignore[attr-defined]
    assert radius_driven(robot, (0.4, 0.8)) == pytest.approx(0.5, rel=0.02)
    assert robot.ground_truth().velocity == pytest.approx((0.2, 0.4), abs=0.01)


@both
def test_it_stops_at_a_wall_and_comes_away_again(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.6, np.pi / 2)
    robot.step((0.4, 0.0), 4.0)
    truth = robot.ground_truth()
    assert truth.contacts == 1 and 3.6 < truth.pose[1] <= 3.95 - RADIUS + 0.015
    assert abs(robot.odometry()[1][0]) < 0.02, "its wheels do not spin at a wall"
    robot.step((-0.3, 0.3), 2.0)
    assert robot.ground_truth().pose[1] < 3.4


@both
def test_a_car_that_was_put_elsewhere_drives_straight_on(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.0)
    robot.step((0.3, 1.0), 1.0)
    placed(robot, 1.0, 2.0, 0.0).step((0.3, 0.0), 2.0)
    assert robot.ground_truth().pose[1:] == pytest.approx([2.0, 0.0], abs=1e-3)


def test_exploring_drives_curves_both_ways_and_touches_nothing(home: World) -> None:
    robot, explorer = Loopback(home, seed=5, robot=CAR), Explorer(np.random.default_rng(5), CAR)
    commands, poses = [], []
    for _ in range(2000):
        commands.append(explorer.command(robot.observe().scan))
        robot.step(commands[-1], PERIOD)
        poses.append(robot.ground_truth().pose)
    linear, angular = np.array(commands).T
    assert (np.abs(angular) * TIGHTEST <= np.abs(linear) + 1e-9).all()
    assert robot.ground_truth().contacts <= 2
    assert (linear > 0.3).mean() > 0.1 and (linear < -0.05).mean() > 0.05 and (linear > 0.0).mean() > 0.5
    assert len(np.unique(np.floor((np.array(poses)[:, 2] + np.pi) / (np.pi / 4)))) == 8
    assert len({FreeSpace(home).room_of(pose) for pose in poses[::10]}) >= 4


def test_a_drive_with_a_purpose_gets_into_every_room(home: World) -> None:
    robot, space = Loopback(home, seed=3, robot=CAR), FreeSpace(home, radius=RADIUS)
    driver = RouteDriver(Routes(space, RADIUS), np.random.default_rng(3), CAR)
    rooms = set()
    for _ in range(1500):
        robot.step(driver.command(robot.ground_truth().pose, robot.observe().scan), PERIOD)
        rooms.add(space.room_of(robot.ground_truth().pose))
    assert rooms >= {room.name for room in home.rooms} and robot.ground_truth().contacts <= 1
