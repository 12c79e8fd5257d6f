"""The places in memory as arrays that grow in place, and what can be compared fast."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ami_ros.geometry import Array
from ami_ros.memory.columns import Columns
from ami_ros.memory.vector_index import VectorIndex, VectorIndexConfig
from ami_ros.world_model.model import WorldModel

Latents = NDArray[np.float32]


class PlaceIndex:
    """Latents, contrastive keys, poses and numbers of all places, row by row; appending is O(1) amortised."""

    def __init__(self, model: WorldModel, config: VectorIndexConfig | None = None) -> None:
        self.model = model
        self._neighbours = VectorIndex(config or VectorIndexConfig())
        spec = model.spec
        self._columns = Columns(
            id=np.int64,
            latent=(np.float32, spec.latent_dim),
            key=(np.float32, spec.contrast_dim),
            pose=(np.float64, 3),
            created=np.float64,
            last_seen=np.float64,
            visits=np.int64,
            episode=np.int64,
            surprise=np.float32,
            keep_away=np.float32,
        )
        self._row_of: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, place_id: int) -> bool:
        return place_id in self._row_of

    @property
    def ids(self) -> NDArray[np.int64]:
        """(n,)"""
        return self._columns["id"]

    @property
    def latents(self) -> Latents:
        """(n, latent_dim)"""
        return self._columns["latent"]

    @property
    def keys(self) -> Latents:
        """(n, contrast_dim), unit length"""
        return self._columns["key"]

    @property
    def poses(self) -> Array:
        """(n, 3) in the map frame"""
        return self._columns["pose"]

    def column(self, name: str) -> NDArray:
        """(n,) numbers of the places, to be read and written: created [s], last_seen [s], visits, episode, surprise
        (z score when it was founded), keep_away [m]."""
        return self._columns[name]

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

    def wait(self) -> None:
        """Waits until places are grouped that are being grouped for `most_similar`."""
        self._neighbours.wait()

    def extend(self, ids: NDArray[np.int64], latents: Latents, poses: Array, **numbers: ArrayLike) -> None:
        """Appends places (n,), (n, latent_dim), (n, 3); `numbers`: see `column`, 0 where they are not given."""
        start = len(self)
        with torch.inference_mode():
            keys = self.model.contrast.keys(torch.from_numpy(np.asarray(latents, np.float32))).numpy()
        self._columns.extend(len(ids), id=ids, latent=latents, key=keys, pose=poses, **numbers)
        self._row_of |= {place_id: start + k for k, place_id in enumerate(np.asarray(ids).tolist())}

    def move(self, poses: Array) -> None:
        """Puts all places elsewhere: (n, 3)."""
        self.poses[:] = poses

    def remove(self, ids: Collection[int]) -> None:
        """Drops places; the others keep their order."""
        keep = ~np.isin(self.ids, np.fromiter(ids, np.int64, len(ids)))
        self._neighbours.keep(keep)
        self._columns.keep(keep)
        self._row_of = {place_id: k for k, place_id in enumerate(self.ids.tolist())}
