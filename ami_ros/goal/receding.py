"""What recedes as the robot drives to it, as a plain wall does that looks like the goal from everywhere."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.geometry import Array

NEARER, DRIVEN = 0.15, 0.6  # [m] that a goal has to come nearer while so many are driven ...
ARRIVING = 0.3  # [m] ... unless it is seen as near as this


class Receding:
    """Watches one thing that is driven to."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Something else is driven to."""
        self._nearest, self._way = math.inf, 0.0  # [m] that it was seen off at least, and that were driven since
        self._last: Array | None = None  # (3,) in odom, where it was seen last, if that was just now

    def update(self, odometry: Array, distance: float | None) -> bool:
        """Whether it stays as far off as it was, seen from `odometry` (3,) `distance` [m] off.

        None: it is not seen, and what is driven meanwhile tells nothing.
        """
        if distance is None:
            self._last = None
            return False
        if self._last is not None:
            self._way += float(np.hypot(*(odometry - self._last)[:2]))
        self._last = np.asarray(odometry)
        if distance <= max(ARRIVING, self._nearest - NEARER):
            self._nearest, self._way = distance, 0.0
        return self._way > DRIVEN
