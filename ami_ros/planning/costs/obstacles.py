"""Keeps the imagined path away from everything in the newest scan; not learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.disc import Disc
from ami_ros.planning.local_map import LocalMap
from ami_ros.planning.protocols import Futures, Scene
from ami_ros.world_model.arrays import Floats


@dataclass(frozen=True)
class ObstaclesConfig:
    """Nearness to what the scan sees."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 3.0  # of being close; larger keeps farther away and passes fewer gaps
    margin: float = 0.10  # [m] beyond the robot within which closeness costs; larger avoids narrow gaps
    collision: float = 20.0  # cost of a path that touches something at every step; too small trades contact for speed


@dataclass(frozen=True)
class Obstacles:
    """See the module."""

    Config = ObstaclesConfig

    local_map: LocalMap
    disc: Disc  # that holds the robot
    margin: float  # [m] beyond its edge where the cost begins
    weight: float
    collision: float

    @classmethod
    def build(cls, config: ObstaclesConfig, scene: Scene) -> Obstacles | None:
        """Where there is a scan."""
        if scene.scan is None:
            return None
        return cls(LocalMap(scene.scan), scene.disc, config.margin, config.weight, config.collision)

    def __call__(self, futures: Futures) -> Floats:
        start = np.array([[self.disc.middle, 0.0]], np.float32)
        clearance = self.local_map.clearance(with_halves(self._middles(futures.poses), start)) - self.disc.radius
        now = float(self.local_map.clearance(start)[0]) - self.disc.radius
        return nearness(clearance, now, self.margin, self.weight, self.collision)

    def _middles(self, poses: Floats) -> Floats:
        """Of the robot's disc (..., 2) at `poses` (..., 3)."""
        if not self.disc.middle:
            return poses[..., :2]
        ahead = np.stack([np.cos(poses[..., 2]), np.sin(poses[..., 2])], -1)
        return np.asarray(poses[..., :2] + np.float32(self.disc.middle) * ahead)


def with_halves(points: Floats, start: Floats) -> Floats:
    """Points (batch, steps, 2) of a path from `start` (1, 2), and those halfway between them: (batch, 2 * steps, 2)."""
    first = np.broadcast_to(np.asarray(start), (len(points), 1, 2))
    before = np.concatenate([first, points[:, :-1]], 1)
    return np.concatenate([points, (points + before) / 2], 1)


def nearness(clearance: Floats, now: float, margin: float, weight: float, collision: float) -> Floats:
    """Cost (batch,) of passing at `clearance` (batch, points) [m] from what must not be touched.

    Where the robot already is too close (`now` [m]), moving on must not look as bad as touching.
    """
    closeness = (1 - clearance / margin).clip(0, None)
    touching = np.asarray(clearance < min(0.02, now - 0.02), dtype=clearance.dtype)
    return weight * np.square(closeness).mean(1) + collision * touching.mean(1)
