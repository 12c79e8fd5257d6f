"""Ways between places as columns that read like a dictionary of `Edge`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ami_ros.memory.columns import Columns
from ami_ros.memory.rows import EDGES, Edge, edge_of, edge_values


class EdgeTable(Mapping[tuple[int, int], Edge]):
    """Edges by (start, stop). Putting one is O(1) amortised."""

    def __init__(self) -> None:
        self._columns = Columns(edges=EDGES)
        self._row_of: dict[tuple[int, int], int] = {}
        self.failed: set[tuple[int, int]] = set()  # keys of those with failures

    @property
    def columns(self) -> NDArray[np.void]:
        """(n,) with the fields of `EDGES`."""
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
        """Adds many (n,) with the fields of `EDGES`, none of whose ends are known."""
        first = len(self)
        self._columns.extend(len(edges), edges=edges)
        keys = zip(edges["start"].tolist(), edges["stop"].tolist(), strict=True)
        self._row_of |= {key: first + k for k, key in enumerate(keys)}
        again = edges[edges["failures"] > 0]
        self.failed |= set(zip(again["start"].tolist(), again["stop"].tolist(), strict=True))

    def drop(self, ids: Iterable[int]) -> None:
        """Removes every edge at one of the places."""
        gone, edges = np.fromiter(ids, np.int64), self.columns
        self._columns.keep(~(np.isin(edges["start"], gone) | np.isin(edges["stop"], gone)))
        edges = self.columns
        keys = zip(edges["start"].tolist(), edges["stop"].tolist(), strict=True)
        self._row_of = {key: k for k, key in enumerate(keys)}
        self.failed &= self._row_of.keys()

    def driven(self) -> NDArray[np.int64]:
        """Place ids (m, 2) of the ways that were driven."""
        edges = self.columns
        edges = edges[edges["traversals"] > 0]
        return np.column_stack([edges["start"], edges["stop"]])
