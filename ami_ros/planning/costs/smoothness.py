"""Penalises changes of command, reversing and moving at all, so that the robot stands when nothing else matters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ami_ros.planning.protocols import Futures, Scene


@dataclass(frozen=True)
class SmoothnessConfig:
    """Changes of command, reversing, effort."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 1.0  # of all three; larger: smoother and slower
    change: float = 0.02  # of changes between commands; larger: smoother, less agile
    reverse: float = 0.1  # of driving backwards; larger turns around instead
    effort: float = 0.005  # of moving at all; larger stands rather than moves when little is gained


@dataclass(frozen=True)
class Smoothness:
    """See the module."""

    Config = SmoothnessConfig

    scale: Tensor  # (width,) maxima of the commands
    config: SmoothnessConfig

    @classmethod
    def build(cls, config: SmoothnessConfig, scene: Scene) -> Smoothness:
        """Always."""
        return cls(scene.kinematics.high.clamp(min=1e-6), config)

    def __call__(self, futures: Futures) -> Tensor:
        config = self.config
        scaled = futures.commands / self.scale
        before = torch.cat([(futures.previous / self.scale).expand(len(scaled), 1, -1), scaled[:, :-1]], 1)
        change = (scaled - before).square().sum(-1).mean(1)
        backwards = (-scaled[..., 0]).clamp(min=0).mean(1)
        effort = scaled.square().sum(-1).mean(1)
        return config.weight * (config.change * change + config.reverse * backwards + config.effort * effort)
