"""Whether the robot makes progress."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array, wrap

STILL_SECONDS = 4.0  # [s] within which the base must move
STILL_DISTANCE = 0.08  # [m] less is standing, unless it turns
STILL_ANGLE = 0.35  # [rad] less is not turning
STALL_DISTANCE = 0.15  # [m] by which it must shrink


@dataclass(frozen=True)
class ProgressConfig:
    """When to call it stuck."""

    stall_seconds: float = 12.0  # [s] without progress until it is stuck; smaller recovers sooner, and needlessly


class ProgressChecker:
    """Watches motion (pushing against something) and the route left (circling)."""

    def __init__(self, config: ProgressConfig) -> None:
        self.config = config
        self.reset()

    def reset(self) -> None:
        """Begins anew, as after a recovery."""
        self._trail: deque[tuple[float, Array]] = deque()
        self._best = np.inf
        self._best_stamp: float | None = None

    def stuck(self, stamp: float, odometry: Array, left: float) -> str:
        """The reason why the robot counts as stuck, or nothing.

        Args:
            stamp: now [s].
            odometry: (3,) now.
            left: way left [m].
        """
        config = self.config
        self._trail.append((stamp, odometry))
        while self._trail and stamp - self._trail[0][0] > STILL_SECONDS:
            self._trail.popleft()
        if self._best_stamp is None or left < self._best - STALL_DISTANCE:
            self._best, self._best_stamp = left, stamp
        if stamp - self._best_stamp > config.stall_seconds:
            return f"no progress towards the goal for {config.stall_seconds:.0f} s"
        if stamp - self._trail[0][0] > 0.9 * STILL_SECONDS:
            poses = np.stack([pose for _, pose in self._trail])
            moved = np.hypot(*(poses[:, :2] - odometry[:2]).T).max()
            turned = np.abs(wrap(poses[:, 2] - odometry[2])).max()
            if moved < STILL_DISTANCE and turned < STILL_ANGLE:
                return f"did not move for {STILL_SECONDS:.0f} s"
        return ""
