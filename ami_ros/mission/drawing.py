"""Draws scans into a grid: on the way, and while somebody moves; whoever has gone leaves no ghost.

Some scans are kept, each as seen from a place of memory. Where the belief jumps, as when a loop is closed, the grid is
drawn anew from them, where their places are now.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.mission.occupancy import Grid
from ami_ros.moving.footprints import Footprints
from ami_ros.moving.things import MovingThings
from ami_ros.planning.passing import without
from ami_ros.scan import Scan

GUESSED = 0.13  # share of a distance that is guessed from a picture, by which it errs; see models/ranges/card.md
DRAWN = 0.1  # [m] or [rad] of motion between two scans that are drawn
AGAIN, STANDING = 0.3, 1.0  # [s] between two scans of a robot that stands, while somebody moves and else
JUMP = 0.5  # [m] or [rad] by which the belief changes at once, after which the grid is drawn anew
KEPT, MOST_KEPT = 0.3, 2000  # [m] or [rad] of motion between two scans that are kept for that, and how many are
AT_ONCE = 25  # of them that are drawn with a new one
TELLS = 2.0  # [s] after a jump, within which memory tells where places are now


class Anchors(NamedTuple):
    """Places of memory that scans are tied to, in the frame of the grid."""

    here: int  # the id of the one where the robot is; 0: none
    ids: NDArray[np.int64]  # (n,)
    poses: Array  # (n, 3)

    def pose(self, place: int) -> Array | None:
        """(3,) of one; None: it was forgotten."""
        rows = np.flatnonzero(self.ids == place)
        return self.poses[rows[0]] if len(rows) else None


NOWHERE = Anchors(0, np.zeros(0, np.int64), np.zeros((0, 3)))


class _Kept(NamedTuple):
    place: int
    pose: Array  # (3,) from which the scan was taken, as seen from the place
    scan: Scan


class Drawing:
    """A grid of what scans show, in the frame of the poses that they are drawn at.

    Args:
        measured: whether a sensor measures scans; else they are guessed from pictures.
    """

    def __init__(self, measured: bool = True) -> None:
        self._doubt = 0.0 if measured else GUESSED
        self._kept: deque[_Kept] = deque(maxlen=MOST_KEPT)
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._grid: Grid | None = None
        self._footprints = Footprints()
        self._drawn: tuple[float, Array, Array] | None = None  # stamp [s], pose and odometry (3,) of the newest scan
        self._kept_at: Array | None = None  # (3,) where the newest was that is kept
        self._left = list(self._kept)  # that are not drawn again yet
        self._jumped = -math.inf, NOWHERE  # stamp [s] of the belief's jump, and what memory had told until then

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
        anchors: Anchors = NOWHERE,
    ) -> None:  # fmt: skip
        """Draws a `scan` that was taken at `stamp` [s] and `pose` (3,), if it shows anything new.

        Args:
            stamp: see above.
            pose: in the frame of the grid.
            odometry: (3,) of the same moment; where `pose` does not follow it, the grid is drawn anew.
            scan: in base_link; None: nothing is known.
            things: what moves, in odom; it is not drawn.
            anchors: as memory has them now.
        """
        if self._drawn is not None and max(pose_gap(self._expected(odometry), pose)) > JUMP:
            self._begin_anew()
            self._jumped = stamp, anchors
        self._draw_again(stamp, anchors)
        self._footprints.add(things, stamp, pose, odometry)
        left = self._footprints.discs()
        if scan is None or not self._is_due(stamp, pose, bool(len(left))):
            return
        seen = without(scan, things, odometry)
        assert seen is not None
        self._grid = self._grid or Grid(pose)
        self._grid.add(pose, seen, self._doubt)
        self._grid.clear(pose, seen, left)
        self._drawn = stamp, pose, odometry
        self._keep(stamp, pose, seen, anchors)

    def _keep(self, stamp: float, pose: Array, scan: Scan, anchors: Anchors) -> None:
        """Keeps a scan, if it is the first one near here and memory tells of a place to tie it to."""
        place = anchors.pose(anchors.here)
        is_told = not self._left and stamp - self._jumped[0] > TELLS
        if place is None or not is_told or (self._kept_at is not None and max(pose_gap(self._kept_at, pose)) < KEPT):
            return
        self._kept_at = pose
        self._kept.append(_Kept(anchors.here, relative(place, pose), scan))

    def _draw_again(self, stamp: float, anchors: Anchors) -> None:
        """Some of what was kept, where its places are now; those that were forgotten take theirs with them."""
        if anchors.poses is self._jumped[1].poses and 0.0 <= stamp - self._jumped[0] < TELLS:
            return
        for place, seen_from, scan in self._left[:AT_ONCE]:
            at = anchors.pose(place)
            if at is not None:
                pose = compose(at, seen_from)
                self._grid = self._grid or Grid(pose)
                self._grid.add(pose, scan, self._doubt)
        del self._left[:AT_ONCE]

    def _expected(self, odometry: Array) -> Array:
        """Where the robot is by odometry alone, since the newest scan."""
        assert self._drawn is not None
        return compose(self._drawn[1], relative(self._drawn[2], odometry))

    def _is_due(self, stamp: float, pose: Array, moves: bool) -> bool:
        if self._drawn is None:
            return True
        waits = AGAIN if moves else STANDING
        moved = float(max(pose_gap(self._drawn[1], pose)))
        return moved >= DRAWN or not 0.0 <= stamp - self._drawn[0] < waits
