"""Penalises being late: the time until the imagined path is at the goal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ami_ros.planning.protocols import Futures, Scene


@dataclass(frozen=True)
class TimeConfig:
    """Time until the goal is reached, within the horizon."""

    enabled: bool = False  # false: it is not weighed
    weight: float = 0.05  # [m/s]
    radius: float = 0.2  # [m] around the goal, within which it counts as reached


@dataclass(frozen=True)
class Time:
    """See the module."""

    Config = TimeConfig

    goal: Tensor  # (2,) in the base frame of now
    step_duration: float  # [s]
    config: TimeConfig

    @classmethod
    def build(cls, config: TimeConfig, scene: Scene) -> Time | None:
        """Where the target has a pose."""
        if scene.target.pose is None:
            return None
        return cls(torch.from_numpy(scene.target.pose[:2].astype(np.float32)), scene.step_duration, config)

    def __call__(self, futures: Futures) -> Tensor:
        distance = (futures.poses[..., :2] - self.goal).square().sum(-1).sqrt()
        # Smooth, so that a gradient has something to go by: half a step's worth at the edge of the circle.
        away = torch.sigmoid(8 * (distance.cummin(1).values / self.config.radius - 1))
        return self.config.weight * self.step_duration * away.sum(1)
