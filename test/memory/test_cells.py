"""What is near is found without looking at all places, and nothing near is missed."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import wrap
from ami_ros.memory.cells import SIZE, Cells
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.place_map import PlaceMap
from harness.exact_model import ExactModel, latent_of

from .conftest import ENCODER


def test_nothing_near_is_missed_however_positions_come() -> None:
    rng = np.random.default_rng(0)
    positions, cells = rng.uniform(-6.0, 6.0, (800, 2)), Cells()
    for count in (0, 1, 300, 800):
        for position in rng.uniform(-7.0, 7.0, (40, 2)):
            found = set(cells.near(positions[:count], position).tolist())
            near = np.flatnonzero(np.hypot(*(positions[:count] - position).T) <= SIZE)
            assert set(near.tolist()) <= found and len(found) <= count
    cells.clear()
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
