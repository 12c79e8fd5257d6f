"""The places in memory as arrays that grow in place, and what can be compared fast."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.memory.vector_index import VectorIndex, VectorIndexConfig
from ami_ros.world_model.model import WorldModel

Latents = NDArray[np.float32]

_COLUMNS = ("_ids", "_latents", "_keys", "_poses", "_times")


class PlaceIndex:
    """Latents, contrastive keys, poses and times of all places, row by row; appending is O(1) amortised."""

    def __init__(self, model: WorldModel, config: VectorIndexConfig | None = None) -> None:
        self.model = model
        self._neighbours = VectorIndex(config or VectorIndexConfig())
        spec = model.spec
        self._ids = np.zeros(64, np.int64)
        self._latents = np.zeros((64, spec.latent_dim), np.float32)
        self._keys = np.zeros((64, spec.contrast_dim), np.float32)
        self._poses = np.zeros((64, 3))
        self._times = np.zeros((64, 3))
        self._count = 0
        self._row_of: dict[int, int] = {}

    def __len__(self) -> int:
        return self._count

    def __contains__(self, place_id: int) -> bool:
        return place_id in self._row_of

    @property
    def ids(self) -> NDArray[np.int64]:
        """(n,)"""
        return self._ids[: self._count]

    @property
    def latents(self) -> Latents:
        """(n, latent_dim)"""
        return self._latents[: self._count]

    @property
    def keys(self) -> Latents:
        """(n, contrast_dim), unit length"""
        return self._keys[: self._count]

    @property
    def poses(self) -> Array:
        """(n, 3) in the map frame"""
        return self._poses[: self._count]

    @property
    def times(self) -> Array:
        """(n, 3): founded [s], last seen [s], number of the episode; may be written to"""
        return self._times[: self._count]

    def row(self, place_id: int) -> int:
        """Row of a place; KeyError if unknown."""
        return self._row_of[place_id]

    def rows(self, place_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows (k,) of places (k,) that are all known."""
        order = np.argsort(self.ids, kind="stable")
        return np.asarray(order[np.searchsorted(self.ids, place_ids, sorter=order)])

    def query(self, latent: Latents) -> Latents:
        """What a latent (latent_dim,) is compared with keys as: (contrast_dim,), unit length."""
        with torch.inference_mode():
            return np.asarray(self.model.contrast.queries(torch.from_numpy(latent)[None])[0].numpy())

    def scores(self, latent: Latents) -> Latents:
        """Contrastive score (n,) in [-1, 1] of a latent (latent_dim,) against every place."""
        return np.asarray(self.keys @ self.query(latent))

    def most_similar(self, latent: Latents, count: int) -> tuple[NDArray[np.int64], Latents]:
        """Rows of the `count` places with the best scores, best first, and the scores; see `VectorIndex`."""
        return self._neighbours.search(self.keys, self.query(latent), count)

    def extend(self, ids: NDArray[np.int64], latents: Latents, poses: Array, times: Array | None = None) -> None:
        """Appends places (n,), (n, latent_dim), (n, 3), (n, 3)."""
        with torch.inference_mode():
            keys = self.model.contrast.keys(torch.from_numpy(np.asarray(latents, np.float32))).numpy()
        start, stop = self._count, self._count + len(ids)
        while stop > len(self._ids):
            for name in _COLUMNS:
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros_like(old)]))
        self._ids[start:stop], self._latents[start:stop] = ids, latents
        self._keys[start:stop], self._poses[start:stop] = keys, poses
        self._times[start:stop] = 0.0 if times is None else times
        self._row_of |= {int(i): start + k for k, i in enumerate(ids)}
        self._count = stop

    def move(self, poses: Array) -> None:
        """Puts all places elsewhere: (n, 3)."""
        self._poses[: self._count] = poses

    def remove(self, ids: set[int]) -> None:
        """Drops places; the others keep their order."""
        keep = np.array([int(i) not in ids for i in self.ids], dtype=bool)
        kept = int(keep.sum())
        self._neighbours.keep(keep)
        for name in _COLUMNS:
            array = getattr(self, name)
            array[:kept] = array[: self._count][keep]
        self._count = kept
        self._row_of = {int(i): k for k, i in enumerate(self.ids)}
