"""The index of places: it grows, shrinks and keeps rows together."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ami_ros.memory.index import PlaceIndex
from harness.exact_model import ExactModel, latent_of


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
    index.move(poses(2) + 1.0)
    np.testing.assert_array_equal(index.poses, poses(2) + 1.0)
