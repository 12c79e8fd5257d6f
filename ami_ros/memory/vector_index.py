"""Nearest neighbours among many vectors: an inverted file (Sivic & Zisserman 2003), exact while there are few.

Vectors are grouped around centroids; a search looks into the groups nearest to the query, and there at every vector
in full precision. It is derived from the vectors alone, so it is never stored: there is nothing to go stale, to be
damaged, or to keep what was to be forgotten. Groups are made in the background; until then all vectors are compared.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]

_BLOCK = 8192  # vectors compared with all centroids at once


@dataclass(frozen=True)
class VectorIndexConfig:
    """When to approximate, and how well."""

    exact_up_to: int = 20_000  # places that are all compared; above, only those in groups near the query
    probes: int = 16  # groups to look into; more find more


@dataclass(frozen=True)
class Groups:
    """Rows by the centroid that is nearest to their vector."""

    centroids: Vectors  # (k, d)
    learned: int  # rows that the centroids were made for
    group_of: NDArray[np.int32]  # (n,) of each grouped row
    rows: Rows  # (n,) grouped rows, group by group ...
    starts: Rows  # (k + 1,) ... and where each group begins

    @classmethod
    def of(cls, centroids: Vectors, learned: int, group_of: NDArray[np.int32]) -> Groups:
        """Puts rows in order."""
        rows = np.argsort(group_of, kind="stable")
        sizes = np.bincount(group_of, minlength=len(centroids))
        return cls(centroids, learned, group_of, rows, np.concatenate([[0], np.cumsum(sizes)]))

    def near(self, query: Vectors, probes: int) -> Rows:
        """The rows in the `probes` groups nearest to a query (d,)."""
        chosen = np.argpartition(-(self.centroids @ query), probes)[:probes]
        return np.concatenate([self.rows[self.starts[g] : self.starts[g + 1]] for g in chosen])


class VectorIndex:
    """Groups the rows of an array that its owner keeps and only appends to, but for `keep`.

    The newest rows belong to no group yet and are always compared; appending is O(1) amortised. Not thread-safe: the
    thread in the background only hands over what it has made.
    """

    def __init__(self, config: VectorIndexConfig) -> None:
        self.config = config
        self._groups: Groups | None = None
        self._made: list[Groups] = []  # handed over by the thread, which ends then
        self._thread: threading.Thread | None = None

    def search(self, vectors: Vectors, query: Vectors, count: int) -> tuple[Rows, Vectors]:
        """The `count` rows with the greatest inner product, best first, and those products.

        Args:
            vectors: (n, d), of unit length.
            query: (d,).
            count: at least 1; all rows are returned if there are fewer.
        """
        groups = self._current(vectors) if len(vectors) > self.config.exact_up_to else None
        if groups is None:
            return best_rows(vectors @ query, count)
        rows = groups.near(query, self.config.probes)
        grouped = len(groups.group_of)
        if len(rows) + len(vectors) - grouped < count:  # groups are uneven
            return best_rows(vectors @ query, count)
        best, scores = best_rows(np.concatenate([vectors[rows] @ query, vectors[grouped:] @ query]), count)
        return np.concatenate([rows, np.arange(grouped, len(vectors))])[best], scores

    def wait(self) -> None:
        """Waits until the groups that are being made are there."""
        if self._thread is not None:
            self._thread.join()

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """The owner drops all rows but those where `kept` (n,) is true."""
        self._thread, self._made = None, []  # what is being made is of rows that were renumbered
        if (groups := self._groups) is not None:
            group_of = groups.group_of[kept[: len(groups.group_of)]]
            self._groups = Groups.of(groups.centroids, groups.learned, group_of)

    def _current(self, vectors: Vectors) -> Groups | None:
        """The newest groups; others are made in the background once there are many rows in none."""
        if self._thread is not None and not self._thread.is_alive():
            self._groups = self._made[0] if self._made else self._groups
            self._thread, self._made = None, []
        old = self._groups
        learn = old is None or len(vectors) > 2 * old.learned
        grouped = 0 if old is None or learn else len(old.group_of)
        if self._thread is None and len(vectors) - grouped > self.config.exact_up_to // 4:
            arguments = vectors, None if learn else old, self.config, self._made
            self._thread = threading.Thread(target=_make_groups, args=arguments, name="vector index", daemon=True)
            self._thread.start()
        return old


def _make_groups(vectors: Vectors, old: Groups | None, config: VectorIndexConfig, made: list[Groups]) -> None:
    """Groups all rows, by the centroids of `old` if there are any."""
    if old is None:
        centroids, learned = learn_centroids(vectors, config), len(vectors)
        grouped = nearest_centroids(vectors, centroids)
    else:
        centroids, learned = old.centroids, old.learned
        grouped = np.concatenate([old.group_of, nearest_centroids(vectors[len(old.group_of) :], centroids)])
    made.append(Groups.of(centroids, learned, grouped))


def learn_centroids(vectors: Vectors, config: VectorIndexConfig) -> Vectors:
    """Spherical k-means on a sample: (k, d)."""
    rng = np.random.default_rng(0)
    size = max(config.probes + 1, int(2 * np.sqrt(len(vectors))))
    sample = vectors[rng.choice(len(vectors), min(len(vectors), 30 * size), replace=False)]  # vectors a centroid
    centroids = sample[:size]
    for _ in range(4):  # of k-means
        nearest, one = nearest_centroids(sample, centroids), np.ones(len(sample), np.float32)
        sums = csr_matrix((one, (nearest, np.arange(len(sample)))), (size, len(sample))) @ sample
        length = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = np.where(length > 1e-6, sums / np.maximum(length, 1e-6), centroids)
    return centroids


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
