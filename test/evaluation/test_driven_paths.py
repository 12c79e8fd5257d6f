"""Times of the shortest ways through what was driven."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.evaluation.driven_paths import DrivenPaths
from ami_ros.geometry import Array


@pytest.fixture(scope="module")
def corner() -> Array:
    """A way of 3 m ahead and then 3 m to the left, driven facing ahead."""
    along = np.linspace(0.0, 3.0, 61)
    ahead = np.column_stack([along, np.zeros(61), np.zeros(61)])
    left = np.column_stack([np.full(61, 3.0), along, np.full(61, np.pi / 2)])
    return np.concatenate([ahead, left])


def test_a_way_leads_where_the_robot_has_driven(corner: Array) -> None:
    paths = DrivenPaths(corner, linear=0.5, angular=1.0)
    (time,) = paths.times(corner[0], corner[-1:])
    assert 5.6 / 0.5 < time < 6.1 / 0.5 + 0.4  # the corner is cut a little; straight across it would be 4.2 m


def test_turns_before_and_after_count(corner: Array) -> None:
    paths = DrivenPaths(corner, linear=0.5, angular=1.0)
    ahead, away = corner[0], np.array([0.0, 0.0, np.pi])
    goal = np.array([3.0, 0.0, 0.0])
    there, back = paths.times(ahead, goal[None])[0], paths.times(away, goal[None])[0]
    assert back - there == pytest.approx(np.pi, abs=0.1)
    assert paths.times(ahead, np.array([[0.0, 0.0, 1.5]]))[0] == pytest.approx(1.5)


def test_a_robot_may_back_up_to_what_is_near(corner: Array) -> None:
    paths = DrivenPaths(corner, linear=0.5, angular=1.0)
    behind = paths.times(np.array([1.5, 0.0, 0.0]), np.array([[1.0, 0.0, 0.0]]))[0]
    assert behind == pytest.approx(1.0, abs=0.3)


def test_no_way_is_known_to_where_it_never_drove_to() -> None:
    apart = np.array([[0.0, 0.0, 0.0], [0.1, 0.0, 0.0], [2.0, 0.0, 0.0]])
    assert np.isinf(DrivenPaths(apart, 0.5, 1.0).times(apart[0], apart[2:]))[0]
