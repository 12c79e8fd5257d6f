"""How a car is driven at random: what others do by turning on the spot it does in strokes, ahead and back."""

from __future__ import annotations

import math

from ami_ros.commands import Command
from ami_ros.geometry import Array
from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.clear_arcs import keeps_clear

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
