"""What a sensor beside the laser showed and cannot show any more: it came too near, under its view, or beside it."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array, inverse, transform_points
from ami_ros.safety.observations import one_a_cell
from ami_ros.safety.snapshot import Snapshot
from ami_ros.safety.vanished import ALIKE, BEHIND

FARTHEST = 2.0  # [m] from base_link, beyond which it is seen again before the robot comes there
MOST = 1000  # points, the nearest
FINE = 0.03  # [m] of cells, of which one point is kept


class PassedOver:
    """Keeps what stood where a depth camera does not look any more.

    It stays until the sensor sees through where it was, from far enough away to see all that stands there. Beside the
    view it stays for `memory` [s], like what goes out of a laser's view.
    """

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._points = np.zeros((0, 2))  # [m] in the gate's frame
        self._at = np.zeros(0)  # [s] when each was seen

    def look(self, points: Array, now: Snapshot) -> Array:
        """The sensor shows `points` (n, 2) [m] in base_link, and in `now` what is free; these, and those that it
        passes over (m, 2)."""
        self._forget(now)
        kept = transform_points(inverse(now.pose), self._points)
        near = points[np.hypot(*points.T) < FARTHEST]
        together = np.concatenate([transform_points(now.pose, near), self._points])
        at = np.append(np.full(len(near), now.stamp), self._at)
        few = one_a_cell(together, FINE)
        far = np.hypot(*(together[few] - now.pose[:2]).T)
        few = few[np.argsort(far)[:MOST]]
        self._points, self._at = together[few], at[few]
        return np.concatenate([points, kept])

    def _forget(self, now: Snapshot) -> None:
        """What has gone, is seen again, or is of no matter."""
        local = transform_points(inverse(now.pose), self._points)
        away, ranges, _, in_view = now.readings(self._points)
        gone = in_view & (away >= now.blind) & (ranges > away + BEHIND)
        gone |= ~in_view & (now.stamp - self._at > self._memory)
        gone |= in_view & (np.abs(ranges - away) < ALIKE)  # it is shown
        keep = ~gone & (np.hypot(*local.T) < FARTHEST)
        self._points, self._at = self._points[keep], self._at[keep]
