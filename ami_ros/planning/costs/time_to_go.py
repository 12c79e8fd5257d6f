"""The time that is left to the goal at the end of the imagined path and on the way, by the model's critic."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from ami_ros.planning.costs.goal import along_path
from ami_ros.planning.protocols import Futures, Knowing, Scene


@dataclass(frozen=True)
class TimeToGoConfig:
    """Learned temporal distance to the goal along the imagined path."""

    enabled: bool = False  # false: it is not weighed
    weight: float = 0.1  # of the time [m/s]
    path: float = 0.5  # of the mean time on the way, against that at its end


@dataclass(frozen=True)
class TimeToGo:
    """See the module."""

    Config = TimeToGoConfig

    critic: Callable[[Tensor, Tensor], Tensor]
    goal: Tensor  # (latent_dim,)
    config: TimeToGoConfig

    @classmethod
    def build(cls, config: TimeToGoConfig, scene: Scene) -> TimeToGo | None:
        """Where the model has a critic and the target a latent."""
        if scene.target.latent is None or not scene.dynamics.spec.critic:
            return None
        return cls(cast(Knowing, scene.dynamics).time_to_go, torch.from_numpy(scene.target.latent), config)

    def __call__(self, futures: Futures) -> Tensor:
        left = self.critic(futures.latents, self.goal.expand_as(futures.latents))
        return self.config.weight * along_path(left, self.config.path)
