"""What moves around the robot, as trackers give it and planner and safety gate take it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, inverse, transform_points

MOST_THINGS = 64  # that one moment holds: ETH and UCY show at most 30 people at once in 15 m
FASTEST = 15.0  # [m/s]: a cyclist; more is no track
LARGEST = 5.0  # [m] of a radius: a car


class Kind(IntEnum):
    """What a moving thing is."""

    OTHER = 0  # a trolley, a door, a robot
    PERSON = 1


@dataclass(frozen=True)
class MovingThing:
    """One thing that moves, or a person who has stopped for a while.

    Attributes:
        id: the same as long as it is tracked.
        position: (2,) of its middle [m] in odom.
        velocity: (2,) over the ground [m/s] in odom.
        covariance: (4, 4) of (x, y, vx, vy) [m², m²/s, m²/s²], symmetric, positive semidefinite.
        radius: of the disc that holds it [m].
        kind: what it is.
        confidence: that it is there, and is what `kind` says [0, 1].
    """

    id: int
    position: Array
    velocity: Array
    covariance: Array
    radius: float
    kind: Kind = Kind.OTHER
    confidence: float = 1.0

    def after(self, seconds: float, acceleration: float) -> MovingThing:
        """The thing `seconds` [s] later if it goes on; white acceleration [m/s²] (power `acceleration`² [m²/s³] in each
        axis) adds to its doubt (Bar-Shalom, Li and Kirubarajan 2001, section 6.2.2)."""
        if seconds <= 0:
            return self
        forward = np.eye(4)
        forward[0, 2] = forward[1, 3] = seconds
        covariance = forward @ self.covariance @ forward.T + process_noise(seconds, acceleration)
        return replace(self, position=self.position + seconds * self.velocity, covariance=covariance)


def process_noise(seconds: float, acceleration: float) -> Array:
    """What white acceleration adds to the covariance (4, 4) of (x, y, vx, vy) in `seconds` [s]."""
    t, noise = seconds, np.zeros((4, 4))
    for axis in (0, 1):
        noise[axis, axis], noise[axis + 2, axis + 2] = t**3 / 3, t
        noise[axis, axis + 2] = noise[axis + 2, axis] = t**2 / 2
    return acceleration**2 * noise


@dataclass(frozen=True)
class MovingThings:
    """What moves at one moment: `things`, nearest to the robot first, at `stamp` [s], that of the scan."""

    stamp: float
    things: tuple[MovingThing, ...] = ()

    @property
    def positions(self) -> Array:
        """(n, 2) [m] in odom."""
        return np.array([thing.position for thing in self.things], dtype=np.float64).reshape(-1, 2)

    @property
    def velocities(self) -> Array:
        """(n, 2) [m/s] in odom."""
        return np.array([thing.velocity for thing in self.things], dtype=np.float64).reshape(-1, 2)

    @property
    def covariances(self) -> Array:
        """(n, 4, 4) of (x, y, vx, vy)."""
        return np.array([thing.covariance for thing in self.things], dtype=np.float64).reshape(-1, 4, 4)

    @property
    def radii(self) -> Array:
        """(n,) [m]."""
        return np.array([thing.radius for thing in self.things], dtype=np.float64)

    def discs(self, odometry: Array) -> Array:
        """(n, 3) x, y and radius [m] in the base_link of a robot that is at `odometry` (3,)."""
        return np.column_stack([transform_points(inverse(odometry), self.positions), self.radii])


def checked(things: MovingThings) -> MovingThings:
    """The same, if it makes sense.

    Raises:
        AmiError: more than MOST_THINGS, an id twice, or a thing that is not finite or cannot be.
    """
    if len(things.things) > MOST_THINGS:
        raise AmiError(f"moving things: {len(things.things)} at once; at most {MOST_THINGS}, publish the nearest")
    if len({thing.id for thing in things.things}) != len(things.things):
        raise AmiError("moving things: two have the same id")
    if not things.things:
        return things
    radii, confidence = things.radii, np.array([thing.confidence for thing in things.things])
    finite = (things.positions, things.velocities, things.covariances, radii, confidence)
    if not all(np.isfinite(values).all() for values in finite):
        raise AmiError("moving things: a number is NaN or infinite")
    if np.abs(things.positions).max() > 1e7 or np.hypot(*things.velocities.T).max() > FASTEST:
        raise AmiError(f"moving things: one is faster than {FASTEST:g} m/s, or farther off than 10,000 km")
    if radii.min() <= 0 or radii.max() > LARGEST or confidence.min() < 0 or confidence.max() > 1:
        raise AmiError(f"moving things: a radius is not in (0, {LARGEST:g}] m, or a confidence not in [0, 1]")
    covariances = things.covariances
    scale = np.abs(covariances).max((1, 2))
    if scale.max() > 1e7:
        raise AmiError("moving things: a covariance is above 1e7")
    lopsided = np.abs(covariances - covariances.transpose(0, 2, 1)).max((1, 2)) > 1e-6 * scale
    if lopsided.any() or (np.linalg.eigvalsh(covariances)[:, 0] < -1e-6 * scale).any():
        raise AmiError("moving things: a covariance is not symmetric and positive semidefinite")
    return things
