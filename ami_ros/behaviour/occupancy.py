"""An occupancy grid of what scans showed, and how they are drawn into it on the way."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, compose, pose_gap, relative, transform_points
from ami_ros.core.scan import Scan, scan_points
from ami_ros.safety.moving_things import Footprints, MovingThings
from ami_ros.safety.recent_scans import Slack, looked
from ami_ros.safety.tracker import without_moving

Box = tuple[NDArray[np.int64], NDArray[np.int64]]  # the first cell (2,) of a rectangle, and that after the last one

CELL = 0.05  # [m]


@dataclass(frozen=True)
class GridConfig:
    """How a grid grows, and how much one beam counts."""

    side: int = 1600  # cells of a new grid: 80 m
    most_side: int = 4800  # cells, to which it grows
    more: int = 400  # cells by which it grows at once: 20 m; a multiple of those that are looked at together
    hit: float = 0.9  # log odds of a cell where a beam ends ...
    miss: float = 0.4  # ... less, of one that it goes through ...
    most: float = 6.0  # ... and at most
    reach: float = 7.0  # [m] of a beam that is drawn in
    surely: float = 2.0  # standard deviations of a distance before which a beam shows free space


@dataclass(frozen=True)
class DrawingConfig:
    """Which scans are drawn, and which are kept to be drawn anew."""

    guessed: float = 0.13  # share of a distance that is guessed from a picture, by which it errs; see models/ranges
    moved: float = 0.1  # [m] or [rad] of motion between two scans that are drawn
    waits: tuple[float, float] = (0.3, 1.0)  # [s] between two scans of a robot that stands: while somebody moves, else
    jump: float = 0.5  # [m] or [rad] by which the belief changes at once, after which the grid is drawn anew
    kept: float = 0.3  # [m] or [rad] of motion between two scans that are kept for that ...
    most_kept: int = 2000  # ... and how many are
    at_once: int = 25  # of them that are drawn with a new one
    tells: float = 2.0  # [s] after a jump, within which memory tells where places are now


class Grid:
    """Log odds (nx, ny) of being occupied, x first; it grows where the robot drives on.

    Args:
        middle: (2,) [m] of it at first; what lies beyond its edges is not known.
        config: see there.

    Attributes:
        odds: see above.
        middle: see above.
        zero: (2,) the cell that begins there.
        known: what was ever drawn to.
        changed: of that, what may have changed since `ground_of` last looked.
        ground: what that keeps.
    """

    def __init__(self, middle: Array | None = None, config: GridConfig = GridConfig()) -> None:
        self._config = config
        self.odds: NDArray[np.float32] = np.zeros((config.side, config.side), np.float32)
        self.middle = np.zeros(2) if middle is None else np.array(middle[:2], np.float64)
        self.zero = np.array([config.side // 2, config.side // 2])
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
        config = self._config
        angles, ranges = scan.angles, np.asarray(scan.ranges, np.float64)
        known = ~np.isnan(ranges)
        angles, ranges = angles[known], ranges[known]
        ends = np.minimum(np.where(np.isfinite(ranges), ranges, scan.max_range), config.reach)
        steps = np.arange(CELL / 2, config.reach, CELL)
        along = steps[None] * np.ones((len(ends), 1))
        inside = along < (ends * (1.0 - config.surely * doubt) - CELL)[:, None]
        way = np.stack([np.cos(angles)[:, None] * along, np.sin(angles)[:, None] * along], -1)[inside] + scan.origin
        free, _ = self._flat(transform_points(pose, way))
        points = scan_points(scan, config.reach)
        away = np.hypot(*(points - scan.origin).T)
        nearest = np.argsort(away)  # of several beams that end in one cell it counts
        hits, first = self._flat(transform_points(pose, points[nearest]))
        weight = config.hit * CELL / (CELL + 2 * doubt * away[nearest][first])
        flat = self.odds.reshape(-1)
        free = np.setdiff1d(free, hits)
        flat[free] = np.maximum(flat[free] - config.miss, -config.most)
        flat[hits] = np.minimum(flat[hits] + weight, config.most)
        self._note(np.concatenate([free, hits]))

    def clear(self, pose: Array, scan: Scan, discs: Array) -> None:
        """Of `discs` (n, 3), x, y, radius [m], what the scan looks through is free at once. Elsewhere it takes many
        looks, so that a wall outlasts poses that err."""
        found = [np.zeros((0, 2), np.int64)]
        for x, y, radius in discs:
            corners = self.cells(np.array([[x - radius, y - radius], [x + radius, y + radius]]))
            (left, bottom), (right, top) = corners[0], corners[1] + 1
            cells = np.argwhere(self.odds[left:right, bottom:top] > -self._config.miss) + corners[0]
            away = self.points(cells) - (x, y)
            found.append(cells[np.hypot(*away.T) < radius])
        doubtful = np.unique(np.concatenate(found), axis=0)
        seen = transform_points(relative(pose, np.zeros(3)), self.points(doubtful))
        gone = doubtful[looked(scan, seen, Slack(depth=CELL, aside=0.0, turn=0.0), 0.0)[0]]
        self.odds[gone[:, 0], gone[:, 1]] = -self._config.miss
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
        config = self._config
        near = config.reach + 1.0  # and where the scanner is
        low, high = self._beyond(pose[None, :2] - near)[0], self._beyond(pose[None, :2] + near)[0] + 1
        short = np.maximum(np.column_stack([-low, high - self.odds.shape]), 0)
        sides = -(-short // config.more) * config.more
        if not sides.any() or (self.odds.shape + sides.sum(axis=1)).max() > config.most_side:
            return
        self.odds, self.zero = np.pad(self.odds, sides), self.zero + sides[:, 0]
        for box in (self.known, self.changed):
            if box is not None:
                box[0][:] += sides[:, 0]
                box[1][:] += sides[:, 0]


def _around(box: Box | None, other: Box) -> Box:
    """The smallest one that holds both."""
    return other if box is None else (np.minimum(box[0], other[0]), np.maximum(box[1], other[1]))


class Anchors(NamedTuple):
    """Places of memory that scans are tied to, in the frame of the grid."""

    here: int = 0  # the id of the one where the robot is; 0: none
    ids: NDArray[np.int64] = np.zeros(0, np.int64)  # (n,)
    poses: Array = np.zeros((0, 3))  # (n, 3)

    def pose(self, place: int) -> Array | None:
        """(3,) of one; None: it was forgotten."""
        rows = np.flatnonzero(self.ids == place)
        return self.poses[rows[0]] if len(rows) else None


class _Kept(NamedTuple):
    place: int
    pose: Array  # (3,) from which the scan was taken, as seen from the place
    scan: Scan


class Drawing:
    """A grid of what scans show on the way, and while somebody moves, in the frame of the poses that they are drawn at.
    Whoever has gone leaves no ghost.

    Some scans are kept, each as seen from a place of memory. Where the belief jumps, as when a loop is closed, the grid
    is drawn anew from them, where their places are now.

    Args:
        measured: whether a sensor measures scans; else they are guessed from pictures.
        config: see there.
    """

    def __init__(self, measured: bool = True, config: DrawingConfig = DrawingConfig()) -> None:
        self._doubt, self._config = 0.0 if measured else config.guessed, config
        self._kept: deque[_Kept] = deque(maxlen=config.most_kept)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._grid: Grid | None = None
        self._footprints = Footprints()
        self._drawn: tuple[float, Array, Array] | None = None  # stamp [s], pose and odometry (3,) of the newest scan
        self._kept_at: Array | None = None  # (3,) where the newest was that is kept
        self._left = list(self._kept)  # that are not drawn again yet
        self._jumped = -math.inf, Anchors()  # stamp [s] of the belief's jump, and what memory had told until then

    @property
    def grid(self) -> Grid | None:
        """None before the first scan, and while it is drawn anew."""
        return None if self.is_drawn_anew else self._grid

    @property
    def is_drawn_anew(self) -> bool:
        """Whether scans from before a jump are still to be drawn."""
        return bool(self._left)

    def draw(
        self, stamp: float, pose: Array, odometry: Array, scan: Scan | None, things: MovingThings | None,
        anchors: Anchors | None = None,
    ) -> None:  # fmt: skip
        """Draws a `scan` that was taken at `stamp` [s] and `pose` (3,), if it shows anything new.

        Args:
            stamp: see above.
            pose: in the frame of the grid.
            odometry: (3,) of the same moment; where `pose` does not follow it, the grid is drawn anew.
            scan: in base_link; None: nothing is known.
            things: what moves, in odom; it is not drawn.
            anchors: as memory has them now; None: it tells of none.
        """
        anchors = anchors or Anchors()
        config = self._config
        if self._drawn is not None:
            expected = compose(self._drawn[1], relative(self._drawn[2], odometry))
            if max(pose_gap(expected, pose)) > config.jump:
                self._begin_anew()
                self._jumped = stamp, anchors
        self._draw_again(stamp, anchors)
        self._footprints.add(things, stamp, pose, odometry)
        left = self._footprints.discs()
        if scan is None:
            return
        if self._drawn is not None:
            waits, moved = config.waits[0 if len(left) else 1], float(max(pose_gap(self._drawn[1], pose)))
            if moved < config.moved and 0.0 <= stamp - self._drawn[0] < waits:
                return
        seen = scan if things is None else without_moving(scan, odometry, things)
        self._grid = self._grid or Grid(pose)
        self._grid.add(pose, seen, self._doubt)
        self._grid.clear(pose, seen, left)
        self._drawn = stamp, pose, odometry
        self._keep(stamp, pose, seen, anchors)

    def _keep(self, stamp: float, pose: Array, scan: Scan, anchors: Anchors) -> None:
        """Keeps a scan, if it is the first one near here and memory tells of a place to tie it to."""
        place = anchors.pose(anchors.here)
        is_told = not self._left and stamp - self._jumped[0] > self._config.tells
        if (
            place is None
            or not is_told
            or (self._kept_at is not None and max(pose_gap(self._kept_at, pose)) < self._config.kept)
        ):
            return
        self._kept_at = pose
        self._kept.append(_Kept(anchors.here, relative(place, pose), scan))

    def _draw_again(self, stamp: float, anchors: Anchors) -> None:
        """Some of what was kept, where its places are now; those that were forgotten take theirs with them."""
        if anchors.poses is self._jumped[1].poses and 0.0 <= stamp - self._jumped[0] < self._config.tells:
            return
        for place, seen_from, scan in self._left[: self._config.at_once]:
            at = anchors.pose(place)
            if at is not None:
                pose = compose(at, seen_from)
                self._grid = self._grid or Grid(pose)
                self._grid.add(pose, scan, self._doubt)
        del self._left[: self._config.at_once]
