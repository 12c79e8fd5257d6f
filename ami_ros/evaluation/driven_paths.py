"""How long a robot needs at least from one pose to another, by where it was ever seen to stand: for evaluation only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ami_ros.geometry import Array, wrap

CELL = 0.05  # [m]
REACH = 2  # cells around a pose that count as free, too: the robot is wider than they are
LEG = 0.5  # [m] of the way that tell its direction at either end
# Steps of a knight beside those of a king: ways are at most 3 % longer than the shortest.
_MOVES = ((0, 1), (1, 0), (1, 1), (1, -1), (1, 2), (2, 1), (1, -2), (2, -1))


class DrivenPaths:
    """Shortest ways through the cells that the robot has driven in, and the time they take at a given pace.

    Args:
        poses: (n, 3) true poses of one world, of all that is known of it.
        linear: pace along the way [m/s].
        angular: of turns on the spot before and after it [rad/s].
    """

    def __init__(self, poses: Array, linear: float, angular: float) -> None:
        self.linear, self.angular = linear, angular
        self._origin = poses[:, :2].min(0) - (REACH + 1) * CELL
        cells = np.unique(self._cells(poses), axis=0)
        free = np.zeros(cells.max(0) + REACH + 3, bool)
        for di in range(-REACH, REACH + 1):
            for dj in range(-REACH, REACH + 1):
                if di * di + dj * dj <= REACH * REACH:
                    free[cells[:, 0] + di, cells[:, 1] + dj] = True
        self._shape = free.shape
        number = np.arange(free.size).reshape(free.shape)
        i, j = np.nonzero(free)
        rows, columns, lengths = [], [], []
        for di, dj in _MOVES:
            a, b = i + di, j + dj
            inside = (a < free.shape[0]) & (b >= 0) & (b < free.shape[1])
            a, b, start = a[inside], b[inside], number[i[inside], j[inside]]
            there = free[a, b]
            rows.append(start[there])
            columns.append(number[a[there], b[there]])
            lengths.append(np.full(int(there.sum()), np.hypot(di, dj) * CELL))
        ends = (np.concatenate(rows), np.concatenate(columns))
        self._graph = coo_array((np.concatenate(lengths), ends), shape=(free.size, free.size)).tocsr()

    def times(self, start: Array, goals: Array) -> Array:
        """Least times (k,) [s] from `start` (3,) to each of `goals` (k, 3), all of them among the poses given.

        Turn into the way, drive it, turn into the goal's heading; near goals backwards, where that is shorter. inf
        where no way is known.
        """
        first = self._number(start[None])[0]
        lengths, before = dijkstra(self._graph, directed=False, indices=first, return_predecessors=True)
        found = []
        for goal, last in zip(goals, self._number(goals), strict=True):
            if not np.isfinite(lengths[last]):
                found.append(np.inf)
                continue
            found.append(self._time(start, goal, self._way(before, first, last), float(lengths[last])))
        return np.array(found)

    def _time(self, start: Array, goal: Array, way: Array, length: float) -> float:
        turned = abs(float(wrap(goal[2] - start[2])))
        if length < 2 * CELL:
            return turned / self.angular + length / self.linear
        leg = min(len(way) - 1, round(LEG / CELL))
        leaves, arrives = way[leg] - way[0], way[-1] - way[-1 - leg]
        out = wrap(np.arctan2(leaves[1], leaves[0]) - start[2])
        into = wrap(goal[2] - np.arctan2(arrives[1], arrives[0]))
        turns = np.abs([out, into]).sum()
        if length < 2 * LEG:
            turns = min(turns, np.abs(wrap([out + np.pi, into - np.pi])).sum())
        return float(turns / self.angular + length / self.linear)

    def _way(self, before: NDArray[np.int32], first: int, last: int) -> Array:
        cells = [last]
        while cells[-1] != first:
            cells.append(int(before[cells[-1]]))
        return CELL * np.column_stack(np.divmod(np.array(cells[::-1]), self._shape[1]))

    def _cells(self, poses: Array) -> NDArray[np.int64]:
        return np.floor((poses[:, :2] - self._origin) / CELL).astype(np.int64)

    def _number(self, poses: Array) -> NDArray[np.int64]:
        i, j = self._cells(poses).T
        return np.asarray(i * self._shape[1] + j)
