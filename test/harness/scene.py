"""A robot at the origin and what stands or moves around it, for what is in the way of a command."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ami_ros.core.commands import Command
from ami_ros.core.scan import Scan
from ami_ros.safety.config import Footprint, SafetyConfig
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.motion import Motion
from ami_ros.safety.observations import Observation, Observations, Snapshot
from ami_ros.safety.obstruction import Obstruction, Track, of_frame
from ami_ros.safety.surroundings import Surroundings

RADIUS, MARGIN = 0.18, 0.03
REST = (0.0, 0.0, 0.0)


class Scene:
    """A robot at rest at the origin, which may have odometry, other sensors, a laser, and areas to keep out of."""

    def __init__(self, odometry: bool = True, keep_out: KeepOut | None = None, **config: Any) -> None:
        self.config = SafetyConfig(**config)
        footprint = Footprint(self.config)
        self.motion, self.around = Motion(self.config), Surroundings(self.config, footprint)
        self.others = Observations({})
        self.obstruction = Obstruction(
            self.config, footprint, self.motion, self.around, self.others, KeepOut() if keep_out is None else keep_out
        )
        if odometry:
            self.at(0.0)

    def at(self, now: float, *pose: float, velocity: Command = REST) -> None:
        """Odometry says where it is."""
        self.motion.odometry(np.array(pose or REST), velocity, now)

    def shows(
        self, points: Any, stamp: float = 0.0, error: float = 0.0, pose: Command = REST, name: str = "depth"
    ) -> None:
        """Another sensor shows points (n, 2) [m]."""
        points = np.array(points, dtype=np.float64).reshape(-1, 2)
        self.others.put(name, Observation(np.array(pose), error, stamp, stamp, points))

    def sees(self, half_angle: float = math.pi, ranges: float = math.inf, stamp: float = 0.0) -> None:
        """The laser looks so far [rad] to either side."""
        beams = np.full(2 * round(math.degrees(half_angle)) + 1 - (half_angle == math.pi), ranges, np.float32)
        scan = Scan(beams, -half_angle, math.pi / 180, max_range=8.0)
        assert self.around.add(Snapshot.of(scan, self.motion.at(stamp)[0], 0.0, stamp)) == ""

    def moves(self, *things: Track, stamp: float = 0.0) -> None:
        """A tracker tells of things."""
        self.obstruction.tracks = of_frame([*things], self.motion.at(stamp)[0], stamp)

    def what(self, command: Command, now: float = 0.0) -> str:
        """What is in the way."""
        return self.obstruction.what(command, now, self.obstruction.near(command, now))


def way(speed: float) -> float:
    """How far [m] a robot comes that stood, is told to drive, and stopped the next time; looked at in eight steps."""
    step = max(0.25 + abs(speed) / 0.8, 0.4) / 8
    middles = step * (np.arange(8) + 0.5)
    return float((np.maximum(0.0, abs(speed) - 0.8 * np.maximum(0.0, middles - 0.25)) * step).sum())


def thing(x: float, y: float, *velocity: float, radius: float = 0.3) -> Track:
    """Somebody who moves."""
    return Track(np.array([x, y]), np.array(velocity or (0.0, 0.0)), radius)
