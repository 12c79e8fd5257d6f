"""Penalises changes of command, reversing and moving at all, so that the robot stands when nothing else matters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.planning.protocols import Futures, Scene
from ami_ros.world_model.arrays import Floats


@dataclass(frozen=True)
class SmoothnessConfig:
    """Changes of command, reversing, effort."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 1.0  # of all three; larger: smoother and slower
    change: float = 0.02  # of changes between commands; larger: smoother, less agile
    reverse: float = 0.1  # of driving backwards; larger turns around instead
    effort: float = 0.005  # of moving at all; larger stands still when little is gained


@dataclass(frozen=True)
class Smoothness:
    """See the module."""

    Config = SmoothnessConfig

    scale: Floats  # (width,) maxima of the commands
    config: SmoothnessConfig

    @classmethod
    def build(cls, config: SmoothnessConfig, scene: Scene) -> Smoothness:
        """Always."""
        return cls(scene.kinematics.high.clip(1e-6, None), config)

    def __call__(self, futures: Futures) -> Floats:
        config = self.config
        scale = np.asarray(self.scale)
        scaled = futures.commands / scale
        first = np.broadcast_to(futures.previous / scale, (len(scaled), 1, len(scale)))
        before = np.concatenate([first, scaled[:, :-1]], 1)
        change = np.square(scaled - before).sum(-1).mean(1)
        backwards = (-scaled[..., 0]).clip(0, None).mean(1)
        effort = np.square(scaled).sum(-1).mean(1)
        return config.weight * (config.change * change + config.reverse * backwards + config.effort * effort)
