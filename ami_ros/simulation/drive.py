"""The robot's motors: they bring a wanted velocity within the limits of speed and acceleration."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from ami_ros.commands import STILL, Command, lateral, of_width
from ami_ros.errors import AmiError
from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.robot import CONTROL_PERIOD
from ami_ros.simulation.steering import Steering


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
