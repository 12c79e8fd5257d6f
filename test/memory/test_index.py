"""Places as arrays and by square, and the poses that a latent implies."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ami_ros.core.geometry import mean_pose, pose_gap, wrap
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.index import CELL, Cells, Matches, PlaceIndex, cluster, match
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


@pytest.fixture
def index(model: ExactModel) -> PlaceIndex:
    """Places every half metre of a room of 4 x 3 m, looking east and north."""
    x, y, yaw = np.meshgrid(np.arange(0, 4.1, 0.5), np.arange(0, 3.1, 0.5), [0.0, np.pi / 2], indexing="ij")
    poses = np.column_stack([x.ravel(), y.ravel(), yaw.ravel()])
    index = PlaceIndex(model)
    index.extend(np.arange(len(poses)) + 1, latent_of(poses), poses)
    return index


def test_a_place_resembles_itself_most(index: PlaceIndex) -> None:
    for row in (0, 17, 80):
        score = index.scores(index.latents[row])
        assert score.shape == (len(index),) and int(np.argmax(score)) == row and score[row] == pytest.approx(1.0)


def test_every_match_implies_the_pose_where_the_latent_was_taken(index: PlaceIndex) -> None:
    pose = np.array([1.7, 1.1, 0.4])
    matches = match(index, latent_of(pose), 12)
    assert len(matches.rows) == len(matches.weights) == 12
    assert (matches.weights > 0).all() and matches.weights.sum() <= 1 + 1e-9
    distance, turn = pose_gap(matches.poses, pose)
    assert distance.max() < 1e-4 and turn.max() < 1e-4
    np.testing.assert_allclose(matches.distances, pose_gap(index.poses[matches.rows], pose)[0], atol=1e-4)


def test_a_place_nearby_weighs_more_than_one_far_away(index: PlaceIndex) -> None:
    matches = match(index, latent_of([1.0, 1.0, 0.0]), 40)
    assert matches.distances[np.argmax(matches.weights)] < 1e-4
    assert matches.weights[matches.distances < 0.6].sum() > 0.9 * matches.weights.sum()


def test_what_is_far_from_every_place_hardly_matches(index: PlaceIndex) -> None:
    near, far = (match(index, latent_of(p)).weights.sum() for p in ([2.0, 1.5, 0.0], [9.0, 9.0, 0.0]))
    assert far < 0.1 * near


def test_fewer_places_than_asked_for_are_all_matched(index: PlaceIndex) -> None:
    index.remove(set(range(4, 1000)))
    assert len(match(index, latent_of([0.0, 0.0, 0.0]), 24).rows) == 3


def test_an_empty_memory_matches_nothing(model: ExactModel) -> None:
    matches = match(PlaceIndex(model), latent_of([0.0, 0.0, 0.0]))
    assert len(matches.rows) == 0 and cluster(matches) == []


def matches_at(*groups: tuple[float, list[float]]) -> Matches:
    """Ten matches around each pose, that share its weight."""
    rng = np.random.default_rng(0)
    poses = np.concatenate([np.array(pose) + rng.normal(0.0, 0.05, (10, 3)) for _, pose in groups])
    weights = np.repeat([weight / 10 for weight, _ in groups], 10)
    return Matches(np.arange(len(poses)), weights, poses, np.full(len(poses), 0.2))


def test_matches_are_clustered_into_hypotheses_best_first() -> None:
    found = cluster(matches_at((0.3, [3.0, 0.0, 1.0]), (0.6, [0.0, 0.0, 3.1]), (0.1, [0.0, 0.0, 0.0])))
    assert [round(h.share, 1) for h in found] == [0.6, 0.3, 0.1]
    for hypothesis, pose in zip(found, ([0.0, 0.0, 3.1], [3.0, 0.0, 1.0], [0.0, 0.0, 0.0]), strict=True):
        distance, turn = pose_gap(hypothesis.pose, np.array(pose))
        assert distance < 0.1 and turn < 0.1


def test_only_the_best_hypotheses_are_kept() -> None:
    groups = [(0.125, [3.0 * k, 0.0, 0.0]) for k in range(8)]
    assert len(cluster(matches_at(*groups), most=3)) == 3


def test_the_mean_of_headings_goes_the_short_way_round() -> None:
    poses = np.array([[0.0, 0.0, np.pi - 0.1], [1.0, 2.0, -np.pi + 0.3]])
    np.testing.assert_allclose(mean_pose(poses, np.array([0.5, 0.5]))[:2], [0.5, 1.0])
    assert abs(mean_pose(poses, np.array([0.5, 0.5]))[2]) == pytest.approx(np.pi - 0.1, abs=1e-6)
    np.testing.assert_allclose(mean_pose(poses, np.array([1.0, 0.0])), poses[0])
