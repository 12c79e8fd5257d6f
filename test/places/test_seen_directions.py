"""Which views are missing."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.places.seen_directions import gaps, missing_views


def test_views_are_missing_where_nobody_looked_from_close_by() -> None:
    around = np.array([[0.0, 0.0, yaw] for yaw in np.linspace(-np.pi, np.pi, 8)])
    one_way = np.array([[5.0, 0.0, 0.0]])
    points = np.array([[0.3, 0.0], [5.0, 0.3], [9.0, 9.0]])
    missing = missing_views(points, np.concatenate([around, one_way]), 1.0)
    assert missing[0] == 0.0 and 0.7 < missing[1] < 0.9 and missing[2] == 1.0


def test_headings_on_both_sides_of_half_a_turn_are_neighbours() -> None:
    places = np.array([[0.0, 0.0, np.pi - 0.05]])
    other = np.array([[0.0, 0.0, -np.pi + 0.05]])
    assert missing_views(np.zeros((1, 2)), places, 1.0) == pytest.approx(missing_views(np.zeros((1, 2)), other, 1.0))


def test_gaps_are_those_to_the_nearest() -> None:
    np.testing.assert_allclose(gaps(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [3.0, 4.0]])), [1.0, 0.0])
