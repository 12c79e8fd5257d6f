"""From a latent to poses: what it resembles, and how many places that may be."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import mean_pose, pose_gap
from ami_ros.memory.index import Matches, PlaceIndex, cluster, match
from harness.exact_model import ExactModel, latent_of


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
