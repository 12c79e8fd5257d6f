"""How odometry drifts: what was noted in odom a minute ago lies elsewhere there by now, and where it was on the map."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array, compose, inverse, pose_gap
from ami_ros.places.types import Location, map_to_odom

JUMP = 0.5, 0.5  # [m], [rad] by which the belief of where the robot is changes at once: then not odometry was wrong


class Drift:
    """Watches where the map's frame lies in odom."""

    def __init__(self) -> None:
        self._last: Array | None = None  # (3,) in odom

    def restart(self) -> None:
        """Odometry restarted."""
        self._last = None

    def update(self, location: Location | None, odometry: Array) -> Array | None:
        """What moves poses in odom (3,), composed with them from the left, to where they lie in odom now; None: nothing
        has to.

        Args:
            location: of the robot, by the newest belief.
            odometry: (3,) of it now.
        """
        if location is None or not location.localised:
            return None
        last, now = self._last, map_to_odom(location)
        self._last = now
        if last is None or np.array_equal(last, now):
            return None
        correction = compose(now, inverse(last))
        jumped = pose_gap(compose(correction, odometry), odometry)
        return None if np.greater(jumped, JUMP).any() else correction
