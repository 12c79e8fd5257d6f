"""The way back: along what was driven, to its beginning, and no farther."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.recovery import Trail


def trail(*poses: tuple[float, float, float]) -> Trail:
    made = Trail()
    for pose in poses:
        made.add(np.array(pose))
    return made


def test_poses_that_hardly_differ_are_kept_once() -> None:
    assert len(trail((0, 0, 0), (0.01, 0, 0), (0.02, 0, 0.05), (0.05, 0, 0), (0.05, 0, 0.3)).poses) == 3


def test_the_way_back_is_the_way_it_came() -> None:
    # A quarter of a circle to the left: back means backwards and to the left of the robot's tail.
    angles = np.linspace(0.0, np.pi / 2, 60)
    made = trail(*[(np.sin(a), 1 - np.cos(a), a) for a in angles])
    point = made.back(np.array([1.0, 1.0, np.pi / 2]), 0.15)
    assert point is not None and np.hypot(*point) == pytest.approx(0.15, abs=0.04)
    assert point[0] < -0.1 and 0.0 < point[1] < 0.05


def test_what_was_passed_on_the_way_back_is_dropped_down_to_the_beginning() -> None:
    made = trail(*[(0.05 * k, 0.0, 0.0) for k in range(11)])
    for x in np.arange(0.5, 0.07, -0.05):
        assert made.back(np.array([x, 0.0, 0.0]), 0.15) is not None
    assert made.back(np.array([0.02, 0.0, 0.0]), 0.15) is None


def test_a_jump_of_odometry_begins_it_anew() -> None:
    assert len(trail((0, 0, 0), (0.1, 0, 0), (9.0, 9.0, 0)).poses) == 1


def test_it_does_not_grow_for_ever() -> None:
    assert len(trail(*[(0.05 * k, 0.0, 0.0) for k in range(360)]).poses) == 120
