"""What moves around the robot, as trackers give it and planner and gate take it; where it will be, and was lately."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from enum import IntEnum

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, inverse, relative, transform_points

MOST_THINGS = 64  # that one moment holds: ETH and UCY show at most 30 people at once in 15 m
FASTEST = 15.0  # [m/s]: a cyclist; more is no track
LARGEST = 5.0  # [m] of a radius: a car
STALE = 0.7  # [s] after which what a tracker said holds no more: a walker goes on by half a metre


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


@dataclass(frozen=True)
class PredictionConfig:
    """How the future of others is imagined."""

    wander: float = 0.2  # [m/s^1.5] root of the power of white acceleration; larger: wider berths farther ahead
    slowest: float = 0.25  # [m/s] below which a thing stands: the scan shows it


@dataclass(frozen=True)
class Forecast:
    """Where m things will be at t times; each is a normal distribution that is as wide in all directions.

    Attributes:
        seconds: (t,) from the moment on [s].
        positions: (m, t, 2) expected [m], in odom or where the forecast was moved to.
        deviations: (m, t) in each axis [m].
        headings: (m,) of their velocities [rad].
        speeds: (m,) [m/s].
        radii: (m,) [m].
    """

    seconds: Array
    positions: Array
    deviations: Array
    headings: Array
    speeds: Array
    radii: Array

    def seen_from(self, pose: Array) -> Forecast:
        """The same in the frame of `pose` (3,)."""
        c, s = np.cos(pose[2]), np.sin(pose[2])
        x, y = self.positions[..., 0] - pose[0], self.positions[..., 1] - pose[1]
        positions = np.stack([c * x + s * y, c * y - s * x], -1)
        return Forecast(self.seconds, positions, self.deviations, self.headings - pose[2], self.speeds, self.radii)


def usable(things: MovingThings | None, stamp: float) -> MovingThings | None:
    """The things, if they tell of the moment `stamp` [s]; None: they are too old, or from the future."""
    early = 0.2  # [s] that things may lie ahead of the moment that asks: scans come between pictures
    if things is None or not -early <= stamp - things.stamp <= STALE:
        return None
    return things


def constant_velocity(things: MovingThings, stamp: float, seconds: Array, config: PredictionConfig) -> Forecast | None:
    """Those that move go on as they go: the rival of everything learned (Schöller et al. 2020, "What the constant
    velocity model can teach us about pedestrian motion prediction").

    Args:
        things: in odom.
        stamp: of the moment [s].
        seconds: (t,) from there on.
        config: see there.
    """
    velocities = things.velocities
    fast = np.hypot(*velocities.T) >= config.slowest
    if not fast.any():
        return None
    velocities, covariances = velocities[fast], things.covariances[fast]
    ahead = np.maximum(seconds + (stamp - things.stamp), 0.0)
    positions = things.positions[fast][:, None] + ahead[:, None] * velocities[:, None]
    place, cross, speed = (
        (covariances[:, i, j] + covariances[:, i + 1, j + 1]) / 2 for i, j in ((0, 0), (0, 2), (2, 2))
    )
    variances = (
        place[:, None] + 2 * ahead * cross[:, None] + ahead**2 * speed[:, None] + config.wander**2 * ahead**3 / 3
    )
    return Forecast(
        np.asarray(seconds, np.float64), positions, np.sqrt(np.maximum(variances, 1e-4)),
        np.arctan2(velocities[:, 1], velocities[:, 0]), np.hypot(*velocities.T), things.radii[fast],
    )  # fmt: skip


@dataclass(frozen=True)
class FootprintsConfig:
    """Which footprints count."""

    lasts: float = 20.0  # [s] for which one counts: by then a robot that drives on has looked there again
    step: float = 0.1  # [m] of a thing's way between two of its footprints
    beside: float = 0.3  # [m] beyond its radius: both legs, and half of what it turns and sways by
    came: tuple[float, ...] = (0.9, 0.6, 0.3, 0.0)  # [m] that a thing has come when it is first reported
    most: int = 256  # footprints, the newest


class Footprints:
    """Discs where things that move have been, in the frame of the poses that they are added with."""

    def __init__(self, config: FootprintsConfig | None = None) -> None:
        self._config = config or FootprintsConfig()
        self._discs: deque[tuple[float, Array]] = deque(maxlen=self._config.most)  # stamp [s], (3,): x, y, radius [m]
        self._last: dict[int, Array] = {}  # (2,) in odom, where the newest footprint of each id is

    def add(self, things: MovingThings | None, stamp: float, pose: Array, odometry: Array) -> None:
        """Notes where `things` (in odom) are at `stamp` [s], with the robot at `pose` (3,) and at `odometry` (3,)."""
        while self._discs and not 0.0 <= stamp - self._discs[0][0] <= self._config.lasts:
            self._discs.popleft()
        if things is None:
            return
        known, self._last = self._last, {}
        for thing in things.things:
            last = known.get(thing.id)
            if last is None:
                came = thing.velocity / max(float(np.hypot(*thing.velocity)), 1e-6)
                places = thing.position - np.array(self._config.came)[:, None] * came
                self._press(stamp, places, thing.radius, pose, odometry)
            elif np.hypot(*(thing.position - last)) > self._config.step:
                self._press(stamp, thing.position[None], thing.radius, pose, odometry)
            else:
                self._last[thing.id] = last
                continue
            self._last[thing.id] = thing.position

    def _press(self, stamp: float, places: Array, radius: float, pose: Array, odometry: Array) -> None:
        """A footprint at each of `places` (n, 2) in odom."""
        there = transform_points(compose(pose, relative(odometry, np.zeros(3))), places)
        self._discs.extend((stamp, np.array([x, y, radius + self._config.beside])) for x, y in there)

    def discs(self) -> Array:
        """(n, 3): x, y and radius [m]."""
        return np.array([disc for _, disc in self._discs]).reshape(-1, 3)

    def within(self, points: Array, margin: float = 0.0) -> Array:
        """Which of `points` (n, 2) [m] lie on a footprint, or up to `margin` [m] beside it: (n,) bool."""
        discs = self.discs()
        apart = np.hypot(*(points[:, None] - discs[None, :, :2]).transpose(2, 0, 1))
        return np.asarray((apart < discs[:, 2] + margin).any(1))
