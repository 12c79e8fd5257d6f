"""The cells of a grid as a graph, whose edges cost what it takes to drive from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array

if TYPE_CHECKING:
    from scipy.sparse import csr_array


# By how much the number of a neighbour is larger, cells (n,) that have such a one, and the costs (n,) of driving there.
Link = tuple[int, NDArray[np.int64], NDArray[np.float64]]
KING = ((0, 1), (1, 0), (1, 1), (1, -1))
# Steps of a knight beside those of a king: paths are at most 3 % longer than the shortest.
KNIGHT = (*KING, (1, 2), (2, 1), (1, -2), (2, -1))


def grid_graph(
    free: NDArray[np.bool_],
    cell: float,
    price: NDArray[np.float64] | None = None,
    moves: tuple[tuple[int, int], ...] = KING,
) -> csr_array:
    """Costs (nx * ny, nx * ny) between neighbouring cells: their distance, by the mean of their prices.

    Args:
        free: (nx, ny) cells that have edges.
        cell: side [m].
        price: (nx, ny) of a metre in each cell; None: 1.
        moves: steps to neighbours (di, dj) with di >= 0; each goes both ways.
    """
    nx, ny = free.shape
    number, links = np.arange(nx * ny).reshape(nx, ny), list[Link]()
    for di, dj in moves:
        here = (slice(None, -di or None), slice(None, -dj or None) if dj >= 0 else slice(-dj, None))
        there = (slice(di, None), slice(dj, None) if dj >= 0 else slice(None, dj))
        both = free[here] & free[there]
        rows, step = number[here][both], di * ny + dj
        length = np.hypot(di, dj) * cell  # a number of NumPy, so that costs are float64 whatever prices are
        costs = np.full(len(rows), length) if price is None else length * (price[here] + price[there])[both] / 2
        links += [(step, rows, costs), (-step, rows + step, costs)]
    return joined(nx * ny, links)


def joined(cells: int, links: Sequence[Link], first: tuple[NDArray[np.int64], Array] | None = None) -> csr_array:
    """A graph of cells.

    Args:
        cells: how many.
        links: see `Link`.
        first: if given, the cells (n,) that one more cell leads to, with the number `cells`, and the costs (n,).
    """
    from scipy.sparse import coo_array

    parts = [(rows, rows + step, costs) for step, rows, costs in links]
    if first is not None:
        parts.append((np.full(len(first[0]), cells), *first))
    n = cells + (first is not None)
    rows, columns, costs = (np.concatenate(part) for part in zip(*parts, strict=True))
    return coo_array((costs, (rows, columns)), shape=(n, n)).tocsr()


def largest_part(graph: csr_array, free: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells (nx, ny) of the largest connected part of those that are free."""
    from scipy.sparse.csgraph import connected_components

    _, label = connected_components(graph, directed=False)
    label = np.where(free.ravel(), label, -1)
    return np.asarray((label == np.bincount(label[label >= 0]).argmax()).reshape(free.shape))


def shortest_way(graph: csr_array, first: int, last: int) -> NDArray[np.int64]:
    """Numbers (n,) of the cells from `first` to `last`; none where there is no way."""
    from scipy.sparse.csgraph import dijkstra

    reach, before = dijkstra(graph, indices=first, return_predecessors=True)
    return cells_back(before, last) if np.isfinite(reach[last]) else np.zeros(0, np.int64)


def cells_back(before: NDArray[np.int32], last: int) -> NDArray[np.int64]:
    """Numbers (n,) of the cells up to `last`, from wherever Dijkstra's search began that gave predecessors `before`."""
    cells = [last]
    while before[cells[-1]] >= 0:
        cells.append(int(before[cells[-1]]))
    return np.array(cells[::-1])
