"""Fuses sightings of the goal and memory's pose of it into one estimate."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, mean_pose, pose_gap, relative

WINDOW = 5.0  # [s] that sightings are kept
FADE = 8.0  # [s] over which an old sighting loses its weight: odometry drifts
SIGMA = 0.10  # [m] of a sighting by latents at the goal itself
SIGMA_GROWTH = 0.35  # [m per m] the same with the distance
SIGMA_FACTOR = 2.0  # on the error that sightings by pictures expect: they were learned on other pictures
# The same where pictures are compared: at the goal, and more for each metre and radian that it is off. From afar it is
# seen too near by a third, however often.
FACTORS = 0.3, 1.0, 1.5
LEAST_SIGMA = 0.005  # [m] of any
MEMORY_SIGMA = 0.11  # [m] error of memory's pose of the goal, in the world that the model was trained in
GATE = 0.5  # [m] and [rad], sightings beyond are taken for outliers


@dataclass(frozen=True)
class Sighting:
    """What one moment says."""

    stamp: float
    pose: Array  # (3,) of the goal in odom
    sigma: float  # [m]


class GoalTracker:
    """Fuses sightings of one goal in odom.

    Robust: it follows the largest group that agrees, in which each sighting has a vote. But sightings of one goal from
    nearby err alike, since one head makes them from nearly the same pictures, so within the group all of them
    together count as one. As independent ones they would outweigh memory, whose errors are different, tens of times.

    Args:
        memory_sigma: error of memory's pose of the goal [m].
        window: [s] that sightings are kept.
        compares: whether sightings compare pictures cell by cell: the nearer, the more exactly.
    """

    def __init__(self, memory_sigma: float = MEMORY_SIGMA, window: float = WINDOW, compares: bool = False) -> None:
        self._memory_sigma, self._window = memory_sigma, window
        self._factors = FACTORS if compares else (SIGMA_FACTOR, 0.0, 0.0)
        self.sightings: deque[Sighting] = deque()

    def add(
        self,
        stamp: float,
        odometry: Array,
        seen: Array,
        expected_error: float | None = None,
        sigma: float | None = None,
    ) -> None:
        """Keeps a sighting.

        Args:
            stamp: of it [s].
            odometry: (3,) of the robot then.
            seen: (3,) the goal in base_link.
            expected_error: [m] that who saw it expects; None: unknown.
            sigma: [m] what the error is, where that is known better; None: by the expected one and how far off it is.
        """
        distance, turn = float(np.hypot(seen[0], seen[1])), abs(float(seen[2]))
        if sigma is not None:
            sigma = max(sigma, LEAST_SIGMA)
        elif expected_error is None:
            sigma = SIGMA + SIGMA_GROWTH * distance
        else:
            near, far, turned = self._factors
            sigma = (near + far * distance + turned * turn) * expected_error
        self.sightings.append(Sighting(stamp, compose(odometry, seen), sigma))
        while stamp - self.sightings[0].stamp > self._window:
            self.sightings.popleft()

    def forget(self) -> None:
        """Drops all sightings, as when the robot was carried away."""
        self.sightings.clear()

    def agreeing(self, stamp: float) -> int:
        """How many sightings until now agree with one another."""
        while self.sightings and stamp - self.sightings[0].stamp > self._window:
            self.sightings.popleft()
        if not self.sightings:
            return 0
        poses = np.stack([s.pose for s in self.sightings])
        return int(self._group(poses, np.ones(len(poses))).sum())

    def estimate(self, stamp: float, odometry: Array, from_memory: Array | None) -> Array | None:
        """The goal's pose (3,) in base_link now; None before the first sighting.

        Args:
            stamp: now [s].
            odometry: (3,) now.
            from_memory: (3,) in odom, where memory has it, or None.
        """
        poses = [s.pose for s in self.sightings]
        mass = np.array([float(np.exp((s.stamp - stamp) / FADE)) / s.sigma**2 for s in self.sightings])
        if from_memory is not None:
            poses.append(from_memory)
            mass = np.append(mass, 1.0 / self._memory_sigma**2)
        if not poses:
            return None
        stacked, seen = np.stack(poses), np.arange(len(poses)) < len(self.sightings)
        inside = self._group(stacked, mass)
        alike = inside & seen
        if alike.any():
            mass[alike] *= mass[alike].max() / mass[alike].sum()
        return relative(odometry, mean_pose(stacked[inside], mass[inside]))

    def _group(self, poses: Array, mass: Array) -> NDArray[np.bool_]:
        """Which (n,) of `poses` (n, 3) agree with the one that most of the `mass` (n,) agrees with."""
        distance, turn = pose_gap(poses[:, None], poses[None])
        kernel = np.exp(-2 * (distance / GATE) ** 2 - 2 * (turn / GATE) ** 2)
        centre = int(np.argmax(kernel @ mass))
        return np.asarray((distance[centre] < GATE) & (turn[centre] < GATE), dtype=np.bool_)
