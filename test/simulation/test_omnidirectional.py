"""Robots that also drive sideways, with physics and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ami_ros.core.geometry import relative
from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.exploration import PERIOD, Explorer
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import Robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World

PERFECT = SensorNoise(scale=0.0)
SIDEWAYS = load_robot("ami_bot_omnidirectional")
RADIUS, MAX_LATERAL = SIDEWAYS.shape.radius, SIDEWAYS.limits.lateral
Make = Callable[..., Robot]


def simulator(world: World, robot: str = "ami_bot_omnidirectional", noise: SensorNoise = PERFECT) -> Robot:
    return Simulator(world, robot, noise=noise, pictures=False)


def loopback(world: World, robot: str = "ami_bot_omnidirectional", noise: SensorNoise = PERFECT) -> Robot:
    return Loopback(world, noise=noise, robot=robot)


both = pytest.mark.parametrize("make", [simulator, loopback])


def placed(robot: Robot, x: float, y: float, yaw: float) -> Robot:
    robot.reset(np.array([x, y, yaw]))
    return robot


@both
@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5])
def test_the_third_number_moves_it_to_the_left_with_its_heading_kept(make: Make, yaw: float, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, yaw)
    robot.step((0.0, 0.0, 0.3), 1.0)
    assert robot.ground_truth().velocity == pytest.approx((0.0, 0.0, 0.3), abs=0.01)
    before = robot.ground_truth().pose
    robot.step((0.0, 0.0, 0.3), 2.0)
    assert relative(before, robot.ground_truth().pose) == pytest.approx([0.0, 0.6, 0.0], abs=0.02)


@both
def test_ahead_sideways_and_turning_add_up(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.0)
    robot.step((0.3, 0.6, -0.3), 1.0)
    assert robot.ground_truth().velocity == pytest.approx((0.3, 0.6, -0.3), abs=0.02)
    placed(robot, 1.0, 2.0, 0.0).step((0.3, 0.0, 0.15), 3.0)
    moved = robot.ground_truth().pose
    assert (moved[1] - 2.0) / (moved[0] - 1.0) == pytest.approx(0.5, abs=0.03)


@both
def test_its_speed_to_the_sides_is_limited(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 0.5, 0.0)
    robot.step((0.0, 0.0, 9.0), 0.2)
    assert robot.ground_truth().velocity[2] < 0.25
    robot.step((0.0, 0.0, 9.0), 1.5)
    assert robot.ground_truth().velocity[2] == pytest.approx(MAX_LATERAL, abs=0.01)


@both
def test_a_differential_robot_leaves_the_third_number_out(make: Make, empty: World) -> None:
    robot = placed(make(empty, "ami_bot"), 1.0, 2.0, 0.0)
    robot.step((0.3, 0.0, 0.3), 2.0)
    truth = robot.ground_truth()
    assert len(truth.velocity) == 2 and abs(truth.pose[1] - 2.0) < 0.02 and truth.pose[0] > 1.4


@both
def test_sideways_it_stops_at_a_wall_and_comes_away_again(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 3.0, 0.0)
    robot.step((0.0, 0.0, 0.4), 4.0)
    truth = robot.ground_truth()
    assert truth.contacts == 1 and 3.6 < truth.pose[1] <= 3.95 - RADIUS + 0.015
    assert abs(robot.odometry()[1][2]) < 0.02, "wheels that measure do not turn at a wall"
    robot.step((0.0, 0.0, -0.3), 2.0)
    assert robot.ground_truth().pose[1] < 3.4


@both
def test_without_noise_odometry_follows_any_motion(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.7)
    pose, odometry = robot.ground_truth().pose, robot.odometry()[0]
    for command in ((0.2, 0.0, 0.3), (0.0, 1.0, 0.3), (-0.2, -0.8, -0.2), (0.1, 0.5, 0.0)):
        robot.step(command, 1.0)
        seen = relative(odometry, robot.odometry()[0])
        np.testing.assert_allclose(seen, relative(pose, robot.ground_truth().pose), atol=0.01)
    assert robot.odometry()[1] == pytest.approx(robot.ground_truth().velocity, abs=1e-6)


@both
def test_with_noise_odometry_errs_to_the_sides_too(make: Make, empty: World) -> None:
    robot = placed(make(empty, noise=SensorNoise(odometry_error=0.2)), 2.0, 1.0, 0.0)
    pose, odometry = robot.ground_truth().pose, robot.odometry()[0]
    robot.step((0.0, 0.0, 0.3), 3.0)
    seen, true = relative(odometry, robot.odometry()[0])[1], relative(pose, robot.ground_truth().pose)[1]
    assert 1.05 < seen / true < 1.35


@both
def test_worn_wheels_slow_all_directions(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.0)
    robot.wheel_gains = (0.5, 0.5)  # type: ignore[attr-defined]
    robot.step((0.4, 0.0, 0.2), 2.0)
    assert robot.ground_truth().velocity == pytest.approx((0.2, 0.0, 0.1), abs=0.01)


def test_exploring_uses_the_sides_alone_and_together_with_all_else_and_touches_nothing(home: World) -> None:
    robot = Loopback(home, seed=5, robot="ami_bot_omnidirectional")
    explorer, commands = Explorer(np.random.default_rng(5), SIDEWAYS), []
    for _ in range(1500):
        commands.append(explorer.command(robot.observe().scan))
        robot.step(commands[-1], PERIOD)
    linear, angular, lateral = np.array(commands).T
    assert np.abs(lateral).max() <= MAX_LATERAL and robot.ground_truth().contacts <= 2
    aside = np.abs(lateral) > 0.1
    assert 0.1 < aside.mean() < 0.7 and (lateral[aside] > 0).mean() == pytest.approx(0.5, abs=0.25)
    assert abs(np.corrcoef(lateral, angular)[0, 1]) < 0.5 and abs(np.corrcoef(lateral, linear)[0, 1]) < 0.5
    assert (aside & (np.abs(linear) < 0.05)).any() and (aside & (np.abs(angular) > 0.3)).any()
