"""Nearest neighbours among many vectors: an inverted file (Sivic & Zisserman 2003), exact while there are few.

Vectors are grouped around centroids; a search looks into the groups nearest to the query, and there at every vector
in full precision. It is derived from the vectors alone and built in a fraction of a second, so it is never stored:
there is nothing to go stale, to be damaged, or to keep what was to be forgotten.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

_BLOCK = 8192  # vectors compared with all centroids at once
_ROUNDS = 4  # of k-means
_SAMPLE = 30  # vectors a centroid to learn from


@dataclass(frozen=True)
class VectorIndexConfig:
    """When to approximate, and how well."""

    exact_up_to: int = 20_000  # places that are all compared; above, only those in groups near the query
    probes: int = 16  # groups to look into; more find more


class VectorIndex:
    """Groups the rows of an array that its owner keeps and only appends to, but for `keep`.

    The newest rows belong to no group yet and are always compared; appending is O(1) amortised.
    """

    def __init__(self, config: VectorIndexConfig) -> None:
        self.config = config
        self._centroids: Vectors = np.zeros((0, 0), np.float32)
        self._group_of: NDArray[np.int32] = np.zeros(0, np.int32)  # of each grouped row
        self._rows: Rows = np.zeros(0, np.int64)  # grouped rows, group by group ...
        self._starts: Rows = np.zeros(1, np.int64)  # ... and where each group begins
        self._learned = 0  # rows that the centroids were made for

    def search(self, vectors: Vectors, query: Vectors, count: int) -> tuple[Rows, Vectors]:
        """The `count` rows with the greatest inner product, best first, and those products.

        Args:
            vectors: (n, d), of unit length.
            query: (d,).
            count: at least 1; all rows are returned if there are fewer.
        """
        if len(vectors) <= self.config.exact_up_to:
            return best_rows(vectors @ query, count)
        self._group(vectors)
        score = self._centroids @ query
        groups = np.argpartition(-score, self.config.probes)[: self.config.probes]
        near = [self._rows[self._starts[g] : self._starts[g + 1]] for g in groups]
        rows = np.concatenate([*near, np.arange(len(self._group_of), len(vectors))])
        if len(rows) < count:  # groups are uneven
            return best_rows(vectors @ query, count)
        best, scores = best_rows(vectors[rows] @ query, count)
        return rows[best], scores

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """The owner drops all rows but those where `kept` (n,) is true."""
        self._arrange(self._group_of[kept[: len(self._group_of)]])

    def _group(self, vectors: Vectors) -> None:
        """Puts new rows into groups, once there are many."""
        if len(vectors) > 2 * self._learned:
            self._learn(vectors)
            self._arrange(nearest_centroids(vectors, self._centroids))
        elif len(vectors) - len(self._group_of) > self.config.exact_up_to // 4:
            new = nearest_centroids(vectors[len(self._group_of) :], self._centroids)
            self._arrange(np.concatenate([self._group_of, new]))

    def _arrange(self, group_of: NDArray[np.int32]) -> None:
        self._group_of = group_of
        self._rows = np.argsort(group_of, kind="stable")
        self._starts = np.searchsorted(group_of[self._rows], np.arange(len(self._centroids) + 1))

    def _learn(self, vectors: Vectors) -> None:
        """Spherical k-means on a sample."""
        rng = np.random.default_rng(0)
        size = max(self.config.probes + 1, int(2 * np.sqrt(len(vectors))))
        sample = vectors[rng.choice(len(vectors), min(len(vectors), _SAMPLE * size), replace=False)]
        centroids = sample[:size]
        for _ in range(_ROUNDS):
            sums = np.zeros_like(centroids)
            np.add.at(sums, nearest_centroids(sample, centroids), sample)
            length = np.linalg.norm(sums, axis=1, keepdims=True)
            centroids = np.where(length > 1e-6, sums / np.maximum(length, 1e-6), centroids)
        self._centroids, self._learned = centroids, len(vectors)


def best_rows(scores: NDArray, count: int) -> tuple[Rows, NDArray]:
    """Rows of the `count` greatest scores (n,), best first, and the scores."""
    rows = np.argpartition(-scores, count - 1)[:count] if len(scores) > count else np.arange(len(scores))
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    return rows, scores[rows]


def nearest_centroids(vectors: Vectors, centroids: Vectors) -> NDArray[np.int32]:
    """Number (n,) of the centroid (k, d) nearest to each vector (n, d)."""
    nearest = np.zeros(len(vectors), np.int32)
    for start in range(0, len(vectors), _BLOCK):
        nearest[start : start + _BLOCK] = np.argmax(vectors[start : start + _BLOCK] @ centroids.T, axis=1)
    return nearest
