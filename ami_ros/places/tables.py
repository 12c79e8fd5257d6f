"""Tables as arrays that grow in place: a million rows are a dozen objects, not a million."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ami_ros.places.rows import WAYS, edge_of, edge_values
from ami_ros.places.types import Edge

FIRST = 64  # rows that there is room for at first


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
            self._arrays[name] = np.zeros((FIRST, *tail), dtype)

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
        self._row_of: dict[tuple[int, int], int] = {}
        self.failed: set[tuple[int, int]] = set()  # keys of those with failures

    @property
    def columns(self) -> NDArray[np.void]:
        """(n,) with the fields of `WAYS`."""
        return self._columns["edges"]

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._row_of)

    def __contains__(self, key: object) -> bool:
        return key in self._row_of

    def __getitem__(self, key: tuple[int, int]) -> Edge:
        return edge_of(self.columns[self._row_of[key]].item())

    def put(self, edge: Edge) -> None:
        """Adds an edge, or replaces the one with its ends."""
        key = edge.start, edge.stop
        row = self._row_of.setdefault(key, len(self))
        if row == len(self):
            self._columns.extend(1)
        self.columns[row] = edge_values(edge)
        (self.failed.add if edge.failures else self.failed.discard)(key)

    def take(self, edges: NDArray[np.void]) -> None:
        """Adds many (n,) with the fields of `WAYS`, none of whose ends are known."""
        first = len(self)
        self._columns.extend(len(edges), edges=edges)
        keys = zip(edges["start"].tolist(), edges["stop"].tolist(), strict=True)
        self._row_of |= {key: first + k for k, key in enumerate(keys)}
        again = edges[edges["failures"] > 0]
        self.failed |= set(zip(again["start"].tolist(), again["stop"].tolist(), strict=True))

    def drop(self, ids: Iterable[int]) -> None:
        """Removes every edge at one of the places."""
        gone, edges = np.fromiter(ids, np.int64), self.columns
        self._keep(~(np.isin(edges["start"], gone) | np.isin(edges["stop"], gone)))

    def cut(self, start: int, stop: int) -> None:
        """Removes one edge, if it is there."""
        edges = self.columns
        self._keep((edges["start"] != start) | (edges["stop"] != stop))

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self._columns.keep(kept)
        edges = self.columns
        keys = zip(edges["start"].tolist(), edges["stop"].tolist(), strict=True)
        self._row_of = {key: k for k, key in enumerate(keys)}
        self.failed &= self._row_of.keys()

    def driven(self) -> NDArray[np.int64]:
        """Place ids (m, 2) of the ways that were driven."""
        edges = self.columns
        edges = edges[edges["traversals"] > 0]
        return np.column_stack([edges["start"], edges["stop"]])
