"""Corridors to learn from: free to drive along, different each time, changed between both times."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.simulation.corridors import STEP, draw_corridors


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_the_route_keeps_clear_of_walls_and_people_and_comes_by_twice(seed: int) -> None:
    drawn = draw_corridors(np.random.default_rng(seed))
    half = len(drawn.route) // 2
    for plan, poses in ((drawn.first, drawn.route[:half]), (drawn.second, drawn.route[half:])):
        assert (plan.clearance(poses[:, :2]) > 0.1).mean() > 0.97
    gaps = np.hypot(*(drawn.route[:half, None, :2] - drawn.route[None, half:, :2]).T)
    assert (gaps.min(axis=0) < 1.0).mean() > 0.95
    assert np.median(np.hypot(*np.diff(drawn.route[:, :2], axis=0).T)) == pytest.approx(STEP, abs=0.05)


def test_walls_stay_and_doors_and_people_do_not() -> None:
    drawn = draw_corridors(np.random.default_rng(6))
    angles = np.linspace(-np.pi, np.pi, 180, endpoint=False)
    seen = [
        np.array([plan.cast(pose[:2], angles) for pose in drawn.route[::20]]) for plan in (drawn.first, drawn.second)
    ]
    same = np.abs(seen[0] - seen[1]) < 0.02
    assert 0.6 < same.mean() < 0.999


def test_another_seed_draws_other_corridors() -> None:
    a, b, again = (draw_corridors(np.random.default_rng(seed)).route for seed in (7, 8, 7))
    assert len(a) != len(b) or not np.allclose(a, b)
    np.testing.assert_array_equal(a, again)
