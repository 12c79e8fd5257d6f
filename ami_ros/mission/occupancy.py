"""An occupancy grid of what scans showed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative, transform_points
from ami_ros.moving.recent_scans import Slack, looked
from ami_ros.scan import Scan, scan_points

Box = tuple[NDArray[np.int64], NDArray[np.int64]]  # the first cell (2,) of a rectangle, and that after the last one

CELL = 0.05  # [m]
SIDE, MOST_SIDE = 1600, 4800  # cells of a new grid, 80 m, and of the largest
HIT, MISS, MOST = 0.9, 0.4, 6.0  # log odds
SURELY = 2.0  # standard deviations of a distance before which a beam shows free space
PAST = Slack(depth=CELL, aside=0.0, turn=0.0)  # by which a beam ends behind a cell that it goes through
MORE = 400  # cells by which it grows at once: 20 m; a multiple of those that are looked at together
REACH = 7.0  # of a beam that is drawn in [m]


class Grid:
    """Log odds (nx, ny) of being occupied, x first; it grows where the robot drives on, up to MOST_SIDE.

    Args:
        middle: (2,) [m] of it at first; what lies beyond its edges is not known.

    Attributes:
        odds: see above.
        middle: see above.
        zero: (2,) the cell that begins there.
        known: what was ever drawn to.
        changed: of that, what may have changed since `ground_of` last looked.
        ground: what that keeps.
    """

    def __init__(self, middle: Array | None = None) -> None:
        self.odds: NDArray[np.float32] = np.zeros((SIDE, SIDE), np.float32)
        self.middle = np.zeros(2) if middle is None else np.array(middle[:2], np.float64)
        self.zero = np.array([SIDE // 2, SIDE // 2])
        self.known: Box | None = None
        self.changed: Box | None = None
        self.ground: object = None

    def cells(self, points: Array) -> NDArray[np.int64]:
        """Of points (n, 2) [m]: (n, 2), the nearest ones of those that lie beyond the edges."""
        return np.clip(self._beyond(points), 0, np.array(self.odds.shape) - 1)

    def points(self, cells: NDArray[np.int64]) -> Array:
        """Middles (n, 2) [m] of cells (n, 2)."""
        return np.asarray((cells - self.zero + 0.5) * CELL + self.middle)

    def add(self, pose: Array, scan: Scan, doubt: float = 0.0) -> None:
        """Draws in a scan that was taken at `pose` (3,).

        Args:
            pose: see there.
            scan: see there.
            doubt: share of a distance by which it errs (one standard deviation): what stands there may as well stand
                before that or behind, so that it counts for less, and what is free ends before.
        """
        self._grow(pose)
        angles, ranges = scan.angles, np.asarray(scan.ranges, np.float64)
        known = ~np.isnan(ranges)
        angles, ranges = angles[known], ranges[known]
        ends = np.minimum(np.where(np.isfinite(ranges), ranges, scan.max_range), REACH)
        steps = np.arange(CELL / 2, REACH, CELL)
        along = steps[None] * np.ones((len(ends), 1))
        inside = along < (ends * (1.0 - SURELY * doubt) - CELL)[:, None]
        way = np.stack([np.cos(angles)[:, None] * along, np.sin(angles)[:, None] * along], -1)[inside] + scan.origin
        free, _ = self._flat(transform_points(pose, way))
        points = scan_points(scan, REACH)
        away = np.hypot(*(points - scan.origin).T)
        nearest = np.argsort(away)  # of several beams that end in one cell it counts
        hits, first = self._flat(transform_points(pose, points[nearest]))
        weight = HIT * CELL / (CELL + 2 * doubt * away[nearest][first])
        flat = self.odds.reshape(-1)
        free = np.setdiff1d(free, hits)
        flat[free] = np.maximum(flat[free] - MISS, -MOST)
        flat[hits] = np.minimum(flat[hits] + weight, MOST)
        self._note(np.concatenate([free, hits]))

    def clear(self, pose: Array, scan: Scan, discs: Array) -> None:
        """Of `discs` (n, 3), x, y, radius [m], what the scan looks through is free at once. Elsewhere it takes many
        looks, so that a wall outlasts poses that err."""
        found = [np.zeros((0, 2), np.int64)]
        for x, y, radius in discs:
            corners = self.cells(np.array([[x - radius, y - radius], [x + radius, y + radius]]))
            (left, bottom), (right, top) = corners[0], corners[1] + 1
            cells = np.argwhere(self.odds[left:right, bottom:top] > -MISS) + corners[0]
            away = self.points(cells) - (x, y)
            found.append(cells[np.hypot(*away.T) < radius])
        doubtful = np.unique(np.concatenate(found), axis=0)
        seen = transform_points(relative(pose, np.zeros(3)), self.points(doubtful))
        gone = doubtful[looked(scan, seen, PAST, 0.0)[0]]
        self.odds[gone[:, 0], gone[:, 1]] = -MISS
        self._note(gone @ [self.odds.shape[1], 1])

    def _beyond(self, points: Array) -> NDArray[np.int64]:
        return np.floor((points - self.middle) / CELL).astype(np.int64) + self.zero

    def _flat(self, points: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices (k,) of the cells of points (n, 2) [m] in all of them, and (k,) of the first point in each; what lies
        beyond the edges is left out."""
        cells = self._beyond(points)
        inside = np.flatnonzero(((cells >= 0) & (cells < self.odds.shape)).all(axis=1))
        flat, first = np.unique(cells[inside, 0] * self.odds.shape[1] + cells[inside, 1], return_index=True)
        return flat, inside[first]

    def _note(self, flat: NDArray[np.int64]) -> None:
        """That cells with such indices have changed."""
        if len(flat):
            cells = np.divmod(flat, self.odds.shape[1])
            box = np.array([c.min() for c in cells]), np.array([c.max() + 1 for c in cells])
            self.known, self.changed = _around(self.known, box), _around(self.changed, box)

    def _grow(self, pose: Array) -> None:
        """Makes room for what is drawn around `pose` (3,), and for some of the way on."""
        near = REACH + 1.0  # and where the scanner is
        low, high = self._beyond(pose[None, :2] - near)[0], self._beyond(pose[None, :2] + near)[0] + 1
        short = np.maximum(np.column_stack([-low, high - self.odds.shape]), 0)
        sides = -(-short // MORE) * MORE
        if not sides.any() or (self.odds.shape + sides.sum(axis=1)).max() > MOST_SIDE:
            return
        self.odds, self.zero = np.pad(self.odds, sides), self.zero + sides[:, 0]
        for box in (self.known, self.changed):
            if box is not None:
                box[0][:] += sides[:, 0]
                box[1][:] += sides[:, 0]


def _around(box: Box | None, other: Box) -> Box:
    """The smallest one that holds both."""
    return other if box is None else (np.minimum(box[0], other[0]), np.maximum(box[1], other[1]))
