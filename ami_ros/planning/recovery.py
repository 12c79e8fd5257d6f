"""What to do when stuck or lost: short fixed manoeuvres that look at the scan only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array, relative, wrap
from ami_ros.planning.scan_geometry import free_range
from ami_ros.scan import Scan


@dataclass(frozen=True)
class RecoveryConfig:
    """Speeds and lengths of the manoeuvres."""

    back_speed: float = 0.12  # [m/s] of backing up
    back_distance: float = 0.25  # [m] of backing up
    turn_speed: float = 0.9  # [rad/s] of turning to where there is room
    clearance: float = 0.35  # [m] that must be free behind
    seconds: float = 6.0  # at most, for one recovery


class BackAndTurn:
    """Backs up if the space behind is free, then turns to where there is most room, if it turns on the spot."""

    def __init__(
        self, config: RecoveryConfig, stamp: float, odometry: Array, scan: Scan | None, turns_on_the_spot: bool = True
    ) -> None:
        self.config, self.began, self.origin = config, stamp, odometry
        self.turns_on_the_spot = turns_on_the_spot
        self.backing = scan is None or free_range(scan, np.pi, 0.2) > config.clearance
        self.heading: float | None = None

    def command(self, stamp: float, odometry: Array, scan: Scan | None) -> tuple[float, float] | None:
        """The command [m/s, rad/s] for now; None once the manoeuvre is over."""
        config = self.config
        if stamp - self.began > config.seconds:
            return None
        if self.backing:
            moved = -relative(self.origin, odometry)[0]
            blocked = scan is not None and free_range(scan, np.pi, 0.2) < config.clearance
            self.backing = moved < config.back_distance and not blocked and stamp - self.began < config.seconds / 2
            if self.backing:
                return -config.back_speed, 0.0
        if not self.turns_on_the_spot:
            return None
        if self.heading is None:
            self.heading = float(odometry[2]) + self._most_room(scan)
        error = float(wrap(self.heading - odometry[2]))
        return None if abs(error) < 0.2 else (0.0, float(np.copysign(config.turn_speed, error)))

    @staticmethod
    def _most_room(scan: Scan | None) -> float:
        """Direction [rad] in base_link with the longest free way; turning is preferred to looking on the same way."""
        if scan is None:
            return np.pi / 2
        directions = np.linspace(-np.pi, np.pi, 24, endpoint=False)
        room = [min(free_range(scan, float(d), 0.22), 2.0) + 0.3 * min(abs(d), 1.5) for d in directions]
        return float(directions[int(np.argmax(room))])
