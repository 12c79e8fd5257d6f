"""The cells of a grid as a graph, whose edges cost what it takes to drive from one to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # scipy is large, and not every process needs ways
    from scipy.sparse import csr_array

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
    from scipy.sparse import coo_array

    nx, ny = free.shape
    number, rows, columns, costs = np.arange(nx * ny).reshape(nx, ny), [], [], []
    for di, dj in moves:
        here = (slice(None, -di or None), slice(None, -dj or None) if dj >= 0 else slice(-dj, None))
        there = (slice(di, None), slice(dj, None) if dj >= 0 else slice(None, dj))
        both = free[here] & free[there]
        rows.append(number[here][both])
        columns.append(number[there][both])
        length = np.hypot(di, dj) * cell  # a number of NumPy, so that costs are float64 whatever prices are
        costs.append(np.full(both.sum(), length) if price is None else length * (price[here] + price[there])[both] / 2)
    r, c, w = (np.concatenate(v) for v in (rows, columns, costs))
    return coo_array((np.r_[w, w], (np.r_[r, c], np.r_[c, r])), shape=(nx * ny, nx * ny)).tocsr()


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
