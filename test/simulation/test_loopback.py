from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.world import World


def test_it_gives_no_picture_unless_asked(empty: World) -> None:
    robot = Loopback(empty)
    assert robot.observe().image is None
    with pytest.raises(AmiError, match="image size"):
        robot.photograph(np.zeros(3))


def test_its_pictures_depend_on_the_pose_and_nothing_else(empty: World) -> None:
    robot = Loopback(empty, image_size=32)
    robot.reset(np.array([1.0, 1.0, 0.3]))
    image = robot.observe().image
    assert image is not None and image.shape == (32, 32, 3) and image.dtype == np.uint8
    assert np.array_equal(image, robot.photograph(np.array([1.0, 1.0, 0.3])))
    for change in ([0.3, 0, 0], [0, 0.3, 0], [0, 0, 0.3]):
        other = robot.photograph(np.array([1.0, 1.0, 0.3]) + change)
        assert np.abs(other.astype(float) - image).mean() > 3.0


def test_it_turns_while_it_is_blocked(empty: World) -> None:
    robot = Loopback(empty)
    robot.reset(np.array([3.6, 2.0, 0.0]))
    robot.step((0.5, 0.0), 2.0)
    robot.step((0.3, 1.5), 3.0)
    assert robot.ground_truth().pose[0] < 3.7


def test_a_robot_that_is_longer_behind_does_not_turn_into_a_wall(empty: World) -> None:
    robot = Loopback(empty, robot="turtlebot3_waffle_pi")
    robot.reset(np.array([3.69, 2.0, np.pi / 2]))
    robot.step((0.0, 1.0), 6.0)
    disc, pose = robot.description.shape.disc, robot.ground_truth().pose
    assert 3.95 - disc.centre(pose)[0] > disc.radius - 0.002
    robot.step((0.0, -1.0), 1.0)
    assert abs(robot.ground_truth().pose[2] - pose[2]) > 0.5, "it turns away"
