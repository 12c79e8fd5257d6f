"""Sums over neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.memory.coverage import around, gaussian_sums, pairs_within

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
