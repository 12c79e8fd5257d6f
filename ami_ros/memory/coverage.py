"""Of many points: which are near one another, and in which directions nobody has looked from there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, wrap

# Of many points those that are near one another: in a large building each has few, and all pairs would be millions.
#
# SciPy is imported where it is used: a mission of given goals does without its 30 MB.


def around(points: Array, others: Array, margin: float) -> NDArray[np.int64]:
    """Rows (m,) of `others` (n, 2) in the box that holds `points` (k, 2), with a margin [m]."""
    if not len(points):
        return np.zeros(0, np.int64)
    inside = np.ones(len(others), bool)
    for along, at in zip(points.T, others.T, strict=True):
        inside &= (at >= along.min() - margin) & (at <= along.max() + margin)
    return np.flatnonzero(inside)


def pairs_within(points: Array, others: Array, reach: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Rows (m,) of `points` (k, 2) and of `others` (n, 2) up to `reach` [m] apart, and how far they are (m,) [m]."""
    from scipy.spatial import cKDTree

    rows = around(points, others, reach)
    quick = {"balanced_tree": False, "compact_nodes": False}  # asked once: half of the time, of thousands of points
    trees = cKDTree(points, **quick), cKDTree(others[rows], **quick)
    near = trees[0].sparse_distance_matrix(trees[1], reach, output_type="ndarray")
    return near["i"], rows[near["j"]], near["v"]


def gaussian_sums(points: Array, others: Array, values: Array, deviation: float) -> Array:
    """For each of `points` (k, 2) the sum (k,) of the `values` (n,) of `others` (n, 2), weighed by a Gaussian of their
    distance that is 1 at none and has this deviation [m]."""
    # beyond 3.5 deviations a value counts less than one part in 400
    row, other, apart = pairs_within(points, others, 3.5 * deviation)
    found = np.exp(-np.square(apart / deviation) / 2) * values[other]
    return np.asarray(np.bincount(row, found, len(points)), np.float64)


# Cells around many points at once, into which places are drawn: what is asked about grows with a building, and each
# answer has to be cheap.
#
# OpenCV is imported where it is used: a mission of given goals does without its 30 MB.

CELL = 0.2  # [m] side of its cells, and how many it has at most
BEYOND = 5.0  # [m] around the points over which it reaches


class Raster:
    """Cells around `points` (k, 2), shape (nx, ny), from `low` (2,) [m] on."""

    def __init__(self, low: Array, shape: tuple[int, int], points: Array) -> None:
        self._low, self._shape, self._points = low, shape, points
        self._at = self._cells(points)

    @classmethod
    def of(cls, points: Array) -> Raster | None:
        """None: they are few, or too far apart."""
        if len(points) < 2000:  # a raster costs less from there on
            return None
        low = points.min(axis=0) - BEYOND - CELL / 2  # points of a lattice of such cells are in their middles
        nx, ny = (int(n) + 1 for n in (points.max(axis=0) + BEYOND - low) / CELL)
        return None if nx * ny > 2**22 else cls(low, (nx, ny), points)

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


# Which directions nobody has looked in yet: a picture is recognised only near where one was taken that shows the same.
#
# SciPy is imported where it is used: a mission of given goals does without its 30 MB.

DIRECTIONS = 12  # in which views are looked for
WANTED = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False)  # [rad] these
ASIDE = 0.6  # [rad] between a direction and that of a place that looks there, up to which it is seen


def missing_views(points: Array, places: Array, reach: float) -> Array:
    """Share (k,) of the directions in which no remembered place looks that is close by.

    Args:
        points: (k, 2) [m] in the map frame.
        places: (n, 3) likewise.
        reach: [m] from a point within which a place shows what can be seen from there.
    """
    return np.asarray(_unseen(points, places, reach).mean(axis=1))


def rough_missing_views(points: Array, places: Array, reach: float) -> Array:
    """As `missing_views`, of many points that have many places near them: within a cell of the raster."""
    if (raster := Raster.of(points)) is None:
        return missing_views(points, places, reach)
    columns = [np.abs(wrap(places[:, 2] - direction)) < ASIDE for direction in WANTED]
    return np.asarray(np.mean([raster.cell_gaps(places[column, :2]) >= reach for column in columns], axis=0))


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
    point, place, _ = pairs_within(points, places[:, :2], reach)
    k, way = np.nonzero(np.abs(wrap(WANTED - places[place, 2, None])) < ASIDE)
    found = np.ones((len(points), DIRECTIONS), bool)
    found[point[k], way] = False
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
    """As `gaps`, within 0.3 m, up to 5 m; farther off at least that."""
    raster = Raster.of(points)
    return gaps(points, others) if raster is None else raster.gaps(others)


def one_a_square(points: Array, side: float) -> NDArray[np.int64]:
    """Rows of `points` (n, 2+), one in each square of that side [m]."""
    x, y = np.floor(points[:, :2] / side).astype(np.int64).T
    return np.asarray(np.unique((x << 32) + y, return_index=True)[1])
