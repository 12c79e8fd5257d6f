"""Worlds and robots that the tests of the simulation share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ami_ros.core.robots.description import RobotDescription, load_robot
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import Robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world

PERFECT = SensorNoise(scale=0.0)


@pytest.fixture(scope="session")
def home() -> World:
    return load_world("home")


@pytest.fixture(scope="session")
def two_rooms() -> World:
    return load_world("two_rooms")


@pytest.fixture(scope="session")
def empty() -> World:
    return load_world("empty")


def seeing(size: int, name: str = "ami_bot") -> RobotDescription:
    """A robot whose pictures are `size` px wide and high."""
    robot = load_robot(name)
    assert robot.camera is not None
    return robot.with_sensor(robot.camera.name, width=size, height=size)


def simulator(world: World, robot: str | RobotDescription = "ami_bot", **options: Any) -> Robot:
    return Simulator(world, robot, pictures=False, **{"noise": PERFECT, **options})


def loopback(world: World, robot: str | RobotDescription = "ami_bot", **options: Any) -> Robot:
    return Loopback(world, robot=robot, **{"noise": PERFECT, **options})


def placed(robot: Robot, x: float, y: float, yaw: float) -> Robot:
    robot.reset(np.array([x, y, yaw]))
    return robot
