"""Turning and the straight approach, without a search."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.steering import facing, final_approach, turned_first
from ami_ros.core.geometry import Array, Disc, compose, relative
from ami_ros.core.scan import Scan
from ami_ros.planning.kinematics import Kinematics


@pytest.mark.parametrize(
    ("place", "heading"),
    [((1.0, 0.0), 0.0), ((0.0, 2.0), np.pi / 2), ((-2.0, 0.1), np.pi - 0.05), ((-0.2, 0.2), -np.pi / 4)],
    ids=["ahead", "beside", "behind, far: it turns", "behind, near: it backs up"],
)
def test_it_faces_the_place_or_turns_its_back_on_it(place: tuple[float, float], heading: float) -> None:
    found = facing(np.array([*place, 2.0]))
    np.testing.assert_allclose(found, [*place, heading], atol=1e-3)
    ahead_only = Scan(np.full(19, 3.0, np.float32), -np.pi / 2, np.pi / 18)
    assert np.cos(facing(np.array([*place, 2.0]), ahead_only)[2] - np.arctan2(place[1], place[0])) > 0.999


def test_a_robot_that_looks_ahead_only_turns_before_it_drives_a_sharp_curve() -> None:
    """The safety gate let a third of such curves pass, and the robot crept for ten seconds."""
    commands = np.array([[0.04, 1.2], [0.1, -0.9], [0.3, 0.4], [0.2, 1.0]])
    np.testing.assert_array_equal(turned_first(commands), [[0.0, 1.2], [0.0, -0.9], [0.3, 0.4], [0.2, 1.0]])
    np.testing.assert_array_equal(turned_first(commands[:2])[:, 0], [0.0, 0.0])
    np.testing.assert_array_equal(turned_first(commands[2:]), commands[2:])


# The last decimetres: straight to a pose close by, forwards or backwards, where nothing is in the way


ROBOT, ROUND, PERIOD = Kinematics(), Disc(0.18), 0.1
OPEN = Scan(np.full(72, np.inf, np.float32), -np.pi, 2 * np.pi / 72)


def driven(goal: Array, scan: Scan = OPEN, seconds: float = 8.0) -> Array:
    """Where an exact robot comes to rest (3,), from 0, 0, 0."""
    pose = np.zeros(3)
    for _ in range(int(seconds / PERIOD)):
        command = final_approach(relative(pose, goal), scan, ROBOT, ROUND)
        if command is None or np.hypot(*relative(pose, goal)[:2]) < 0.02:
            break
        pose = compose(pose, np.array([command[0] * PERIOD, 0.0, command[1] * PERIOD]))
    return pose


@pytest.mark.parametrize("bearing", [0.0, 0.1, 0.9, 1.6, 2.6, np.pi, -1.2, -2.9])
@pytest.mark.parametrize("distance", [0.08, 0.2, 0.34])
def test_it_comes_within_two_centimetres(bearing: float, distance: float) -> None:
    goal = np.array([distance * np.cos(bearing), distance * np.sin(bearing), 0.0])
    assert np.hypot(*(driven(goal) - goal)[:2]) < 0.02


FRONT = Scan(OPEN.ranges[:36], -np.pi / 2, np.pi / 36)


def test_what_lies_behind_is_backed_up_to_unless_the_laser_does_not_look_there() -> None:
    """A robot whose laser looks ahead only stood beside its goal until it counted as stuck: it may not back up."""
    behind = np.array([-0.2, 0.01, 0.0])
    command = final_approach(behind, OPEN, ROBOT, ROUND)
    assert command is not None and -ROBOT.max_reverse <= command[0] < 0
    command = final_approach(behind, FRONT, ROBOT, ROUND)
    assert command is not None and command[0] == 0.0 and command[1] > 1.0, "it turns there"
    assert np.hypot(*(driven(behind, FRONT) - behind)[:2]) < 0.02
    ahead = np.array([0.2, 0.01, 0.0])
    assert final_approach(ahead, Scan(OPEN.ranges[:8], np.pi / 2, np.pi / 36), ROBOT, ROUND) is None, (
        "it sees aside only"
    )


def test_what_is_far_off_or_not_seen_to_be_free_is_left_to_the_search() -> None:
    ahead = np.array([0.2, 0.0, 0.0])
    assert final_approach(np.array([0.5, 0.0, 0.0]), OPEN, ROBOT, ROUND) is None
    assert final_approach(ahead, None, ROBOT, ROUND) is None
    wall = Scan(np.full(72, 0.35, np.float32), -np.pi, 2 * np.pi / 72)
    assert final_approach(ahead, wall, ROBOT, ROUND) is None
    assert final_approach(ahead, OPEN, Kinematics("ackermann"), ROUND) is None


def test_its_limits_hold() -> None:
    slow = ROBOT.limited(0.1, 0.5)
    ahead, aside = (final_approach(np.array(p), OPEN, slow, ROUND) for p in ((0.3, 0.0, 0.0), (0.0, 0.3, 0.0)))
    assert ahead is not None and ahead[0] <= 0.1 and aside is not None and abs(aside[1]) <= 0.5
