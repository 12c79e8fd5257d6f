"""How far the imagined latents are from the goal's, in the latent space itself: for models without a pose head."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ami_ros.planning.costs.goal import along_path
from ami_ros.planning.protocols import Futures, Scene


@dataclass(frozen=True)
class LatentDistanceConfig:
    """Root mean square difference of the latents, as an energy; latents have about unit deviation."""

    enabled: bool = False  # false: this cost is left out
    weight: float = 1.0  # [m] that one deviation is worth
    path: float = 0.5  # weight of the mean over the path, beside 1 for its end; larger hurries


@dataclass(frozen=True)
class LatentDistance:
    """See the module."""

    Config = LatentDistanceConfig

    goal: Tensor  # (latent_dim,)
    config: LatentDistanceConfig

    @classmethod
    def build(cls, config: LatentDistanceConfig, scene: Scene) -> LatentDistance | None:
        """Where the target has a latent."""
        if scene.target.latent is None:
            return None
        return cls(torch.from_numpy(scene.target.latent), config)

    def __call__(self, futures: Futures) -> Tensor:
        distance = (futures.latents - self.goal).square().mean(-1).add(1e-9).sqrt()
        return self.config.weight * along_path(distance, self.config.path)
