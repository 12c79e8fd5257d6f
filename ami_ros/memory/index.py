"""The places in memory, as arrays, rows and squares; and the poses that a latent implies by those that it resembles."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.geometry import Array, compose, from_cos_sin, mean_pose, pose_gap
from ami_ros.memory.laser_model import place_model
from ami_ros.memory.records import PlaceColumns
from ami_ros.memory.tables import Columns
from ami_ros.memory.types import FACTS, PlaceRow
from ami_ros.memory.vector_index import VectorIndex, VectorIndexConfig

# The places in memory: as arrays, as a dictionary of rows, and by the square that they are in.

CELL = 4.0  # [m], side of a square

Latents = NDArray[np.float32]


class PlaceIndex:
    """Latents, contrastive keys, poses and numbers of all places, row by row; appending is O(1) amortised."""

    def __init__(self, model: Any, config: VectorIndexConfig | None = None) -> None:
        self.model = place_model(model)
        self._neighbours = VectorIndex(config or VectorIndexConfig())
        spec = self.model.spec
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
        self.removals = 0  # times that places were dropped, after which rows are others
        self._order: NDArray[np.int64] | None = None  # of rows by ids, where these do not rise
        self._is_sorted = True  # ids rise with rows, as they do unless a memory was merged in another order

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
        if self._is_sorted:
            return np.asarray(np.searchsorted(self.ids, place_ids))
        if self._order is None:
            self._order = np.argsort(self.ids, kind="stable")
        return np.asarray(self._order[np.searchsorted(self.ids, place_ids, sorter=self._order)])

    def query(self, latent: Latents) -> Latents:
        """What a latent (latent_dim,) is compared with keys as: (contrast_dim,), unit length."""
        return self.model.contrast.queries(latent[None])[0]

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
        self._is_sorted &= bool((np.diff(ids, prepend=self.ids[-1] if start else -1) > 0).all())
        keys = self.model.contrast.keys(np.asarray(latents, np.float32))
        self._order = None
        self._columns.extend(len(ids), id=ids, latent=latents, key=keys, pose=poses, **numbers)
        self._row_of |= {place_id: start + k for k, place_id in enumerate(np.asarray(ids).tolist())}

    def remove(self, ids: Collection[int]) -> None:
        """Drops places; the others keep their order."""
        self.removals += 1
        keep = ~np.isin(self.ids, np.fromiter(ids, np.int64, len(ids)))
        self._neighbours.keep(keep)
        self._columns.keep(keep)
        self._order = None
        self._row_of = {place_id: k for k, place_id in enumerate(self.ids.tolist())}


class Details(Mapping[int, PlaceRow]):
    """What is known of each place but pictures and experience, by id. Rows are copies: later changes do not reach them.

    Attributes:
        labels, notes: of the places that have one.
    """

    def __init__(self, index: PlaceIndex) -> None:
        self._index = index
        self.labels: dict[int, str] = {}
        self.notes: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._index)

    def __iter__(self) -> Iterator[int]:
        return iter(self._index.ids.tolist())

    def __contains__(self, place_id: object) -> bool:
        return isinstance(place_id, int) and place_id in self._index

    def __getitem__(self, place_id: int) -> PlaceRow:
        return self.of([place_id])[0]

    def of(self, ids: Sequence[int]) -> list[PlaceRow]:
        """Of many places at once; KeyError if one is unknown."""
        return [PlaceRow(*facts) for facts in self.facts(ids)]

    def facts(self, ids: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """The first fields of `PlaceRow`, up to `keep_away`, of many places; KeyError if one is unknown."""
        index, rows = self._index, np.array([self._index.row(place_id) for place_id in ids], np.int64)
        created, last_seen, visits, *moment = (index.column(name)[rows].tolist() for name in FACTS)
        texts = ([texts.get(place_id, "") for place_id in ids] for texts in (self.labels, self.notes))
        return zip(
            ids, index.latents[rows], index.poses[rows], created, last_seen, visits, *texts, *moment, strict=True
        )

    def columns(self, rows: NDArray[np.int64]) -> PlaceColumns:
        """Of many places, rows (k,), at once."""
        index = self._index
        columns = [index.ids[rows], *(index.column(name)[rows] for name in FACTS)]
        return PlaceColumns(index.latents[rows], index.poses[rows], columns, self.labels, self.notes)

    def change(self, row: PlaceRow) -> None:
        """A known place is as `row` says now; its latent and pose stay."""
        at = self._index.row(row.id)
        for name in ("created", "last_seen", "visits", "surprise", "keep_away"):
            self._index.column(name)[at] = getattr(row, name)
        self.name(row.id, row.label, row.note)

    def name(self, place_id: int, label: str, note: str) -> None:
        """Label and note of a place; empty: it has none."""
        for texts, text in ((self.labels, label), (self.notes, note)):
            if text:
                texts[place_id] = text
            else:
                texts.pop(place_id, None)


class Cells:
    """Which places are near a position, without looking at all of them: rows by the square that they are in."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], list[int]] = {}
        self._squares = Columns(square=(np.int64, 2))  # by row

    def near(self, positions: Array, position: Array, reach: float = CELL) -> NDArray[np.int64]:
        """Rows of all `positions` (n, 2) within `reach` [m] of `position` (2,), and of some farther ones.

        Its time does not depend on how many there are, but for those that are new.
        """
        squares = np.floor(positions[len(self._squares) :] / CELL).astype(np.int64)
        if len(squares):
            order = np.lexsort(squares.T)
            ends = np.flatnonzero((np.diff(squares[order], axis=0) != 0).any(1)) + 1
            places = (order + len(self._squares)).tolist()
            bounds = itertools.pairwise([0, *ends.tolist(), len(places)])
            for (first, stop), square in zip(bounds, squares[order[[0, *ends]]].tolist(), strict=True):
                self._rows.setdefault(tuple(square), []).extend(places[first:stop])
            self._squares.extend(len(squares), square=squares)
        (x, y), far = np.floor(np.asarray(position) / CELL).astype(np.int64).tolist(), int(np.ceil(reach / CELL))
        around = [(i, j) for i in range(x - far, x + far + 1) for j in range(y - far, y + far + 1)]
        return np.array([row for square in around for row in self._rows.get(square, ())], np.int64)

    def move(self, rows: NDArray[np.int64], positions: Array) -> None:
        """Places, rows (k,), are at `positions` (k, 2) now."""
        known = rows < len(self._squares)
        rows, squares, old = rows[known], np.floor(positions[known] / CELL).astype(np.int64), self._squares["square"]
        for k in np.flatnonzero((squares != old[rows]).any(1)).tolist():
            row = int(rows[k])
            self._rows[tuple(old[row].tolist())].remove(row)
            self._rows.setdefault(tuple(squares[k].tolist()), []).append(row)
            old[row] = squares[k]


@dataclass(frozen=True)
class Matches:
    """Hypotheses of one latent's pose."""

    rows: NDArray[np.int64]  # (k,) rows of the index
    weights: Array  # (k,) sum to at most 1; the rest speaks for a place that is not remembered
    poses: Array  # (k, 3) in the map frame
    distances: Array  # (k,) from the place to the hypothesis [m]; farther ones are less exact


@dataclass(frozen=True)
class Hypothesis:
    """One cluster of matches."""

    pose: Array  # (3,) in the map frame
    share: float  # of the weight of all matches [0, 1]


def match(index: PlaceIndex, latent: Latents, count: int = 24, reach: float = 0.7) -> Matches:
    """The best `count` places, and the pose that each implies through the relative-pose head.

    The weight of a place is its share under the InfoNCE critic, whose temperature makes scores log-likelihood
    ratios (arXiv 1807.03748), times a factor that falls with the distance that the head sees.

    Args:
        index: the places.
        latent: (latent_dim,).
        count: of places.
        reach: distance [m] at which that factor is 1/e.
    """
    rows, score = index.most_similar(latent, count)
    offsets = from_cos_sin(index.model.relative_pose(index.latents[rows], latent))
    logits = score.astype(np.float64) / index.model.contrast.temperature
    weights = np.exp(logits - logits.max(initial=-np.inf))
    distances = np.hypot(offsets[:, 0], offsets[:, 1])
    # Far away the head is drawn to the mean, as every regression is: such a place says only that this is no known one.
    weights *= np.exp(-((distances / reach) ** 2)) / weights.sum()
    return Matches(rows, weights, compose(index.poses[rows], offsets), distances)


def cluster(matches: Matches, radius: float = 0.6, angle: float = 0.6, most: int = 5) -> list[Hypothesis]:
    """Groups matches into hypotheses, best first.

    Args:
        matches: of one latent.
        radius: of a cluster [m].
        angle: of a cluster [rad].
        most: hypotheses to return.
    """
    poses, weights = matches.poses, matches.weights / (matches.weights.sum() + 1e-12)
    distance, turn = pose_gap(poses[:, None], poses[None])
    kernel = np.exp(-2 * (distance / radius) ** 2 - 2 * (turn / angle) ** 2)
    found: list[Hypothesis] = []
    while len(found) < most and weights.sum() > 0.02:
        centre = int(np.argmax(kernel @ weights * (weights > 0)))
        inside = (distance[centre] < radius) & (turn[centre] < angle)
        share = float(weights[inside].sum())
        found.append(Hypothesis(mean_pose(poses[inside], weights[inside] + 1e-12), share))
        weights[inside] = 0.0
    return found
