"""Which of many places may show what a picture shows: a global descriptor of each picture, compared in microseconds.

A latent holds what the laser saw beside the picture, and a goal's picture comes without a laser. So the latent of a
narrow picture finds its place hardly better than chance. The mean of what the picture's cells show does find it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.places.index import Latents


class Descriptors:
    """Global descriptors (k,) of the pictures of places, by their ids."""

    def __init__(self) -> None:
        self._known = dict[int, NDArray[np.float16]]()
        self._table: tuple[NDArray[np.int64], Latents, Latents] | None = None  # ids, unit rows, what all have in common

    def __contains__(self, place_id: int) -> bool:
        return place_id in self._known

    def add(self, ids: Sequence[int], descriptors: Latents) -> None:
        """Of places (n,): (n, k)."""
        self._known.update(zip(ids, descriptors.astype(np.float16), strict=True))
        self._table = None

    def drop(self, ids: Collection[int]) -> None:
        """Places that are no more."""
        for place_id in ids:
            self._known.pop(place_id, None)
        self._table = None

    def clear(self) -> None:
        """Those of another camera say nothing."""
        self._known.clear()
        self._table = None

    def likeness(self, descriptors: Latents) -> tuple[NDArray[np.int64], Latents]:
        """Ids (n,) of all places that have one, and how much like each of `descriptors` (q, k) theirs are, (q, n): the
        cosine, once what all have in common is taken off."""
        if not self._known:
            return np.zeros(0, np.int64), np.zeros((len(descriptors), 0), np.float32)
        if self._table is None:
            rows = np.stack(list(self._known.values())).astype(np.float32)
            common = rows.mean(axis=0)
            self._table = np.array(list(self._known)), _unit(rows - common), common
        ids, rows, common = self._table
        return ids, _unit(descriptors - common) @ rows.T


def _unit(rows: Latents) -> Latents:
    return np.asarray(rows / (np.linalg.norm(rows, axis=-1, keepdims=True) + 1e-9), np.float32)
