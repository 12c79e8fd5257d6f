"""Which pictures could have been taken elsewhere as well: a rule on the simulator's own pictures, without noise.

A goal is ambiguous if some pose at least FAR away gives a picture that differs from it no more than pictures from right
beside it do, or than a camera's noise makes of one place. Difference is the mean of absolute differences of pictures
reduced to SMALL and brought to the same brightness.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, wrap
from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator

FAR = 1.0  # [m]
BESIDE = (0.1, np.radians(5.0))  # from the goal, in which a picture still counts as that of the goal [m, rad]
NOISE = 0.012  # difference (0..1) that a camera's noise alone makes, at least
SMALL = (32, 24)  # [pixels]
ALBUM = 300  # poses all over the world that are looked at first
LIKELY = 3  # of them, that are then improved
STEPS = ((0.25, 0.2), (0.12, 0.1), (0.06, 0.05))  # of improving: metres, radians
TRIES = 8  # each step

Code = NDArray[np.float32]


class Ambiguity:
    """The pictures of one world as its robot's camera sees it."""

    def __init__(self, space: FreeSpace, robot: RobotDescription, seed: int) -> None:
        perfect = replace(robot, simulated=replace(robot.simulated, noise={}))
        self._space, self._eye = space, Simulator(space.world, perfect, seed)
        self._rng = np.random.default_rng([seed, 41])
        self._poses = np.array([space.sample_pose(self._rng) for _ in range(ALBUM)])
        self._album = np.stack([self._code(pose) for pose in self._poses])

    def close(self) -> None:
        """Gives back the OpenGL context."""
        self._eye.close()

    def of(self, goal: Array) -> bool:
        """Whether a picture from `goal` (3,) could be one from elsewhere."""
        wanted = self._code(goal)
        limit = max(NOISE, float(np.median([_difference(wanted, self._code(pose)) for pose in self._beside(goal)])))
        elsewhere = np.hypot(*(self._poses[:, :2] - goal[:2]).T) >= FAR
        differences = np.where(elsewhere, np.abs(self._album - wanted).mean(axis=(1, 2, 3)), np.inf)
        for index in np.argsort(differences)[:LIKELY]:
            if elsewhere[index] and self._best(goal, wanted, self._poses[index], float(differences[index])) <= limit:
                return True
        return False

    def _best(self, goal: Array, wanted: Code, pose: Array, difference: float) -> float:
        """The least difference around `pose`, not within FAR of the goal."""
        for metres, radians in STEPS:
            for _ in range(TRIES):
                tried = pose + self._rng.normal(0.0, (metres, metres, radians))
                if np.hypot(*(tried[:2] - goal[:2])) < FAR or not self._space.free(tried):
                    continue
                found = _difference(wanted, self._code(tried))
                if found < difference:
                    pose, difference = tried, found
        return difference

    def _beside(self, goal: Array) -> list[Array]:
        metres, radians = BESIDE
        return [
            np.array([goal[0] + metres * np.cos(a), goal[1] + metres * np.sin(a), wrap(goal[2] + s * radians)])
            for a, s in zip(np.linspace(0, 2 * np.pi, 6, endpoint=False), (1, -1) * 3, strict=True)
        ]

    def _code(self, pose: Array) -> Code:
        small = cv2.resize(self._eye.photograph(pose), SMALL, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        return np.asarray(small * (0.45 / max(float(small.mean()), 0.02)))


def _difference(a: Code, b: Code) -> float:
    return float(np.abs(a - b).mean())
