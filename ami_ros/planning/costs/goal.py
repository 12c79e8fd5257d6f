"""How far the imagined path is from the goal: by the model's latents, and by a pose that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ami_ros.planning.protocols import Futures, Scene
from ami_ros.world_model.arrays import Floats

ON_THE_WAY = 0.2  # of the heading's weight at a sub-goal, which is only passed


@dataclass(frozen=True)
class GoalConfig:
    """Distance to the goal along the imagined path."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 1.0  # of the distance [1/m]; larger drives straighter at the goal and minds the rest less
    path: float = 0.5  # weight of the mean over the path, beside 1 for its end; larger hurries
    heading: float = 0.25  # [m/rad] at a goal, a fifth at sub-goals; larger turns earlier


def pose_distance(x: Floats, y: Floats, cos: Floats, heading: float) -> Floats:
    """Distance [m] plus `heading` [m/rad] times the heading error (as a chord, so that it is smooth at pi)."""
    chord = np.sqrt((2 - 2 * cos).clip(1e-6, None))
    return np.sqrt(x * x + y * y + 1e-6) + heading * chord


def along_path(distance: Floats, path: float) -> Floats:
    """Distances (batch, steps) -> (batch,): the last one, plus `path` times the mean of all."""
    return distance[:, -1] + path * distance.mean(1)


def _heading(config: GoalConfig, scene: Scene) -> float:
    return config.heading if scene.target.final else ON_THE_WAY * config.heading


@dataclass(frozen=True)
class LatentGoal:
    """Energy: how far, in metres, the imagined latents are from the goal's, by the relative-pose head."""

    Config = GoalConfig

    head: Callable[[Floats, Floats], Floats]
    goal: Floats  # (latent_dim,)
    weight: float
    heading: float  # [m/rad]
    path: float

    @classmethod
    def build(cls, config: GoalConfig, scene: Scene) -> LatentGoal | None:
        """Where the target has a latent."""
        if scene.target.latent is None:
            return None
        head = scene.dynamics.relative_pose
        return cls(head, scene.target.latent, config.weight, _heading(config, scene), config.path)

    def __call__(self, futures: Futures) -> Floats:
        seen = self.head(futures.latents, np.asarray(self.goal))
        distance = pose_distance(seen[..., 0], seen[..., 1], seen[..., 2], self.heading)
        return self.weight * along_path(distance, self.path)


@dataclass(frozen=True)
class PoseGoal:
    """How far the imagined poses are from a known one."""

    Config = GoalConfig

    goal: Floats  # (3,) in the base frame of now
    weight: float
    heading: float  # [m/rad]
    path: float

    @classmethod
    def build(cls, config: GoalConfig, scene: Scene) -> PoseGoal | None:
        """Where the target has a pose."""
        if scene.target.pose is None:
            return None
        pose = np.asarray(scene.target.pose, np.float32)
        return cls(pose, config.weight, _heading(config, scene), config.path)

    def __call__(self, futures: Futures) -> Floats:
        away = futures.poses - np.asarray(self.goal)
        distance = pose_distance(away[..., 0], away[..., 1], np.cos(away[..., 2]), self.heading)
        return self.weight * along_path(distance, self.path)
