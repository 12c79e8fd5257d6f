"""Where others will be: constant velocity, with a doubt that grows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array
from ami_ros.moving.things import MovingThings

STALE = 0.7  # [s] after which what a tracker said holds no more: a walker goes on by half a metre
EARLY = 0.2  # [s] that things may lie ahead of the moment that asks: scans come between pictures


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
    if things is None or not -EARLY <= stamp - things.stamp <= STALE:
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
