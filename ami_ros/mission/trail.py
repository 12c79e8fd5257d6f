"""The path that was just driven, by odometry: the only way back that is known to be free."""

from __future__ import annotations

from collections import deque

import numpy as np

from ami_ros.geometry import Array, relative, wrap

STEP, TURN = 0.03, 0.15  # [m], [rad] between poses that are kept
LENGTH = 120  # poses kept: some 3 m
JUMP = 0.5  # [m] from one moment to the next, from which odometry restarted


class Trail:
    """Poses (3,) in odom, the newest last."""

    def __init__(self) -> None:
        self.poses: deque[Array] = deque(maxlen=LENGTH)

    def add(self, odometry: Array) -> None:
        """The robot is at `odometry` (3,)."""
        if self.poses:
            step = odometry - self.poses[-1]
            distance = float(np.hypot(step[0], step[1]))
            if distance > JUMP:
                self.poses.clear()
            elif distance < STEP and abs(float(wrap(step[2]))) < TURN:
                return
        self.poses.append(np.array(odometry, dtype=np.float64))

    def back(self, odometry: Array, reach: float) -> Array | None:
        """Where to go next on the way back: a point (2,) in base_link `reach` [m] off; None at the trail's beginning.

        What lies nearer than half of `reach` is taken as passed, and dropped.
        """
        while self.poses:
            seen = relative(odometry, self.poses[-1])
            if np.hypot(seen[0], seen[1]) > reach / 2:
                break
            self.poses.pop()
        for pose in reversed(self.poses):
            seen = relative(odometry, pose)
            if np.hypot(seen[0], seen[1]) >= reach:
                return np.asarray(seen[:2])
        return np.asarray(relative(odometry, self.poses[0])[:2]) if self.poses else None
