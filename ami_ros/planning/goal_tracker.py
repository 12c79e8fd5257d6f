"""Where the goal is: what the latents say at each moment, and what memory says, made one."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.geometry import Array, compose, relative
from ami_ros.memory.matching import mean_pose, pose_gap


@dataclass(frozen=True)
class TrackerConfig:
    """How much each source counts."""

    window: int = 40  # sightings kept
    fade: float = 8.0  # [s] over which an old sighting loses its weight: odometry drifts
    sigma: float = 0.10  # [m] of a sighting at the goal itself
    sigma_growth: float = 0.35  # [m per m]
    memory_sigma: float = 0.25  # [m] of memory's word
    gate: float = 0.5  # [m] and [rad], sightings beyond are taken for outliers


@dataclass(frozen=True)
class Sighting:
    """The latents' word at one moment."""

    stamp: float
    pose: Array  # (3,) of the goal in odom
    distance: float  # from the robot then [m]


class GoalTracker:
    """Fuses sightings of one goal in odom. Robust: it follows the largest group that agrees."""

    def __init__(
        self, head: Callable[[Tensor, Tensor], Tensor], goal: NDArray[np.float32], config: TrackerConfig
    ) -> None:
        self.head, self.config = head, config
        self.goal = torch.from_numpy(goal)
        self.sightings: deque[Sighting] = deque(maxlen=config.window)

    def look(self, latent: NDArray[np.float32]) -> Array:
        """The goal's pose (3,) in base_link as the latents of this moment alone see it."""
        with torch.inference_mode():
            x, y, c, s = self.head(torch.from_numpy(latent), self.goal).tolist()
        return np.array([x, y, np.arctan2(s, c)])

    def add(self, stamp: float, odometry: Array, seen: Array) -> None:
        """Keeps a sighting `seen` (3,) in base_link, made at `odometry` (3,)."""
        self.sightings.append(Sighting(stamp, compose(odometry, seen), float(np.hypot(seen[0], seen[1]))))

    def forget(self) -> None:
        """Drops all sightings, as when the robot was carried away."""
        self.sightings.clear()

    def estimate(self, stamp: float, odometry: Array, from_memory: Array | None) -> Array | None:
        """The goal's pose (3,) in base_link now; None if nobody has said anything.

        Args:
            stamp: now [s].
            odometry: (3,) now.
            from_memory: (3,) in odom, where memory has it, or None.
        """
        config = self.config
        poses = [s.pose for s in self.sightings]
        weights = [
            float(np.exp((s.stamp - stamp) / config.fade) / (config.sigma + config.sigma_growth * s.distance) ** 2)
            for s in self.sightings
        ]
        if from_memory is not None:
            poses.append(from_memory)
            # As heavy as a handful of sightings: memory speaks once, they speak at every moment.
            weights.append(5.0 / config.memory_sigma**2)
        if not poses:
            return None
        stacked, mass = np.stack(poses), np.array(weights)
        distance, turn = pose_gap(stacked[:, None], stacked[None])
        kernel = np.exp(-2 * (distance / config.gate) ** 2 - 2 * (turn / config.gate) ** 2)
        centre = int(np.argmax(kernel @ mass))
        inside = (distance[centre] < config.gate) & (turn[centre] < config.gate)
        return relative(odometry, mean_pose(stacked[inside], mass[inside]))
