"""Penalises what the robot could not follow, or should not: accelerations beyond its limits."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ami_ros.commands import TRANSLATION
from ami_ros.planning.protocols import Futures, Scene


@dataclass(frozen=True)
class LimitsConfig:
    """Accelerations beyond the robot's limits; bounds of speed are kept by the search itself."""

    enabled: bool = False  # false: it is not weighed
    weight: float = 1.0  # of the excess, as a share of the limit
    linear: float = 0.5  # [m/s^2] from command to command, in whatever direction
    angular: float = 2.0  # [rad/s^2] the same
    lateral: float = 0.4  # [m/s^2] in curves: speed times turning rate


@dataclass(frozen=True)
class Limits:
    """See the module."""

    Config = LimitsConfig

    step_duration: float  # [s]
    config: LimitsConfig

    @classmethod
    def build(cls, config: LimitsConfig, scene: Scene) -> Limits:
        """Always."""
        return cls(scene.step_duration, config)

    def __call__(self, futures: Futures) -> Tensor:
        config, commands = self.config, futures.commands
        before = torch.cat([futures.previous.expand(len(commands), 1, -1), commands[:, :-1]], 1)
        change = (commands - before) / self.step_duration
        linear, angular = _speed(change), change[..., 1].abs()
        lateral = _speed(commands) * commands[..., 1].abs()
        excess = torch.stack([linear / config.linear, angular / config.angular, lateral / config.lateral]) - 1
        return config.weight * excess.clamp(min=0).mean(-1).sum(0)


def _speed(commands: Tensor) -> Tensor:
    """Of commands (..., width), whatever the direction (...)."""
    return torch.linalg.vector_norm(commands[..., TRANSLATION], dim=-1)
