"""Pose graph: a bent map becomes straight where the latents say so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.background import finished
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.index import PlaceIndex
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.pose_graph import (
    Measurements,
    PoseGraphConfig,
    WholeMap,
    compare_places,
    driven_ways,
    optimise,
    optimise_map,
    relax,
    roots,
)
from ami_ros.memory.types import WAYS, Edge, edge_values
from harness.exact_model import ExactModel, latent_of

CONFIG = PoseGraphConfig()


def circle(count: int = 40) -> Array:
    """Poses around a circle of 1.2 m radius, beginning at the origin."""
    poses = [np.zeros(3)]
    turn = 2 * np.pi / count
    for _ in range(count - 1):
        poses.append(compose(poses[-1], [1.2 * turn, 0.0, turn]))
    return np.array(poses)


def reckoned(truth: Array, gain: float) -> Array:
    """The same poses by odometry that turns too much."""
    poses = [truth[0]]
    for a, b in zip(truth[:-1], truth[1:], strict=True):
        poses.append(compose(poses[-1], relative(a, b) * [1.0, 1.0, gain]))
    return np.array(poses)


@pytest.fixture
def bent(model: ExactModel) -> PlaceIndex:
    truth = circle()
    index = PlaceIndex(model)
    index.extend(np.arange(40) + 1, latent_of(truth), reckoned(truth, 1.08))
    return index


def ways(poses: Array) -> NDArray[np.void]:
    edges = [Edge(k + 1, k + 2, relative(poses[k], poses[k + 1])) for k in range(len(poses) - 1)]
    return np.array([edge_values(edge) for edge in edges], WAYS)


def worst(poses: Array) -> float:
    return float(np.hypot(*(poses - circle())[:, :2].T).max())


def test_what_the_head_sees_straightens_a_bent_map(bent: PlaceIndex) -> None:
    parts = [compare_places(bent, CONFIG), driven_ways(bent, ways(bent.poses), CONFIG)]
    straight = optimise(bent.poses, parts, CONFIG)
    assert worst(bent.poses) > 0.25 and worst(straight) < 0.3 * worst(bent.poses)
    np.testing.assert_allclose(straight[0], 0.0, atol=1e-6)  # the origin of the map stays


def test_a_map_that_agrees_with_all_measurements_is_left_alone(model: ExactModel) -> None:
    truth = circle()
    index = PlaceIndex(model)
    index.extend(np.arange(40) + 1, latent_of(truth), truth)
    parts = [compare_places(index, CONFIG), driven_ways(index, ways(truth), CONFIG)]
    moved = optimise(truth, parts, CONFIG)
    np.testing.assert_allclose(np.cos(moved[:, 2] - truth[:, 2]), 1.0, atol=1e-6)
    np.testing.assert_allclose(moved[:, :2], truth[:, :2], atol=1e-3)


def test_comparisons_are_of_neighbours_and_right(bent: PlaceIndex) -> None:
    seen = compare_places(bent, CONFIG)
    truth = circle()
    assert len(seen.start) > 40 and (seen.start != seen.stop).all()
    assert np.hypot(*seen.relative[:, :2].T).max() < CONFIG.reach
    np.testing.assert_allclose(seen.relative[:, :2], relative(truth[seen.start], truth[seen.stop])[:, :2], atol=1e-4)


def test_a_few_wild_comparisons_do_no_harm(bent: PlaceIndex) -> None:
    seen = compare_places(bent, CONFIG)
    wrong = seen.relative.copy()
    wrong[::20] += [2.0, -1.0, 1.5]
    parts = [Measurements(seen.start, seen.stop, wrong, seen.root), driven_ways(bent, ways(bent.poses), CONFIG)]
    assert worst(optimise(bent.poses, parts, CONFIG)) < 0.5 * worst(bent.poses)


def test_places_that_nothing_ties_to_the_rest_stay_where_they_are() -> None:
    poses = np.array([[0.0, 0.0, 0.0], [1.2, 0.0, 0.0], [5.0, 5.0, 1.0]])
    way = Measurements(np.array([0]), np.array([1]), np.array([[1.0, 0.0, 0.0]]), roots((0.1, 0.1), 1))
    moved = optimise(poses, [way], CONFIG)
    np.testing.assert_allclose(moved, [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [5.0, 5.0, 1.0]], atol=1e-3)


@pytest.fixture
def ring(model: ExactModel) -> Iterator[PlaceMap]:
    """A bent circle whose last place has just been seen from the first."""
    places, truth = PlaceMap(model, "exact", None, GraphConfig()), circle(60)
    spread = np.diag([0.03, 0.03, 0.03]) ** 2
    bent = reckoned(truth, 1.05)
    for k, pose in enumerate(bent):
        places.add(float(k), latent_of(pose), pose, None)
        if k:
            places.add_edge(Edge(k, k + 1, relative(bent[k - 1], pose), 1, covariance=spread))
    places.add_edge(Edge(60, 1, relative(truth[59], truth[0]), covariance=spread, is_loop=True))
    yield places
    places.store.close()


def off(places: PlaceMap) -> float:
    return float(np.hypot(*(places.index.poses[:60] - circle(60))[:, :2].T).max())


def test_a_new_constraint_moves_what_is_around_it_and_nothing_farther_away(ring: PlaceMap) -> None:
    before = ring.index.poses.copy()
    rows, moved = finished(relax(ring, CONFIG, [60, 1], 20))
    stays = np.arange(15, 45)
    np.testing.assert_array_equal(ring.index.poses[stays], before[stays])
    gap = np.hypot(*(relative(ring.index.poses[59], ring.index.poses[0]) - relative(circle(60)[59], circle(60)[0]))[:2])
    assert gap < 0.1 and moved > 0.05 and len(rows) < 30


def test_a_window_as_large_as_the_map_is_the_whole_map(ring: PlaceMap) -> None:
    finished(relax(ring, CONFIG, [60, 1], 60))
    local = ring.index.poses.copy()
    optimise_map(ring, CONFIG)
    assert off(ring) < 0.15 and np.abs(local - ring.index.poses)[:, :2].max() < 0.02


def test_without_room_for_temporary_files_the_robot_drives_on_with_what_is_straight_nearby(
    ring: PlaceMap, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole, before = WholeMap(ring, CONFIG), ring.index.poses.copy()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    whole.ask()
    assert not whole.step() and not whole.step()
    whole.stop()
    np.testing.assert_array_equal(ring.index.poses, before)


def test_the_whole_map_is_solved_beside_the_drive_and_takes_along_what_came_meanwhile(ring: PlaceMap) -> None:
    whole = WholeMap(ring, CONFIG)
    assert not whole.step(), "nobody asked"
    before = off(ring)
    whole.ask()
    assert whole.step()
    step = np.array([0.2, 0.0, 0.1])
    new = ring.add(60.0, latent_of(step), compose(ring.index.poses[59], step), None)
    ring.add_edge(Edge(60, new, step, 1))
    while not whole.step():
        time.sleep(0.01)
    assert off(ring) < 0.5 * before
    np.testing.assert_allclose(relative(ring.index.poses[59], ring.index.poses[60]), step, atol=1e-6)
    whole.ask()
    whole.step()
    whole.stop()
    assert not whole.step()


def test_places_whose_ids_do_not_rise_are_put_straight_as_well(ring: PlaceMap, model: ExactModel) -> None:
    """As places of another robot do, which come in the order of its ways."""
    other = PlaceMap(model, "exact", None, GraphConfig())
    rows = list(ring.details.values())
    other.adopt([*rows[:20], *rows[:19:-1]], list(ring.graph.edges.values()))
    for places in (ring, other):
        finished(relax(places, CONFIG, [60, 1], 60))
    index = other.index
    np.testing.assert_allclose(index.poses[index.rows(ring.index.ids)], ring.index.poses, atol=1e-3)
    other.store.close()
