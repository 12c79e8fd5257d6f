"""Pairs of scans from simulated drives: fits in truth are right, and alike places give wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import pose_gap, relative
from ami_ros.core.scan_matching import Matcher
from ami_ros.simulation.corridors import draw_corridors
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.scan_training import (
    FittedPairs,
    Laser,
    ScanConfig,
    building_pairs,
    corridor_pairs,
    fit_scans,
    joined_pairs,
    judge_scans,
    places_of,
    route_in,
)
from ami_ros.world_model.scan_pairs import FEATURES, POINTS, ScanPairNetwork


@pytest.fixture(scope="module")
def corridors() -> FittedPairs:
    rng = np.random.default_rng(11)
    return corridor_pairs(draw_corridors(rng), rng)


def test_what_was_seen_from_places_lies_where_they_are() -> None:
    rng = np.random.default_rng(5)
    drawn = draw_corridors(rng)
    places = places_of(drawn.first, drawn.route[:60], Laser(360, 2 * np.pi, 12.0, 0.01), rng)
    assert len(places) > 10
    a, b = places[4], places[5]
    truth = relative(a.pose, b.pose)
    match = Matcher(a.submap).fit(b.submap, truth)
    assert match is not None and match.support > 0.8 and pose_gap(match.pose, truth)[1] < 0.1


def test_corridors_give_right_fits_and_wrong_ones_of_the_same_place(corridors: FittedPairs) -> None:
    pairs = joined_pairs([corridors, corridors])
    assert pairs.points.shape == (len(pairs), 2, POINTS, FEATURES) and np.isfinite(pairs.points).all()
    assert 0.02 < pairs.same.mean() < 0.8
    both = [pairs.same[pairs.asked == k].any() and not pairs.same[pairs.asked == k].all() for k in set(pairs.asked)]
    assert sum(both) > 5
    assert not set(pairs.asked[: len(corridors)]) & set(pairs.asked[len(corridors) :])


def test_a_building_gives_pairs_of_two_ways_through_it() -> None:
    world, rng = load_world("building:home:3"), np.random.default_rng(3)
    route = route_in(FreeSpace(world), rng, 30.0)
    assert np.hypot(*np.diff(route[:, :2], axis=0).T).max() < 0.5
    pairs = building_pairs(world, rng, 30.0)
    assert len(pairs) > 10 and pairs.same.any() and not pairs.same.all()


def test_right_fits_are_learned_from_what_was_driven(corridors: FittedPairs) -> None:
    import torch

    from ami_ros.world_model import torch_layers

    torch.manual_seed(0)
    network, losses = torch_layers.network(ScanPairNetwork), []
    fit_scans(network, corridors, ScanConfig(steps=400, batch=64), lambda done, loss: losses.append(loss))
    assert len(losses) == 400 and np.mean(losses[-20:]) < 0.6 * np.mean(losses[:20])
    quality = judge_scans(network, corridors)
    assert quality.fits == len(corridors) and quality.area > 0.9
    assert 0.0 <= quality.best_right <= 1.0 and 0.0 <= quality.best_right_by_share <= 1.0
