"""Who passes is no wall: scans without what moves, and for how long to wait for somebody who is in the way."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array, relative
from ami_ros.moving.things import MovingThings
from ami_ros.moving.tracker import without_moving
from ami_ros.planning.stopwatch import Stopwatch
from ami_ros.scan import Scan

BESIDE = 0.2  # [m] beyond the robot's and its own radius within which somebody is in the way ...
AHEAD = 1.3  # [m] ... up to this far from the robot: NEAR of blocked ways
PATIENCE = 8.0  # [s] of waiting for one who stands, after which it counts as what else stands in the way


def without(scan: Scan | None, things: MovingThings | None, odometry: Array) -> Scan | None:
    """The scan without who is there: beams that end at one of `things` (in odom) know nothing, what is behind neither.

    Args:
        scan: in base_link.
        things: what moves; None: nobody says.
        odometry: (3,) of the robot at the scan.
    """
    return scan if scan is None or things is None else without_moving(scan, odometry, things)


def _seen(things: MovingThings, odometry: Array) -> Array:
    """Their middles (n, 2) in base_link."""
    places = np.column_stack([things.positions, np.zeros(len(things.things))])
    return np.asarray(relative(np.broadcast_to(odometry, places.shape), places))[:, :2]


def in_the_way(things: MovingThings | None, odometry: Array, path: Array, radius: float) -> bool:
    """Whether somebody is in the way of a robot of `radius` [m] along `path` (n, 2) [m] in base_link, near ahead."""
    if things is None or not things.things or not len(path):
        return False
    middles = _seen(things, odometry)
    line = dense(np.concatenate([np.zeros((1, 2)), path]))
    line = line[np.hypot(*line.T) < AHEAD]
    gaps = np.hypot(*(middles[:, None] - line[None]).transpose(2, 0, 1)).min(axis=1) - things.radii
    return bool((gaps < radius + BESIDE).any())


def dense(path: Array) -> Array:
    """The same way with a point every 0.1 m."""
    lengths = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.arange(0.0, along[-1] + 0.05, 0.1)
    return np.column_stack([np.interp(at, along, path[:, axis]) for axis in (0, 1)])


class Yielding:
    """Whether `somebody` is in the way, and the robot `waits` for that, as long as it may."""

    def __init__(self) -> None:
        self._waited = Stopwatch()
        self.somebody = self.waits = False

    def update(self, stamp: float, somebody: bool) -> bool:
        """True while `somebody` is in the way, for PATIENCE at most: it waits, or goes round, and is not stuck."""
        self.somebody = somebody
        self.waits = somebody and self._waited.held(True, stamp) <= PATIENCE
        if not somebody:
            self._waited.restart()
        return self.waits
