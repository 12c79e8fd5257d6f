"""Keeps the imagined path away from everything in the newest scan; not learned."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ami_ros.disc import Disc
from ami_ros.planning.local_map import LocalMap
from ami_ros.planning.protocols import Futures, Scene


@dataclass(frozen=True)
class ObstaclesConfig:
    """Nearness to what the scan sees."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 3.0  # of nearness; larger keeps farther off and passes fewer gaps
    margin: float = 0.10  # [m] beyond the robot's radius within which nearness costs; larger avoids narrow gaps
    collision: float = 20.0  # of a path that touches something at every step; too small trades contact for speed


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

    def __call__(self, futures: Futures) -> Tensor:
        start = torch.tensor([[self.disc.middle, 0.0]])
        clearance = self.local_map.clearance(with_halves(self._middles(futures.poses), start)) - self.disc.radius
        now = float(self.local_map.clearance(start)) - self.disc.radius
        return nearness(clearance, now, self.margin, self.weight, self.collision)

    def _middles(self, poses: Tensor) -> Tensor:
        """Of the robot's disc (..., 2) at `poses` (..., 3)."""
        if not self.disc.middle:
            return poses[..., :2]
        ahead = torch.stack([poses[..., 2].cos(), poses[..., 2].sin()], -1)
        return poses[..., :2] + self.disc.middle * ahead


def with_halves(points: Tensor, start: Tensor) -> Tensor:
    """Points (batch, steps, 2) of a path from `start` (1, 2), and those halfway between them: (batch, 2 * steps, 2)."""
    before = torch.cat([start.expand(len(points), 1, 2).to(points), points[:, :-1]], 1)
    return torch.cat([points, (points + before) / 2], 1)


def nearness(clearance: Tensor, now: float, margin: float, weight: float, collision: float) -> Tensor:
    """Cost (batch,) of passing at `clearance` (batch, points) [m] from what must not be touched.

    Where the robot already is too close (`now` [m]), moving on must not look as bad as touching.
    """
    closeness = (1 - clearance / margin).clamp(min=0)
    touching = clearance < min(0.02, now - 0.02)
    return weight * closeness.square().mean(1) + collision * touching.float().mean(1)
