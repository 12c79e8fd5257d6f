"""Steps out of the way of somebody who comes at the robot, whatever it is about: the last resort of those who stand,
turn, or drive straight on without a search.

A few constant commands are rolled out beside the one that is planned (as the dynamic window approach does: Fox et al.,
"The dynamic window approach to collision avoidance", 1997), among people who go on as they go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.commands import Command
from ami_ros.disc import Disc
from ami_ros.geometry import Array, wrap
from ami_ros.moving.prediction import Forecast
from ami_ros.planning.kinematics import Kinematics
from ami_ros.scan import Scan, scan_points

STEP = 0.1  # [s] of a roll-out
LATE = 0.25  # [s] until a new command moves the robot: p95 of image to command, and its lag


@dataclass(frozen=True)
class EvasionConfig:
    """When to step aside, and for what."""

    enabled: bool = False  # true: step aside; off until the gate lets the robot out of the way (bench people, blind)
    horizon: float = 2.0  # [s] looked ahead; larger steps aside sooner, and in vain more often
    near: float = 0.2  # [m] between both edges from which on it steps aside; larger: sooner
    gain: float = 0.05  # [m] by which a step aside must be better than what is planned
    room: float = 0.05  # [m] that it keeps free of what stands


def times(horizon: float) -> Array:
    """At which evasion wants the forecast (t,) [s]."""
    return np.arange(STEP, horizon + STEP / 2, STEP)


def evasion(
    planned: Array, forecast: Forecast, scan: Scan | None, robot: Kinematics, disc: Disc, config: EvasionConfig,
    period: float,
) -> Command | None:  # fmt: skip
    """The command that leads out of the way; None: what is planned is as good, or nobody comes near.

    Args:
        planned: (k, 2 or 3) commands, each for `period` [s]; none: it stands.
        forecast: of what moves, in base_link now, at `times`.
        scan: of what stands, in base_link; without one it stays where it is.
        robot: what it can do.
        disc: that holds it.
        config: see there.
        period: see above.
    """
    seconds = times(config.horizon)
    held = np.minimum((seconds / period).astype(np.int64), max(len(planned) - 1, 0))
    own = planned[held] if len(planned) else np.zeros((len(seconds), 2))
    others = robot.primitives(1)[:, 0]
    own_gap = _gap(_ways(own[None], seconds, disc), forecast, disc)[0]
    if scan is None or own_gap >= config.near:
        return None
    ways = _ways(np.repeat(others[:, None], len(seconds), 1), seconds, disc)
    gaps = np.where(_free(ways, scan, disc, config), _gap(ways, forecast, disc), -np.inf)
    best = int(gaps.argmax())
    return tuple(map(float, others[best])) if gaps[best] > own_gap + config.gain else None


def _ways(commands: Array, seconds: Array, disc: Disc) -> Array:
    """Middles (n, t, 2) of the robot's disc under `commands` (n, t, 2 or 3), which begin after LATE."""
    late = np.clip((seconds - LATE) / STEP, 0.0, 1.0)
    linear, angular = commands[..., 0] * late, commands[..., 1] * late
    yaw = np.cumsum(angular, 1) * STEP
    middle = yaw - angular * STEP / 2
    aside = commands[..., 2] * late if commands.shape[-1] == 3 else np.zeros_like(linear)
    c, s = np.cos(middle), np.sin(middle)
    x, y = np.cumsum(linear * c - aside * s, 1) * STEP, np.cumsum(linear * s + aside * c, 1) * STEP
    return np.asarray(disc.centre(np.stack([x, y, wrap(yaw)], -1)))


def _gap(ways: Array, forecast: Forecast, disc: Disc) -> Array:
    """Least gap (n,) [m] to anybody."""
    apart = np.hypot(*(ways[:, None] - forecast.positions[None]).transpose(3, 0, 1, 2))
    return np.asarray((apart - forecast.radii[None, :, None]).min((1, 2)) - disc.radius)


def _free(ways: Array, scan: Scan, disc: Disc, config: EvasionConfig) -> Array:
    """Which of the ways (n,) keep off what stands, or come no nearer to it than the robot is."""
    points = scan_points(scan, 2.0)
    if not len(points):
        return np.ones(len(ways), bool)
    room = np.hypot(*(ways[:, :, None] - points[None, None]).transpose(3, 0, 1, 2)).min(2) - disc.radius
    here = float(np.hypot(*(points - disc.centre(np.zeros(3))).T).min()) - disc.radius
    return np.asarray((room >= min(config.room, here)).all(1))
