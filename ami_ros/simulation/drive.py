"""The robot's motors, which bring a wanted velocity within the limits of speed and acceleration, and how a car steers.

The axes of all four wheels of a car meet in one point on the line of the rear axle, so that none of them slips sideways
(Ackermann's geometry: R. Siegwart, I. Nourbakhsh and D. Scaramuzza, Introduction to Autonomous Mobile Robots, 2nd
edition, 2011, section 3.3). base_link is the middle of the rear axle, which always moves straight ahead. A curve is
told by its curvature [1/m], positive to the left.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from ami_ros.commands import STILL, Command, lateral, of_width
from ami_ros.errors import AmiError
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


def control_steps(duration: float) -> int:
    """How many control periods make `duration` [s]; at least one."""
    steps = round(duration / CONTROL_PERIOD)
    if steps < 1 or abs(steps * CONTROL_PERIOD - duration) > 1e-6:
        raise AmiError(f"a step must last a multiple of {CONTROL_PERIOD} s, not {duration} s")
    return steps


def greatest_change(robot: RobotDescription) -> Command:
    """Acceleration of each number of a command [1/s]."""
    motors = robot.simulated
    return motors.linear_acceleration, motors.angular_acceleration, motors.linear_acceleration


class Motors:
    """The motors of `robot`."""

    def __init__(self, robot: RobotDescription) -> None:
        limits = robot.limits
        self._low = -limits.backward, -limits.angular, -limits.lateral
        self._high = limits.linear, limits.angular, limits.lateral
        self._most = tuple(change * CONTROL_PERIOD for change in greatest_change(robot))
        self._track = robot.drive.track
        self._steering = Steering(robot) if robot.drive.kind == "ackermann" else None
        self._delay = round(robot.simulated.dead_time / CONTROL_PERIOD)
        self.restart()

    def restart(self) -> None:
        """At rest, with no commands on their way."""
        self._waiting: deque[Command] = deque([STILL] * self._delay)
        if self._steering is not None:
            self._steering.restart()

    def approach(self, current: Command, command: Command) -> Command:
        """The velocity to ask of the wheels one control period after `current`, on the way to `command`.

        It has the numbers of `current`: a robot that does not drive sideways leaves that part of a command out. A car
        turns as fast as its speed and its steering let it.
        """
        if not all(map(math.isfinite, command)):
            raise AmiError(f"a command must be finite, found {command}")
        self._waiting.append(command)
        wanted = of_width(self._waiting.popleft(), len(current))
        reached = tuple(
            float(np.clip(np.clip(value, low, high), now - most, now + most))
            for value, now, low, high, most in zip(wanted, current, self._low, self._high, self._most, strict=False)
        )
        if self._steering is None:
            return reached
        self._steering.follow(wanted)
        return reached[0], reached[0] * self._steering.curvature

    def stalled(self, velocity: Command) -> Command:
        """What is left of a velocity where something is in the way: all but a car still turn."""
        return of_width((0.0, 0.0 if self._steering is not None else velocity[1]), len(velocity))

    def worn(self, velocity: Command, gains: tuple[float, float]) -> Command:
        """What becomes of a velocity when the wheels of the left and of the right side turn too fast or too slowly.

        Args:
            velocity: that is asked for.
            gains: how fast wheels turn for what is asked of them, left and right; 1: as they should.
        """
        if self._steering is not None:  # its differential makes one of both
            return tuple(sum(gains) / 2 * value for value in velocity)
        turn = velocity[1] * self._track / 2
        left, right = gains[0] * (velocity[0] - turn), gains[1] * (velocity[0] + turn)
        whole = (left + right) / 2, (right - left) / self._track, sum(gains) / 2 * lateral(velocity)
        return of_width(whole, len(velocity))
