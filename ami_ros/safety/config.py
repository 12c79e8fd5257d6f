"""What the gate is told about the robot, and what it takes for granted (see docs/safety.md); the robot's outline."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.core.geometry import Array


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
        may_be_0 = {"max_angular", "max_lateral", "margin", "turn_lag", "obstacle_speed", "track_margin", "memory"}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool | tuple):
                continue
            if field.name not in may_be_0 and not 0 < value < math.inf:
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
        most_way, most_turn, most_memory, most_size = 50.0, 100.0, 60.0, 20.0  # [m], [rad], [s], [m]
        fastest = math.hypot(self.max_linear, self.max_lateral)
        lasts = self.reaction + fastest / self.deceleration
        way, turn = fastest * (lasts + self.reaction) / 2, self.max_angular * max(lasts, self.turn_lag)
        if way > most_way or turn > most_turn:
            raise ValueError(
                f"with these limits it takes {way:.3g} m and a turn of {turn:.3g} rad to stop; "
                f"it looks {most_way:g} m and {most_turn:g} rad ahead at most"
            )
        if self.memory > most_memory:
            raise ValueError(f"memory {self.memory:g} s is more than {most_memory:g} s")
        if max([self.robot_radius, *np.abs(polygon(self.footprint)).ravel()]) > most_size:
            raise ValueError(f"robot_radius and footprint must be {most_size:g} m at most")


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


SPACING = 0.05  # [m] between samples of an outline


class Footprint:
    """A disc, or a convex polygon as Nav2's collision monitor takes it, around base_link.

    Attributes:
        outline: (m, 2) [m], points along it in base_link.
        radius: [m] of the circle around base_link that holds all of it.
        is_round: it covers the same ground however it is turned.
    """

    def __init__(self, config: SafetyConfig) -> None:
        self.radius = config.robot_radius
        corners = polygon(config.footprint)
        self._normals = self._offsets = np.zeros(0)
        self.is_round = not len(corners)
        if self.is_round:
            count = max(16, math.ceil(2 * np.pi * self.radius / SPACING))
            around = 2 * np.pi * np.arange(count) / count
            self.outline = self.radius * np.column_stack([np.cos(around), np.sin(around)])
            return
        edges = np.roll(corners, -1, axis=0) - corners
        normals = np.column_stack([edges[:, 1], -edges[:, 0]])
        self._normals = normals / np.hypot(*normals.T)[:, None]
        self._offsets = (self._normals * corners).sum(1)
        self.radius = float(np.hypot(*corners.T).max())
        shares = [np.arange(n) / n for n in np.ceil(np.hypot(*edges.T) / SPACING).astype(int)]
        self.outline = np.concatenate(
            [corner + share[:, None] * edge for corner, edge, share in zip(corners, edges, shares, strict=True)]
        )

    def distance(self, points: ArrayLike) -> Array:
        """How far (...) [m] points (..., 2) in base_link are from the outline; negative inside.

        Of a polygon's corners it is less than the truth: by half-planes.
        """
        points = np.asarray(points, dtype=np.float64)
        if self.is_round:
            return np.asarray(np.hypot(points[..., 0], points[..., 1]) - self.radius)
        return np.asarray((points @ self._normals.T - self._offsets).max(-1))
