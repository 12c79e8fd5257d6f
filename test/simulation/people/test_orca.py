"""People who avoid each other and the robot."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.world import People
from ami_ros.simulation.world_file import load_world

THERE = importlib.util.find_spec("pyrvo") is not None


@pytest.mark.skipif(THERE, reason="pyrvo is installed")
def test_without_the_package_one_line_names_the_extra() -> None:
    with pytest.raises(AmiError, match=r"extra people.*requirements/people\.txt"):
        Loopback("home@people=2,manner=orca", robot="ami_bot")


@pytest.mark.skipif(not THERE, reason="pyrvo is not installed")
def test_they_pass_each_other_and_a_robot_without_touching_anything() -> None:
    robot = Loopback(replace(load_world("home"), people=People(5, manner="orca")), robot="ami_bot", seed=1)
    robot.reset(np.array([3.5, 2.6, 0.0]))
    places = []
    for _ in range(400):
        robot.step((0.0, 0.0), 0.1)
        places.append([thing.position for thing in robot.moving_truth()])
    way, things = np.array(places), robot.moving_truth()
    radii = np.array([thing.radius for thing in things])
    apart = np.linalg.norm(way[:, :, None] - way[:, None], axis=-1) - radii - radii[:, None] + 10 * np.eye(5)
    assert apart.min() > -0.05
    for index, radius in enumerate(radii):
        assert robot._doors.plan.clearance(way[:, index]).min() > radius - 0.02
    assert (np.hypot(*np.diff(way, axis=0).transpose(2, 1, 0)).sum(axis=1) > 5.0).all()
    assert not any(touch.robot_moving for touch in robot.touches)
    assert robot.moving_future(np.array([0.5, 1.0])).shape == (5, 2, 2)
