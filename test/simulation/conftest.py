"""Worlds that the tests of the simulation share, loaded once."""

from __future__ import annotations

import pytest

from ami_ros.core.robots.description import RobotDescription, load_robot
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world


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
