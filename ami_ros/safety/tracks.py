"""Things that move, as a tracker says: where each may be while the robot comes to a stand.

They only make the gate stricter. Whatever they say, the robot may stop, and go where it comes no nearer to any of them
than if it stood.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from ami_ros.geometry import Array

MOST_TRACKS = 64  # nearest ones that count, as many as a message of MovingThings holds
FASTEST = 15.0  # [m/s] of a thing: a cyclist
LARGEST = 5.0  # [m] of a radius: a car
NEAR = 30.0  # [m] from the robot; what is farther away cannot come before it stands
SIGMAS = 2.0  # of position and velocity that a thing may be off
MOST_DOUBT = (0.5, 1.0)  # [m] and [m/s], standard deviations: a tracker that knows less does not freeze the robot
SWAYS = 0.5  # [m/s^2] by which a person changes their walk without warning
LASTS = 0.6  # [s] for which a message counts


@dataclass(frozen=True)
class Track:
    """One thing that moves, in base_link at the time of its message."""

    position: Array  # (2,) of its middle [m]
    velocity: Array  # (2,) over the ground [m/s]
    radius: float  # of the disc that holds it [m]
    position_sigma: float = 0.0  # [m], 1 standard deviation along its worst axis
    velocity_sigma: float = 0.0  # [m/s], likewise

    def seen_from(self, pose: Array) -> Track:
        """The same in the frame of a pose (3,), if its numbers are two each."""
        c, s = math.cos(pose[2]), math.sin(pose[2])
        turn = np.array([[c, s], [-s, c]])
        if np.shape(self.position) != (2,) or np.shape(self.velocity) != (2,):
            return self
        return replace(self, position=turn @ (self.position - pose[:2]), velocity=turn @ self.velocity)


def largest_sigma(covariance: Array) -> float:
    """No less than the standard deviation of a covariance (2, 2) along its worst axis (Gershgorin)."""
    return float(np.sqrt(np.abs(covariance).sum(1).max()))


@dataclass(frozen=True)
class Tracks:
    """All that are known, in the gate's frame."""

    stamp: float = -math.inf  # [s] when they were there
    positions: Array = field(default_factory=lambda: np.zeros((0, 2)))  # (n, 2) [m]
    velocities: Array = field(default_factory=lambda: np.zeros((0, 2)))  # (n, 2) [m/s]
    bodies: Array = field(default_factory=lambda: np.zeros(0))  # (n,) [m], radii
    radii: Array = field(default_factory=lambda: np.zeros(0))  # (n,) [m], with the doubt of their positions
    doubts: Array = field(
        default_factory=lambda: np.zeros(0)
    )  # (n,) [m/s] by which they may come closer than their velocities say

    def __len__(self) -> int:
        return len(self.radii)

    def lasts(self, now: float) -> bool:
        """Whether any still counts."""
        return len(self) > 0 and now - self.stamp <= LASTS

    def at(self, age: float, times: Array) -> tuple[Array, Array]:
        """Where they may be `age` [s] after their stamp and `times` (t,) [s] later: middles (t, n, 2) and radii (t, n)
        [m]."""
        passed = (age + times)[:, None]
        middles = self.positions + passed[..., None] * self.velocities
        return middles, self.radii + passed * self.doubts + SWAYS / 2 * passed**2


def usable(things: Iterable[Track]) -> tuple[list[Track], str]:
    """Those that count, the nearest first, and why others do not; "" if all count."""
    given = list(things)
    good = [thing for thing in given if _makes_sense(thing)]
    near = sorted(good, key=lambda thing: float(np.hypot(*thing.position)))[:MOST_TRACKS]
    if len(good) < len(given):
        return near, f"moving things: {len(given) - len(good)} of {len(given)} have numbers that cannot be"
    if len(near) < len(good):
        return near, f"moving things: {len(good)} at once; the nearest {MOST_TRACKS} count"
    return near, ""


def _makes_sense(thing: Track) -> bool:
    position, velocity = np.asarray(thing.position, np.float64), np.asarray(thing.velocity, np.float64)
    sigmas = thing.position_sigma, thing.velocity_sigma
    if position.shape != (2,) or velocity.shape != (2,):
        return False
    if not (np.isfinite(position).all() and np.isfinite(velocity).all() and all(map(math.isfinite, sigmas))):
        return False
    return bool(0 < thing.radius <= LARGEST and np.hypot(*velocity) <= FASTEST and min(sigmas) >= 0)


def of_frame(things: list[Track], pose: Array, stamp: float) -> Tracks:
    """Things in base_link, which was at `pose` (3,) of the gate's frame then."""
    near = [thing for thing in things if np.hypot(*thing.position) <= NEAR]
    if not near:
        return Tracks(stamp)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    turn = np.array([[c, -s], [s, c]])
    positions = np.array([thing.position for thing in near], dtype=np.float64) @ turn.T + pose[:2]
    velocities = np.array([thing.velocity for thing in near], dtype=np.float64) @ turn.T
    bodies = np.array([thing.radius for thing in near])
    radii = [thing.radius + SIGMAS * min(thing.position_sigma, MOST_DOUBT[0]) for thing in near]
    doubts = [SIGMAS * min(thing.velocity_sigma, MOST_DOUBT[1]) for thing in near]
    return Tracks(stamp, positions, velocities, bodies, np.array(radii), np.array(doubts))
