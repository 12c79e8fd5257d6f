"""What the gate is told about the robot, and what it takes for granted: see docs/safety.md."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np

from ami_ros.geometry import Array

POSITIVE = (
    "max_linear",
    "max_linear_acceleration",
    "max_angular_acceleration",
    "command_timeout",
    "scan_timeout",
    "silence_timeout",
    "clock_timeout",
    "robot_radius",
    "reaction",
    "deceleration",
)


MOST_WAY, MOST_TURN = 50.0, 100.0  # [m], [rad] that the gate looks ahead
MOST_MEMORY = 60.0  # [s]
MOST_SIZE = 20.0  # [m]


@dataclass(frozen=True)
class SafetyConfig:
    """Limits of the robot, and how old data may be."""

    max_linear: float = 0.5  # [m/s] forwards and backwards; faster commands are cut to it
    max_angular: float = 1.8  # [rad/s] either way; faster turning is cut to it
    max_lateral: float = 0.0  # [m/s] to either side; 0: the robot does not drive sideways
    max_linear_acceleration: float = 1.0  # [m/s^2] in any direction; larger starts faster; braking is not limited
    max_angular_acceleration: float = 5.0  # [rad/s^2] of turning; larger begins to turn faster
    command_timeout: float = 0.3  # [s] age of a command at which the robot stops; larger coasts longer
    scan_timeout: float = 0.6  # [s] since it was measured, from which a scan shows nothing any more
    silence_timeout: float = 1.0  # [s] of steady time without commands, or scans, until it stands, whatever the clock
    clock_timeout: float = 0.4  # [s] of steady time for which the node's clock may stand still until the robot does
    require_scan: bool = True  # stop without a fresh scan; false: drive blind
    measured: bool = True  # a sensor measures scans; false: guessed from pictures, and may change little with motion
    robot_radius: float = 0.18  # [m] of the smallest circle around base_link that holds the robot
    footprint: tuple[float, ...] = ()  # x1, y1, x2, y2, ... [m] of a convex outline around base_link; empty: the circle
    margin: float = 0.03  # [m] kept free beyond the outline; larger than the errors of scan and odometry
    reaction: float = 0.25  # [s] until the wheels answer to a command, the time until the next one included
    deceleration: float = 0.8  # [m/s^2] that the robot surely reaches, along each axis, however slow its wheels are
    turn_lag: float = 0.4  # [s] for which it may still turn as commanded before; larger keeps farther off in turns
    obstacle_speed: float = 0.0  # [m/s] at which things may come closer by themselves; larger: slower near everything
    track_margin: float = 0.2  # [m] kept free beyond `margin` from what a tracker says moves; larger yields earlier
    memory: float = 3.0  # [s] for which what is out of sight counts as it was seen; 0: only the newest scan counts

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool | tuple):
                continue
            if field.name in POSITIVE and not 0 < value < math.inf:
                raise ValueError(f"{field.name} must be greater than 0, and finite")
            if not 0 <= value < math.inf:
                raise ValueError(f"{field.name} must be 0 or greater, and finite")
        if self.turn_lag < self.reaction:
            raise ValueError(f"turn_lag {self.turn_lag} s is less than reaction {self.reaction} s: it cannot be known")
        if self.scan_timeout <= self.reaction:
            raise ValueError(f"scan_timeout {self.scan_timeout} s must be longer than reaction {self.reaction} s")
        self._check_sizes()

    def _check_sizes(self) -> None:
        """What would take more time or memory than a gate has: how far it looks, how long it remembers, its outline."""
        fastest = math.hypot(self.max_linear, self.max_lateral)
        lasts = self.reaction + fastest / self.deceleration
        way, turn = fastest * (lasts + self.reaction) / 2, self.max_angular * max(lasts, self.turn_lag)
        if way > MOST_WAY or turn > MOST_TURN:
            raise ValueError(
                f"with these limits it takes {way:.3g} m and a turn of {turn:.3g} rad to stop; "
                f"it looks {MOST_WAY:g} m and {MOST_TURN:g} rad ahead at most"
            )
        if self.memory > MOST_MEMORY:
            raise ValueError(f"memory {self.memory:g} s is more than {MOST_MEMORY:g} s")
        if max([self.robot_radius, *np.abs(polygon(self.footprint)).ravel()]) > MOST_SIZE:
            raise ValueError(f"robot_radius and footprint must be {MOST_SIZE:g} m at most")


def polygon(numbers: tuple[float, ...]) -> Array:
    """The corners (n, 2) [m] of x1, y1, x2, y2, ..., counter-clockwise; (0, 2) of none.

    Raises:
        ValueError: it is none, is not convex, or does not hold base_link.
    """
    if not numbers:
        return np.zeros((0, 2))
    if len(numbers) < 6 or len(numbers) % 2 or not all(map(math.isfinite, numbers)):
        raise ValueError("footprint must be x1, y1, x2, y2, ... of three or more corners, in metres")
    corners = np.array(numbers, dtype=np.float64).reshape(-1, 2)
    following = np.roll(corners, -1, axis=0)
    edges, onward = following - corners, np.roll(following, -1, axis=0) - following
    turns = edges[:, 0] * onward[:, 1] - edges[:, 1] * onward[:, 0]
    sides = corners[:, 0] * following[:, 1] - corners[:, 1] * following[:, 0]  # of base_link, seen from each edge
    if (turns > 0).all() and (sides > 0).all():
        return corners
    if (turns < 0).all() and (sides < 0).all():
        return corners[::-1]
    raise ValueError("footprint must be convex, and hold base_link")
