"""Tables as arrays that grow in place: a million rows are a dozen objects, not a million."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ami_ros.memory.types import WAYS, Edge, edge_of, edge_values


class Columns:
    """Named arrays of one length; appending is O(1) amortised.

    Args:
        columns: name -> type of one row: a dtype, or (dtype, width).
    """

    def __init__(self, **columns: DTypeLike | tuple[DTypeLike, int]) -> None:
        self._count = 0
        self._arrays: dict[str, NDArray[Any]] = {}
        for name, kind in columns.items():
            dtype, tail = (kind[0], (kind[1],)) if isinstance(kind, tuple) else (kind, ())
            self._arrays[name] = np.zeros((64, *tail), dtype)  # rows that there is room for at first

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The rows of a column, for reading and writing; the next `extend` may leave it behind."""
        return self._arrays[name][: self._count]

    def extend(self, count: int, **values: Any) -> None:
        """Appends `count` rows; columns that are not given are zero."""
        start, stop = self._count, self._count + count
        for name, array in self._arrays.items():
            if stop > len(array):
                room = max(2 * len(array), stop)
                self._arrays[name] = grown = np.zeros((room, *array.shape[1:]), array.dtype)
                grown[:start] = array[:start]
            self._arrays[name][start:stop] = values.get(name, 0)
        self._count = stop

    def drop_last(self) -> None:
        """Drops the last row."""
        self._count -= 1

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drops all rows but those where `kept` (n,) is true; they keep their order."""
        count = int(kept.sum())
        for array in self._arrays.values():
            array[:count] = array[: self._count][kept]
        self._count = count


class EdgeTable(Mapping[tuple[int, int], Edge]):
    """Ways between places, as a dictionary of `Edge` by (start, stop). Putting one is O(1) amortised."""

    def __init__(self) -> None:
        self._columns = Columns(edges=WAYS)
        self.failed: set[tuple[int, int]] = set()  # keys of those with failures
        self._at: dict[int, list[int]] = {}  # what `at` answers, of each place that it was asked of
        self._sorted: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None  # of the others: place; other end, row

    @property
    def columns(self) -> NDArray[np.void]:
        """(n,) with the fields of `WAYS`."""
        return self._columns["edges"]

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        edges = self.columns
        return zip(edges["start"].tolist(), edges["stop"].tolist(), strict=True)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and self._row(*key) is not None

    def __getitem__(self, key: tuple[int, int]) -> Edge:
        row = self._row(*key)
        if row is None:
            raise KeyError(key)
        return edge_of(self.columns[row].item())

    def put(self, edge: Edge) -> None:
        """Adds an edge, or replaces the one with its ends."""
        key = edge.start, edge.stop
        row = self._row(*key)
        if row is None:
            row = len(self)
            self._note(*key, row)
            self._columns.extend(1)
        self.columns[row] = edge_values(edge)
        (self.failed.add if edge.failures else self.failed.discard)(key)

    def take(self, edges: NDArray[np.void]) -> None:
        """Adds many (n,) with the fields of `WAYS`, none of whose ends are known."""
        self._columns.extend(len(edges), edges=edges)
        self._unsort()
        again = edges[edges["failures"] > 0]
        self.failed |= set(zip(again["start"].tolist(), again["stop"].tolist(), strict=True))

    def drop(self, ids: Iterable[int]) -> None:
        """Removes every edge at one of the places."""
        gone, edges = np.fromiter(ids, np.int64), self.columns
        self._columns.keep(~(np.isin(edges["start"], gone) | np.isin(edges["stop"], gone)))
        self._unsort()
        self.failed = {key for key in self.failed if key in self}

    def cut(self, start: int, stop: int) -> None:
        """Removes one edge, if it is there; the last one takes its row."""
        row = self._row(start, stop)
        if row is None:
            return
        self.failed.discard((start, stop))
        self._forget(start, stop, row)
        last = len(self) - 1
        if row != last:
            ends = int(self.columns["start"][last]), int(self.columns["stop"][last])
            self._forget(*ends, last)
            self.columns[row] = self.columns[last]
            self._note(*ends, row)
        self._columns.drop_last()

    def at(self, place_id: int) -> list[int]:
        """Of the edges that begin or end at a place: the place at the other end, and the row, in turn."""
        found = self._at.get(place_id)
        if found is None:
            # What changes of a place is noted in its list, so the rows of places without one are as they were sorted.
            if self._sorted is None:  # places (2 n,), rising, each as often as it is the end of an edge
                ends = np.column_stack([self.columns["start"], self.columns["stop"]])
                order = np.argsort(ends.ravel(), kind="stable")
                others = np.column_stack([ends[:, ::-1].ravel()[order], order // 2])
                self._sorted = ends.ravel()[order], others
            places, others = self._sorted
            first, stop = np.searchsorted(places, (place_id, place_id + 1))
            found = self._at[place_id] = others[first:stop].ravel().tolist()
        return found

    def within(self, place_ids: Iterable[int]) -> NDArray[np.int64]:
        """Rows (m,) of the edges that begin or end at one of the places."""
        found = itertools.chain.from_iterable(self.at(place)[1::2] for place in place_ids)
        return np.unique(np.fromiter(found, np.int64))

    def around(self, place_ids: Iterable[int], most: int) -> list[int]:
        """These places, and others along edges from there, the fewest edges away first, up to so many in all."""
        found = dict.fromkeys(place_ids)
        waiting = deque(found)
        while waiting and len(found) < most:
            for other in self.at(waiting.popleft())[::2]:
                if other not in found:
                    found[other] = None
                    waiting.append(other)
        return list(found)

    def _row(self, start: int, stop: int) -> int | None:
        ends, starts = self.at(start), self.columns["start"]
        found = (
            row for other, row in zip(ends[::2], ends[1::2], strict=True) if other == stop and starts[row] == start
        )
        return next(found, None)

    def _unsort(self) -> None:
        """Rows are others than they were."""
        self._at, self._sorted = {}, None

    def _note(self, start: int, stop: int, row: int) -> None:
        self.at(start).extend((stop, row))
        self.at(stop).extend((start, row))

    def _forget(self, start: int, stop: int, row: int) -> None:
        for place in (start, stop):
            ends = self.at(place)
            k = 2 * ends[1::2].index(row)
            del ends[k : k + 2]

    def driven(self, first: int = 0) -> NDArray[np.int64]:
        """Place ids (m, 2) of the ways that were driven, from that row of the table on."""
        edges = self.columns[first:]
        were = edges["traversals"] > 0
        return np.column_stack([edges["start"][were], edges["stop"][were]])
