"""The index of places: it grows, shrinks and keeps rows together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ami_ros.core.geometry import wrap
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.index import CELL, Cells, PlaceIndex
from ami_ros.memory.place_map import PlaceMap
from harness.exact_model import ExactModel, latent_of

from .conftest import ENCODER


def poses(count: int) -> np.ndarray:
    return np.random.default_rng(count).uniform(-2.0, 2.0, (count, 3))


def test_it_grows_beyond_its_first_size_by_one_and_by_many(model: ExactModel) -> None:
    index, all_poses = PlaceIndex(model), poses(300)
    for k in range(70):
        index.extend(np.array([k + 1]), latent_of(all_poses[k : k + 1]), all_poses[k : k + 1])
    index.extend(np.arange(71, 301), latent_of(all_poses[70:]), all_poses[70:])
    assert len(index) == 300 and index.row(300) == 299 and 300 in index and 301 not in index
    np.testing.assert_array_equal(index.ids, np.arange(1, 301))
    np.testing.assert_array_equal(index.poses, all_poses)
    np.testing.assert_array_equal(index.latents, latent_of(all_poses))
    np.testing.assert_allclose(index.keys, model.contrast.keys(torch.from_numpy(latent_of(all_poses))), atol=1e-6)


def test_removed_places_are_gone_and_the_others_keep_their_order(model: ExactModel) -> None:
    index, all_poses = PlaceIndex(model), poses(10)
    index.extend(np.arange(10) + 5, latent_of(all_poses), all_poses)
    index.remove({5, 9, 14, 99})
    np.testing.assert_array_equal(index.ids, [6, 7, 8, 10, 11, 12, 13])
    np.testing.assert_array_equal(index.poses, all_poses[[1, 2, 3, 5, 6, 7, 8]])
    np.testing.assert_array_equal(index.latents, latent_of(index.poses))
    assert index.row(13) == 6 and 9 not in index
    with pytest.raises(KeyError):
        index.row(9)
    index.extend(np.array([9]), latent_of(all_poses[4:5]), all_poses[4:5])
    assert index.row(9) == 7 and len(index) == 8


def test_an_emptied_index_can_be_filled_again(model: ExactModel) -> None:
    index = PlaceIndex(model)
    index.extend(np.array([1, 2]), latent_of(poses(2)), poses(2))
    index.remove({1, 2})
    assert len(index) == 0 and index.poses.shape == (0, 3)
    index.extend(np.array([3]), latent_of(poses(1)), poses(1))
    np.testing.assert_array_equal(index.ids, [3])


def test_places_can_be_moved(model: ExactModel) -> None:
    index = PlaceIndex(model)
    index.extend(np.array([1, 2]), latent_of(poses(2)), poses(2))
    index.poses[:] = poses(2) + 1.0
    np.testing.assert_array_equal(index.poses, poses(2) + 1.0)


def test_nothing_near_is_missed_however_positions_come() -> None:
    rng = np.random.default_rng(0)
    positions, cells = rng.uniform(-6.0, 6.0, (800, 2)), Cells()
    for count in (0, 1, 300, 800):
        for position in rng.uniform(-7.0, 7.0, (40, 2)):
            found = set(cells.near(positions[:count], position).tolist())
            near = np.flatnonzero(np.hypot(*(positions[:count] - position).T) <= CELL)
            assert set(near.tolist()) <= found and len(found) <= count
    moved = rng.permutation(800)[:300]
    positions[moved] += rng.normal(0.0, 3.0, (300, 2))
    cells.move(moved, positions[moved])
    for position in rng.uniform(-7.0, 7.0, (40, 2)):
        found = cells.near(positions, position).tolist()
        near = np.flatnonzero(np.hypot(*(positions - position).T) <= CELL)
        assert set(near.tolist()) <= set(found) and len(set(found)) == len(found) < 800
    cells = Cells()
    assert cells.near(positions[:3] + 100.0, positions[0] + 100.0).tolist().count(0) == 1


def test_the_nearest_place_is_that_of_a_look_at_all(model: ExactModel) -> None:
    rng = np.random.default_rng(1)
    places = PlaceMap(model, ENCODER, None, GraphConfig())
    for pose in rng.uniform([-5, -5, -3], [5, 5, 3], (300, 3)):
        places.add(0.0, latent_of(pose), pose, None)
    places.forget([1, 17, 200])
    for pose in rng.uniform([-8, -8, -3], [8, 8, 3], (200, 3)):
        poses = places.index.poses
        distance, turn = np.hypot(*(poses - pose)[:, :2].T), np.abs(wrap(poses[:, 2] - pose[2]))
        best = np.argmin(distance / 0.3 + turn / 0.5)
        assert places.nearest(pose, 0.3, 0.5) == (places.index.ids[best], distance[best], turn[best])
    places.store.close()
