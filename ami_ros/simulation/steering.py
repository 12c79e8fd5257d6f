"""How a car steers: a command as a curve, a curve as the angles of its front wheels, and back.

The axes of all four wheels meet in one point, which lies on the line of the rear axle, so that none of them slips
sideways (Ackermann's geometry: R. Siegwart, I. Nourbakhsh and D. Scaramuzza, Introduction to Autonomous Mobile Robots,
2nd edition, 2011, section 3.3). base_link is the middle of the rear axle, which always moves straight ahead. A curve is
told by its curvature [1/m], positive to the left.
"""

from __future__ import annotations

import math

from ami_ros.commands import Command
from ami_ros.robots.description import Drive, RobotDescription
from ami_ros.simulation.robot import CONTROL_PERIOD


class Steering:
    """What is asked of the front wheels of `robot`, as the angle of one in the middle between them."""

    def __init__(self, robot: RobotDescription) -> None:
        self._drive = robot.drive
        self._limit = math.atan(robot.drive.wheelbase / robot.drive.turning_radius)
        self._most = robot.simulated.steering_rate * CONTROL_PERIOD
        self.restart()

    def restart(self) -> None:
        """Straight ahead."""
        self._angle = 0.0

    def follow(self, command: Command) -> None:
        """Steers for one control period towards the curve of `command`.

        At a speed of zero a command is no curve: the wheels stay as they are, and the car does not turn.
        """
        linear, angular = command[:2]
        if linear == 0.0:
            return
        wanted = math.atan(self._drive.wheelbase * angular / linear)
        wanted = max(-self._limit, min(wanted, self._limit))
        self._angle += max(-self._most, min(wanted - self._angle, self._most))

    @property
    def curvature(self) -> float:
        """Of the curve that it is steered into now [1/m]."""
        return math.tan(self._angle) / self._drive.wheelbase


def wheel_angles(drive: Drive, curvature: float) -> tuple[float, float]:
    """Angles [rad] of the left and the right front wheel for a curve; the inner one is turned more."""
    ahead, half = drive.wheelbase * curvature, drive.track / 2 * curvature
    return math.atan2(ahead, 1.0 - half), math.atan2(ahead, 1.0 + half)


def curvature_of(drive: Drive, left: float, right: float) -> float:
    """The curve [1/m] that front wheels at these angles [rad] lead into: the mean of what each says."""
    half = drive.track / 2
    ours = math.tan(left) / (drive.wheelbase + half * math.tan(left))
    theirs = math.tan(right) / (drive.wheelbase - half * math.tan(right))
    return (ours + theirs) / 2
