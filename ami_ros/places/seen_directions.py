"""Which directions nobody has looked in yet: a picture is recognised only near where one was taken that shows the same.

For many points at once, places are drawn into a raster: what is asked about grows with a building, and each answer
has to be cheap. SciPy and OpenCV are imported where they are used: a mission of given goals does without their 60 MB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, wrap

DIRECTIONS = 12  # in which views are looked for
WANTED = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False)  # [rad] these
MANY = 2000  # points from which on a raster costs less
CELL, MOST_CELLS = 0.2, 2**22  # [m] side of its cells, and how many it has at most
BEYOND = 5.0  # [m] around the points over which it reaches
ASIDE = 0.6  # [rad] between a direction and that of a place that looks there, up to which it is seen


def missing_views(points: Array, places: Array, reach: float) -> Array:
    """Share (k,) of the directions in which no remembered place looks that is close by.

    Args:
        points: (k, 2) [m] in the map frame.
        places: (n, 3) likewise.
        reach: [m] from a point within which a place shows what can be seen from there.
    """
    return np.asarray(_unseen(points, places, reach).mean(axis=1))


def shortest_sweep(pose: Array, places: Array, reach: float) -> float:
    """Angle [rad], to the left if positive, by which a robot at `pose` (3,) turns to look in all directions in which
    no place (n, 3) within `reach` [m] looks: the way round that is shorter; 0: none is missing."""
    unseen = WANTED[_unseen(pose[None, :2], places, reach)[0]]
    if not len(unseen):
        return 0.0
    left = (unseen - pose[2]) % (2 * np.pi)
    leftwards, rightwards = left.max() - ASIDE, 2 * np.pi - left.min() - ASIDE
    return float(max(leftwards, 0.0) if leftwards <= rightwards else -max(rightwards, 0.0))


def _unseen(points: Array, places: Array, reach: float) -> NDArray[np.bool_]:
    """Whether no place near each point looks in each direction (k, DIRECTIONS)."""
    if (raster := _Raster.of(points)) is not None:
        columns = [np.abs(wrap(places[:, 2] - direction)) < ASIDE for direction in WANTED]
        return np.column_stack([raster.cell_gaps(places[column, :2]) >= reach for column in columns])
    from scipy.spatial import cKDTree

    found = np.ones((len(points), DIRECTIONS), bool)
    for k, near in enumerate(cKDTree(places[:, :2]).query_ball_point(points, reach)):
        if near:
            found[k] = ~(np.abs(wrap(WANTED[:, None] - places[near, 2][None])) < ASIDE).any(axis=1)
    return found


def all_round(points: Array) -> Array:
    """Views (DIRECTIONS * k, 3) from `points` (k, 2), one in each direction."""
    turns = np.tile(WANTED, len(points))
    return np.column_stack([np.repeat(points, DIRECTIONS, axis=0), turns])


def gaps(points: Array, others: Array) -> Array:
    """Distance (k,) [m] of each point (k, 2) from the nearest of others (n, 2); inf without any."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(others).query(points)[0])


def rough_gaps(points: Array, others: Array) -> Array:
    """As `gaps`, within CELL, up to BEYOND; farther off at least that."""
    raster = _Raster.of(points)
    return gaps(points, others) if raster is None else raster.gaps(others)


class _Raster:
    """Cells around many points (k, 2)."""

    def __init__(self, low: Array, shape: tuple[int, int], points: Array) -> None:
        self._low, self._shape, self._points = low, shape, points
        self._at = self._cells(points)

    @classmethod
    def of(cls, points: Array) -> _Raster | None:
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
        empty, (x, y) = np.ones(self._shape, np.uint8), ((others - self._low) / CELL).T
        inside = others[(x >= 0.0) & (y >= 0.0) & (x < self._shape[0]) & (y < self._shape[1])]
        empty.reshape(-1)[self._cells(inside)] = 0
        return empty, inside

    def _cells(self, points: Array) -> NDArray[np.int64]:
        cells = np.floor((points - self._low) / CELL).astype(np.int64)
        return np.asarray(cells[:, 0] * self._shape[1] + cells[:, 1])
