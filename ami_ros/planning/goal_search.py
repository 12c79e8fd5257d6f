"""Looking for a goal where the robot is: once around, on the spot."""

from __future__ import annotations

import math

from ami_ros.geometry import Array, wrap

SPEED = 1.1  # [rad/s] of turning: each look is then a quarter of what a camera sees from the last
SECONDS = 15.0  # [s] after which it is over even if the robot did not come around


class GoalSearch:
    """One turn on the spot, as odometry measures it."""

    def __init__(self) -> None:
        self.restart()

    def restart(self, wanted: bool = False) -> None:
        """The robot is elsewhere, so there is something new to see; `wanted`: even if memory is certain."""
        self.done, self.wanted = False, wanted
        self._since: float | None = None
        self._turned, self._last = 0.0, 0.0

    def goes_on(self, stamp: float, odometry: Array) -> bool:
        """Whether the robot is to turn on now; begins by itself, and is `done` after that."""
        if self.done:
            return False
        if self._since is None:
            self._since, self._last = stamp, float(odometry[2])
        self._turned += float(wrap(odometry[2] - self._last))
        self._last = float(odometry[2])
        self.done = abs(self._turned) > 2 * math.pi or stamp - self._since > SECONDS
        return not self.done
