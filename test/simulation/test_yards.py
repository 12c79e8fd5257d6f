"""Open ground: a laser gets far and few returns there, and on another day other cars."""

from __future__ import annotations

import numpy as np

from ami_ros.simulation.yards import BLOCK, draw_yard


def test_returns_are_far_and_few_and_some_are_of_the_ground() -> None:
    rng, angles = np.random.default_rng(3), np.linspace(-np.pi / 2, np.pi / 2, 180)
    yard = draw_yard(rng, 160.0, 0.9, 80.0)
    chosen = range(0, len(yard.route), 12)
    seen = np.array([yard.plan(k).cast(yard.route[k, :2], angles + yard.route[k, 2]) for k in chosen])
    ground = np.array([yard.ground(k)(angles) for k in chosen])
    assert np.median(seen) > 10.0 and 0.02 < (seen > 80.0).mean() < 0.7
    assert 0.0 < (ground < np.minimum(seen, 80.0)).mean() < 0.5 and ground.min() > 2.0
    assert seen.min() > 0.2, "the way leads through what stands there"


def test_the_way_is_driven_again_on_another_day() -> None:
    yard = draw_yard(np.random.default_rng(4), 160.0, 0.9, 80.0)
    half = len(yard.route) // 2
    gap = np.hypot(*(yard.route[half:, None, :2] - yard.route[None, :half, :2]).transpose(2, 0, 1)).min(1)
    assert (gap < 3.0).mean() > 0.3
    assert np.hypot(*np.diff(yard.route[:, :2], axis=0).T).max() < 1.0
    first, second = ({o.center for o in day} for day in yard.days)
    assert len(first & second) > 100 and first != second
    assert yard.plan(0) is yard.plan(0) and np.ptp(yard.route[:, :2], axis=0).max() > BLOCK


def test_the_same_seed_draws_the_same() -> None:
    first, again = (draw_yard(np.random.default_rng(5), 80.0, 0.9, 40.0) for _ in range(2))
    assert np.array_equal(first.route, again.route) and first.days == again.days
