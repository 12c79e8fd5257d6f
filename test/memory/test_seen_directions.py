"""Which views are missing."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.memory.coverage import gaps, missing_views, rough_gaps, rough_missing_views, shortest_sweep


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


def test_many_points_are_asked_about_at_once_and_the_answers_are_nearly_those_of_each() -> None:
    """In 2,000 m² this took 0.7 s, point by point."""
    rng = np.random.default_rng(0)
    places = np.column_stack([rng.uniform(0.0, 20.0, (200, 2)), rng.uniform(-np.pi, np.pi, 200)])
    points = np.stack(np.meshgrid(np.arange(0.0, 24.0, 0.2), np.arange(0.0, 20.0, 0.2)), -1).reshape(-1, 2)
    many, few = rough_missing_views(points, places, 1.5), missing_views(points, places, 1.5)
    assert len(points) > 2000
    assert np.abs(many - few).mean() < 0.02
    exact, rough = gaps(points, places[:, :2]), rough_gaps(points, places[:, :2])
    assert np.abs(exact - rough).max() < 0.3 and np.abs(exact - rough).mean() < 0.02
    assert np.isinf(rough_gaps(points, np.array([[99.0, 0.0]]))).all()


@pytest.mark.parametrize("heading", [0.0, 1.0, 3.0])
def test_a_sweep_goes_the_shorter_way_round_to_what_nobody_looked_at(heading: float) -> None:
    ways = heading - np.array([0.0, 0.8, 1.6, 2.4, np.pi])
    places, pose = np.column_stack([np.zeros((5, 2)), ways]), np.array([0.1, 0.0, heading])
    sweep = shortest_sweep(pose, places, 1.0)
    assert 1.0 < sweep < 2.0  # only what is on the left is missing
    assert -2.0 < shortest_sweep(pose, places * [1.0, 1.0, -1.0] + [0.0, 0.0, 2 * heading], 1.0) < -1.0
    seen = np.concatenate([places, [[0.0, 0.0, heading + a] for a in np.arange(0.0, sweep + 0.5, 0.25)]])
    assert shortest_sweep(pose, seen, 1.0) == 0.0


def test_all_but_what_is_ahead_is_swept_where_nobody_was() -> None:
    assert abs(shortest_sweep(np.zeros(3), np.zeros((1, 3)), 1.0)) > 4.0
