"""People who stand in pictures of simulated worlds: a place has to be recognised whoever hides a part of it."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.geometry import Array
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.people.crowd import bodies_of
from ami_ros.simulation.people.mocap import AWAY
from ami_ros.simulation.world import People

KNOWN, CHILDREN = 6, 0.2  # people of one world, and the share of children: the same person is met in several places
MOST = 3  # of them in one picture
DISTANCE = 0.35, 3.5  # [m] from the camera, the nearer the likelier
BEARING = math.radians(55)  # [rad] to each side
SPEED = 1.2  # [m/s] of who walks, at most
ATTEMPTS = 10  # draws for a free spot before somebody stays away


class PeopleInViews:
    """The people of one world.

    Args:
        share: of pictures that somebody stands in.
        seed: of the world.
    """

    def __init__(self, share: float, seed: int) -> None:
        self.share, self._rng = share, np.random.default_rng((seed, 1))  # of its own: poses are the same without people
        self.bodies: tuple[Body, ...] = bodies_of(People(count=KNOWN, children=CHILDREN, seed=seed))

    def stances(self, pose: Array, space: FreeSpace) -> Array | None:
        """Where they are (n, 5) while a picture is taken at `pose` (3,), as `Puppets.put` takes it; None: nobody is in
        sight."""
        rng = self._rng
        if rng.random() >= self.share:
            return None
        found = np.tile([*AWAY, 0.0, 0.0, 0.0], (len(self.bodies), 1))
        near, far = DISTANCE
        for index in rng.permutation(len(self.bodies))[: rng.integers(1, MOST + 1)]:
            for _ in range(ATTEMPTS):
                away, bearing = near * (far / near) ** rng.random(), rng.uniform(-BEARING, BEARING)
                at = pose[:2] + away * np.array([math.cos(pose[2] + bearing), math.sin(pose[2] + bearing)])
                if space.free(np.array([*at, 0.0])):
                    feet = self.bodies[index].feet(rng.random(), SPEED * rng.random())
                    found[index] = [*at, rng.uniform(-np.pi, np.pi), *feet]
                    break
        return found
