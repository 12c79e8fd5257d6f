"""A large memory to measure with: the shipped memory of a home, again and again, as a town of homes that differ.

Every home has the places and ways of the real one. Its latents are the real ones moved by an offset of its own
(another home looks different, but consistently) and by noise of each moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.places.rows import PlaceRow
from ami_ros.places.store import Store
from ami_ros.places.types import Edge
from ami_ros.world_model.checkpoint import LoadedModel

STREET = 9.0  # [m] from one home to the next
HOME_SPREAD, MOMENT_SPREAD = 0.5, 0.2  # offset of a home, and of a moment, in standard deviations of real latents
PERIOD = 0.4  # [s] between places
THUMBNAIL = 4500  # bytes: JPEG of 96 x 96 px as the simulator's camera gives it


@dataclass(frozen=True)
class Town:
    """n entries, home after home."""

    latents: NDArray[np.float32]  # (n, latent_dim)
    poses: Array  # (n, 3)
    homes: NDArray[np.int64]  # (n,) number of the home: the episode in which it was explored
    ways: NDArray[np.int64]  # (m, 2) rows
    queries: NDArray[np.float32]  # (k, latent_dim) other moments at some of the places ...
    asked: Array  # (k, 3) ... and where these are

    def places(self, rows: NDArray[np.int64], thumbnails: bool) -> list[PlaceRow]:
        """Some of the entries; ids are rows + 1."""
        rng = np.random.default_rng(rows[:1])  # no two pictures alike: some stores compress
        return [
            PlaceRow(
                int(i) + 1,
                self.latents[i],
                self.poses[i],
                PERIOD * i,
                PERIOD * i,
                1,
                episode=int(self.homes[i]),
                thumbnail=rng.bytes(THUMBNAIL) if thumbnails else b"",
            )
            for i in rows
        ]

    def edges(self, rows: NDArray[np.int64]) -> list[Edge]:
        """Some of the ways."""
        step = np.array([0.3, 0.0, 0.0])
        return [Edge(int(a) + 1, int(b) + 1, step, 1, 1.0, 0, 0.0) for a, b in self.ways[rows]]


def build_town(loaded: LoadedModel, memory: Path, entries: int, queries: int, seed: int) -> Town:
    """A town of `entries` places.

    Args:
        loaded: the model that `memory` belongs to.
        memory: of one home.
        entries: places in all.
        queries: latents to search for.
        seed: of offsets and noise.
    """
    store = Store(memory, loaded.encoder_id, loaded.model.spec.latent_dim, read_only=True)
    try:
        places, edges = store.load()
    finally:
        store.close()
    rng = np.random.default_rng(seed)
    real, poses = np.stack([p.latent for p in places]), np.stack([p.pose for p in places])
    row_of = {p.id: k for k, p in enumerate(places)}
    ways = np.array([(row_of[e.start], row_of[e.stop]) for e in edges])
    homes = -(-entries // len(places))
    side = int(np.ceil(np.sqrt(homes)))
    number = np.repeat(np.arange(homes), len(places))[:entries]
    spread = real.std(axis=0)
    offsets = rng.normal(0.0, HOME_SPREAD * spread, (homes, len(spread))).astype(np.float32)

    def moments(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        noise = rng.standard_normal((len(rows), len(spread)), dtype=np.float32) * (MOMENT_SPREAD * spread)
        return np.asarray(real[rows % len(places)] + offsets[number[rows]] + noise, np.float32)

    where = np.tile(poses, (homes, 1))[:entries]
    where[:, 0] += STREET * (number % side)
    where[:, 1] += STREET * (number // side)
    inside = (ways[None] + len(places) * np.arange(homes)[:, None, None]).reshape(-1, 2)
    doors = len(places) * np.arange(homes)
    streets = [np.column_stack([doors[:-k], doors[k:]]) for k in (1, side) if k < homes]
    every = np.concatenate([inside, *streets])
    every = every[(every < entries).all(axis=1)]
    latents, asked = moments(np.arange(entries)), rng.integers(0, entries, queries)
    return Town(latents, where, number + 1, every, moments(asked), where[asked])
