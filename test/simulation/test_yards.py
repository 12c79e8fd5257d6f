"""Drawn ground to learn scans on: corridors and open ground, driven twice and changed between both times."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.simulation.corridors import CorridorRanges, draw_corridors
from ami_ros.simulation.yards import draw_yard


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_a_route_keeps_clear_of_walls_and_people_and_comes_by_twice(seed: int) -> None:
    drawn = draw_corridors(np.random.default_rng(seed))
    half = len(drawn.route) // 2
    for plan, poses in ((drawn.first, drawn.route[:half]), (drawn.second, drawn.route[half:])):
        assert (plan.clearance(poses[:, :2]) > 0.1).mean() > 0.97
    gaps = np.hypot(*(drawn.route[:half, None, :2] - drawn.route[None, half:, :2]).T)
    assert (gaps.min(axis=0) < 1.0).mean() > 0.95
    steps = np.hypot(*np.diff(drawn.route[:, :2], axis=0).T)
    assert np.median(steps) == pytest.approx(CorridorRanges().step, abs=0.05)


def test_walls_stay_and_doors_and_people_do_not_and_another_seed_draws_others() -> None:
    drawn, other, again = (draw_corridors(np.random.default_rng(seed)) for seed in (6, 8, 6))
    angles = np.linspace(-np.pi, np.pi, 180, endpoint=False)
    seen = [np.array([plan.cast(p[:2], angles) for p in drawn.route[::20]]) for plan in (drawn.first, drawn.second)]
    assert 0.6 < (np.abs(seen[0] - seen[1]) < 0.02).mean() < 0.999
    assert not np.array_equal(drawn.route, other.route) and np.array_equal(drawn.route, again.route)


def test_on_open_ground_returns_are_far_and_few_and_some_are_of_the_ground() -> None:
    rng, angles = np.random.default_rng(3), np.linspace(-np.pi / 2, np.pi / 2, 180)
    yard = draw_yard(rng, 160.0, 0.9, 80.0)
    chosen = range(0, len(yard.route), 12)
    seen = np.array([yard.plan(k).cast(yard.route[k, :2], angles + yard.route[k, 2]) for k in chosen])
    ground = np.array([yard.ground(k)(angles) for k in chosen])
    assert np.median(seen) > 10.0 and 0.02 < (seen > 80.0).mean() < 0.7
    assert 0.0 < (ground < np.minimum(seen, 80.0)).mean() < 0.5 and ground.min() > 2.0
    assert seen.min() > 0.2, "the way leads through what stands there"


def test_open_ground_is_driven_again_on_another_day_with_other_cars() -> None:
    yard = draw_yard(np.random.default_rng(4), 160.0, 0.9, 80.0)
    half = len(yard.route) // 2
    gap = np.hypot(*(yard.route[half:, None, :2] - yard.route[None, :half, :2]).transpose(2, 0, 1)).min(1)
    assert (gap < 3.0).mean() > 0.3
    assert np.hypot(*np.diff(yard.route[:, :2], axis=0).T).max() < 1.0
    first, second = ({o.center for o in day} for day in yard.days)
    assert len(first & second) > 100 and first != second
    assert yard.plan(0) is yard.plan(0) and np.ptp(yard.route[:, :2], axis=0).max() > yard.block
