"""People who happen to stand in pictures of simulated worlds: who knows a place again must not need them, nor mind."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.people.crowd import bodies_of
from ami_ros.simulation.people.mocap import AWAY, Puppets
from ami_ros.simulation.rendering import mujoco
from ami_ros.simulation.world import People

SPEED = 1.2  # [m/s] of who walks, at most
ATTEMPTS = 10  # draws for a free spot before somebody stays away


@dataclass(frozen=True)
class PassersConfig:
    """How many people there are, and where."""

    share: float = 0.35  # of pictures that somebody stands in
    most: int = 3  # of them in one picture
    known: int = 6  # different ones in one world: the same one is met in several places
    children: float = 0.2  # share of them
    distance: tuple[float, float] = (0.35, 3.5)  # [m] from the camera, the nearer the likelier
    bearing: float = math.radians(55)  # [rad] to each side


class Passers:
    """Who walks about in one world.

    Args:
        config: see there.
        seed: of the world.
    """

    def __init__(self, config: PassersConfig, seed: int) -> None:
        self.config, self._rng = config, np.random.default_rng((seed, 1))  # of its own: poses are the same without
        self.bodies: tuple[Body, ...] = bodies_of(People(count=config.known, children=config.children, seed=seed))

    def stances(self, pose: Array, space: FreeSpace) -> Array | None:
        """Where they are (n, 5) while a picture is taken at `pose` (3,), as `Puppets.put` takes it; None: nobody is in
        sight."""
        config, rng = self.config, self._rng
        if rng.random() >= config.share:
            return None
        found = np.tile([*AWAY, 0.0, 0.0, 0.0], (len(self.bodies), 1))
        near, far = config.distance
        for index in rng.permutation(len(self.bodies))[: rng.integers(1, config.most + 1)]:
            for _ in range(ATTEMPTS):
                away, bearing = near * (far / near) ** rng.random(), rng.uniform(-config.bearing, config.bearing)
                at = pose[:2] + away * np.array([math.cos(pose[2] + bearing), math.sin(pose[2] + bearing)])
                if space.free(np.array([*at, 0.0])):
                    feet = self.bodies[index].feet(rng.random(), SPEED * rng.random())
                    found[index] = [*at, rng.uniform(-np.pi, np.pi), *feet]
                    break
        return found

    def puppets(self, model: mujoco.MjModel) -> Puppets:
        """What puts them there in a model that was built with their bodies."""
        return Puppets(model, self.bodies)
