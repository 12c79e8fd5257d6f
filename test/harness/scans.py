"""Scans of given points, and loopback robots whose sensors are perfect."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.world import Furniture, World
from ami_ros.simulation.world_file import load_world


def robot_at(x: float, y: float, yaw: float, world: World | str = "empty", robot: str = "ami_bot") -> Loopback:
    """A robot at rest whose sensors are perfect."""
    made = Loopback(world, noise=SensorNoise(scale=0.0), robot=robot)
    made.reset(np.array([x, y, yaw]))
    return made


def room_with_box(x: float, y: float, side: float = 0.6) -> World:
    """The empty room of 4 x 4 m with a box in it."""
    return replace(load_world("empty"), furniture=(Furniture("box", "box", (x, y), (side, side, 0.8)),))


def scan_of_points(points: Array) -> Scan:
    """A fine scan (a beam each degree) that sees exactly these points (n, 2) [m] in base_link."""
    ranges = np.full(360, np.inf, np.float32)
    for x, y in np.asarray(points, dtype=np.float64):
        beam = round(float(np.degrees(np.arctan2(y, x)))) % 360
        ranges[beam] = min(ranges[beam], np.float32(np.hypot(x, y)))
    return Scan(ranges, 0.0, np.pi / 180)


NOTHING = Scan(np.full(72, np.inf, np.float32), -np.pi, np.pi / 36)
