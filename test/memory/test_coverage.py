"""Which directions nobody has looked in yet, and of many points those that are near one another."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.memory.coverage import (
    around,
    gaps,
    gaussian_sums,
    missing_views,
    pairs_within,
    rough_gaps,
    rough_missing_views,
    shortest_sweep,
)


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


RNG = np.random.default_rng(0)
POINTS, OTHERS, VALUES = RNG.uniform(0.0, 9.0, (40, 2)), RNG.uniform(-3.0, 12.0, (60, 2)), RNG.uniform(0.5, 1.0, 60)
APART = np.hypot(*(POINTS[:, None] - OTHERS[None]).transpose(2, 0, 1))


def test_sums_are_those_over_all_but_for_what_is_far_off() -> None:
    exact = np.exp(-np.square(APART / 0.6) / 2) @ VALUES
    assert gaussian_sums(POINTS, OTHERS, VALUES, 0.6) == pytest.approx(exact, abs=0.01)


def test_pairs_are_all_that_are_within_reach() -> None:
    point, other, apart = pairs_within(POINTS, OTHERS, 1.5)
    assert {*zip(point.tolist(), other.tolist(), strict=True)} == {*map(tuple, np.argwhere(APART <= 1.5).tolist())}
    assert apart == pytest.approx(APART[point, other])


def test_a_box_with_a_margin_holds_what_may_be_near() -> None:
    assert set(np.flatnonzero((APART <= 1.0).any(axis=0))) <= set(around(POINTS, OTHERS, 1.0))
    assert len(around(POINTS, OTHERS, 1.0)) < len(OTHERS)


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.full((3, 2), 99.0)])
def test_where_nothing_is_near_nothing_is_counted(points: np.ndarray) -> None:
    assert gaussian_sums(points, OTHERS, VALUES, 0.6).tolist() == [0.0] * len(points)
    assert gaussian_sums(POINTS, np.zeros((0, 2)), np.zeros(0), 0.6).tolist() == [0.0] * len(POINTS)
