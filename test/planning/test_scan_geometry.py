"""What a scan says about surfaces and directions."""

from __future__ import annotations

import numpy as np

from ami_ros.core.geometry import Disc
from ami_ros.planning.scan_geometry import free_near

from .conftest import NOTHING, scan_of_points

WALL = scan_of_points(np.column_stack([np.full(41, 1.0), np.linspace(-1.0, 1.0, 41)]))  # across, 1 m ahead


def test_a_pose_where_nothing_is_stays_where_it_is() -> None:
    pose = np.array([0.7, 0.1, 0.4])
    for scan in (WALL, NOTHING, None):
        np.testing.assert_array_equal(free_near(pose, scan, Disc(0.2)), pose)


def test_a_pose_inside_of_something_moves_to_the_nearest_free_spot_and_keeps_its_heading() -> None:
    moved = free_near(np.array([0.95, 0.0, 0.4]), WALL, Disc(0.2))
    assert moved[0] < 0.82 and np.hypot(*(moved[:2] - [0.95, 0.0])) < 0.3 and moved[2] == 0.4


def test_it_does_not_move_behind_what_it_lies_in() -> None:
    assert free_near(np.array([1.1, 0.0, 0.0]), WALL, Disc(0.2))[0] < 0.82


def test_a_pose_with_no_free_spot_near_stays_where_it_is() -> None:
    pose = np.array([0.95, 0.0, 0.4])
    np.testing.assert_array_equal(free_near(pose, WALL, Disc(1.5)), pose)


def test_a_robot_that_is_longer_behind_comes_nearer_with_its_front() -> None:
    facing, turned = np.array([0.95, 0.0, 0.0]), np.array([0.95, 0.0, np.pi])
    long_behind = Disc(0.2, -0.1)
    assert free_near(facing, WALL, long_behind)[0] > free_near(facing, WALL, Disc(0.2))[0] + 0.05
    assert free_near(turned, WALL, long_behind)[0] < free_near(turned, WALL, Disc(0.2))[0] - 0.05
