"""Where something thin stands: returns that came from one spot again and again.

Beams that are farther apart than the leg of a table miss it more often than not, so `RecentScans` say that it was free
there. But what the leg returns comes from one spot for minutes, and what a walker returns for less than a step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array

CELL = 0.1  # [m]
STOOD = 1.2  # [s] from first to last return; a foot stands for 62 % of a stride (Perry and Burnfield 2010), slow: 1 s
PAUSE = 0.6  # [s] between two returns at most, until it is known to stand: later comes the next walker
REMEMBERED = 20.0  # [s] since the last return; longer: odometry has drifted by a cell
STRIDE = 1 << 20  # of the numbers of cells
AROUND = np.array([i * STRIDE + j for i in (-1, 0, 1) for j in (-1, 0, 1)])


class StandingSpots:
    """Cells of odom with returns, and from when to when they came."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets all."""
        self._cells = np.zeros(0, np.int64)  # (n,) sorted
        self._first = self._last = np.zeros(0)  # (n,) [s]

    def add(self, stamp: float, points: Array) -> None:
        """A scan met `points` (n, 2) in odom [m]."""
        met = np.unique(_numbers(points))
        recent = stamp - self._last < np.where(self._stands, REMEMBERED, PAUSE)
        cells, first, last = self._cells[recent], self._first[recent], self._last[recent]
        again = np.isin(cells, met, assume_unique=True)
        new = np.setdiff1d(met, cells[again], assume_unique=True)
        cells = np.concatenate([cells, new])
        order = cells.argsort()
        self._cells = cells[order]
        self._first = np.concatenate([first, np.full(len(new), stamp)])[order]
        self._last = np.concatenate([np.where(again, stamp, last), np.full(len(new), stamp)])[order]

    def stood(self, points: Array) -> NDArray[np.bool_]:
        """At which of `points` (n, 2) in odom [m], or beside them, something stood until now (n,)."""
        return np.asarray(np.isin(_numbers(points)[:, None] + AROUND, self._cells[self._stands]).any(1))

    @property
    def _stands(self) -> NDArray[np.bool_]:
        """In which cells something has stood for long enough (n,)."""
        return np.asarray(self._last - self._first > STOOD)


def _numbers(points: Array) -> NDArray[np.int64]:
    cells = np.floor(points / CELL).astype(np.int64)
    return np.asarray(cells[:, 0] * STRIDE + cells[:, 1])
