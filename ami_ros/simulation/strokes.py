"""How a car is driven at random, in strokes ahead and back where others turn on the spot; what can be driven freely."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.commands import Command
from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription
from ami_ros.scan import Scan

LOOK_AHEAD = 0.8  # how long a command's arc is tried, braking included [s]


def scan_ends(scan: Scan) -> Array:
    """What the scan saw: points (k, 2) [m] in base_link."""
    seen = np.isfinite(scan.ranges)
    ranges, angles = scan.ranges[seen].astype(np.float64), scan.angles[seen]
    return np.asarray(np.stack([ranges * np.cos(angles), ranges * np.sin(angles)], axis=-1) + scan.origin)


def keeps_clear(points: Array, command: Command, clear: float) -> bool:
    """Whether the arc of a command stays `clear` [m] of the points, and comes no nearer where it is not so already."""
    times = np.linspace(0.1, LOOK_AHEAD, 6)
    linear, angular, aside = command
    turned = angular * times
    if abs(angular) > 1e-3:
        s, c, ahead, left = np.sin(turned), 1.0 - np.cos(turned), linear / angular, aside / angular
        x, y = ahead * s - left * c, ahead * c + left * s
    else:
        x, y = linear * times, aside * times
    distance = np.hypot(points[:, 0] - x[:, None], points[:, 1] - y[:, None]).min(axis=1, initial=np.inf)
    now = np.hypot(points[:, 0], points[:, 1]).min(initial=np.inf)
    return bool((distance > np.minimum(clear, now + 0.005)).all() or linear == aside == 0.0)


SHARES = (1.0, 0.7, 0.45)  # of a speed that are tried on the scan
SPEED = 0.25  # of strokes, at most [m/s]
CREEP = 0.1  # likewise, at least [m/s]
BACK = 1.2  # how long a stroke back lasts at most [s]: what is behind is seen by no camera


class Strokes:
    """Commands for a car, each with its arc clear of what the scan saw.

    Where its way ahead is not clear it goes back with its wheels turned over, and then ahead again: as cars turn in a
    narrow street.

    Args:
        robot: the car.
        period: between two calls of `command` [s].
    """

    def __init__(self, robot: RobotDescription, period: float) -> None:
        self._radius, self._limits, self._period = robot.drive.turning_radius, robot.limits, period
        self._back = 0.0  # for so long it goes back [s]

    def command(self, points: Array, wish: Command, clear: float) -> Command:
        """What comes nearest to a wish (linear, angular).

        Args:
            points: (k, 2) [m] in base_link, that the scan saw.
            wish: may turn on the spot: that becomes strokes.
            clear: [m] that is kept from the points.
        """
        linear, angular = wish[:2]
        if linear == angular == 0.0:
            return 0.0, 0.0
        ahead = max(linear, min(abs(angular) * self._radius, SPEED), CREEP)
        if linear >= 0.0 and self._back <= 0.0:
            if (found := self._clear(points, ahead, angular, clear)) is not None:
                return found
            self._back = BACK
        self._back -= self._period
        back = -linear if linear < 0.0 else min(ahead, SPEED)
        for turn in (angular, 0.0, -angular):
            if (found := self._clear(points, -back, turn, clear)) is not None:
                return found
        self._back = 0.0
        return self._clear(points, CREEP, -angular, clear) or (0.0, 0.0)

    def _clear(self, points: Array, linear: float, angular: float, clear: float) -> Command | None:
        """The command, no tighter than the car turns, slowed down until its arc is clear; None: it never is."""
        for share in SHARES:
            most = abs(linear) * share / self._radius
            command = linear * share, math.copysign(min(abs(angular), most, self._limits.angular), angular)
            if keeps_clear(points, (*command, 0.0), clear):
                return command
        return None
