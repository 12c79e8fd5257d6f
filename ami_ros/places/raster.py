"""Cells around many points at once, into which places are drawn: what is asked about grows with a building, and each
answer has to be cheap.

OpenCV is imported where it is used: a mission of given goals does without its 30 MB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array

MANY = 2000  # points from which on a raster costs less
CELL, MOST_CELLS = 0.2, 2**22  # [m] side of its cells, and how many it has at most
BEYOND = 5.0  # [m] around the points over which it reaches


class Raster:
    """Cells around `points` (k, 2), shape (nx, ny), from `low` (2,) [m] on."""

    def __init__(self, low: Array, shape: tuple[int, int], points: Array) -> None:
        self._low, self._shape, self._points = low, shape, points
        self._at = self._cells(points)

    @classmethod
    def of(cls, points: Array) -> Raster | None:
        """None: they are few, or too far apart."""
        if len(points) < MANY:
            return None
        low = points.min(axis=0) - BEYOND - CELL / 2  # points of a lattice of such cells are in their middles
        nx, ny = (int(n) + 1 for n in (points.max(axis=0) + BEYOND - low) / CELL)
        return None if nx * ny > MOST_CELLS else cls(low, (nx, ny), points)

    def cell_gaps(self, others: Array) -> Array:
        """Distance (k,) [m] of the cell of each point from the nearest one with some of `others` (n, 2)."""
        import cv2

        empty, inside = self._without(others)
        if not len(inside):
            return np.full(len(self._at), np.inf)
        return np.asarray(cv2.distanceTransform(empty, cv2.DIST_L2, 5).reshape(-1)[self._at] * np.float64(CELL))

    def gaps(self, others: Array) -> Array:
        """Distance (k,) [m] of each point from the one of `others` (n, 2) whose cell is nearest."""
        import cv2

        empty, inside = self._without(others)
        if not len(inside):
            return np.full(len(self._at), np.inf)
        _, label = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        nearest = np.zeros((label.max() + 1, 2))
        nearest[label.reshape(-1)[self._cells(inside)]] = inside
        return np.asarray(np.hypot(*(self._points - nearest[label.reshape(-1)[self._at]]).T))

    def _without(self, others: Array) -> tuple[NDArray[np.uint8], Array]:
        """Which cells have none of `others` (n, 2), and those of them that are inside."""
        empty, inside = np.ones(self._shape, np.uint8), others[self._is_inside(others)]
        empty.reshape(-1)[self._cells(inside)] = 0
        return empty, inside

    def _is_inside(self, others: Array) -> NDArray[np.bool_]:
        x, y = ((others - self._low) / CELL).T
        return np.asarray((x >= 0.0) & (y >= 0.0) & (x < self._shape[0]) & (y < self._shape[1]))

    def _cells(self, points: Array) -> NDArray[np.int64]:
        cells = np.floor((points - self._low) / CELL).astype(np.int64)
        return np.asarray(cells[:, 0] * self._shape[1] + cells[:, 1])

    def near(self, others: Array, values: Array, reach: float) -> Array:
        """For each point the sum (k,) of the `values` (n,) of `others` (n, 2), weighed by a Gaussian of their distance
        that has the deviation `reach` [m]."""
        import cv2

        inside = self._is_inside(others)
        drawn = np.zeros(self._shape, np.float32)
        np.add.at(drawn.reshape(-1), self._cells(others[inside]), values[inside])
        spread = reach / CELL
        blurred = cv2.GaussianBlur(drawn, (0, 0), spread, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred.reshape(-1)[self._at] * (2 * np.pi * spread**2), np.float64)
