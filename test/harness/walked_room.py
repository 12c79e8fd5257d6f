"""A room in the plane with legs that walk in it, and the scans of a robot there."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle

STRIDE, LEG, HIPS = 0.6, 0.06, 0.1  # [m] of one step's half swing, radius of a leg, half the distance between two


def room(size: float = 4.0) -> list[Obstacle]:
    """Four walls at `size` [m] from the middle, a pillar, and four legs of a table."""
    walls = [
        Obstacle("wall", "box", (size * math.cos(a), size * math.sin(a)), a, (0.1, size + 0.1), 2.0)
        for a in (0.0, math.pi / 2, math.pi, -math.pi / 2)
    ]
    table = [disc(x, y, 0.025) for x in (-3.0, -2.2) for y in (-2.8, -2.2)]
    return [*walls, disc(-2.0, 1.5, 0.2), *table]


def disc(x: float, y: float, radius: float) -> Obstacle:
    return Obstacle("disc", "cylinder", (x, y), 0.0, (radius, radius), 1.0)


def legs(position: Array, heading: float, way: float) -> list[Obstacle]:
    """The legs of somebody who has come `way` [m]; who stands has them side by side."""
    c, s = math.cos(heading), math.sin(heading)
    found = []
    for phase, side in ((0.0, HIPS), (0.5, -HIPS)):
        at = (way / (2 * STRIDE) + phase) % 1.0
        ahead = STRIDE / 2 * (1 - 4 * at) if at < 0.5 else STRIDE / 2 * (4 * at - 3)
        ahead = 0.0 if way == 0.0 else ahead
        found.append(disc(position[0] + c * ahead - s * side, position[1] + s * ahead + c * side, LEG))
    return found


def scan_at(things: list[Obstacle], pose: Array, beams: int = 360, noise: float = 0.01, seed: int = 0) -> Scan:
    """A turn of a laser over base_link of a robot at `pose` (3,)."""
    step = 2 * math.pi / beams
    angles = -math.pi + step * np.arange(beams)
    ranges = FloorPlan(things).cast(pose[:2], pose[2] + angles)
    ranges = ranges + np.random.default_rng(seed).normal(0.0, noise, beams)
    return Scan(np.where(ranges < 10.0, ranges, np.inf).astype(np.float32), -math.pi, step, max_range=10.0)
