"""The robot's drive: brings a wanted velocity within the limits of speed and acceleration, as its motors can."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.commands import Command, lateral, of_width
from ami_ros.errors import AmiError
from ami_ros.simulation.robot import (
    CONTROL_PERIOD,
    MAX_ANGULAR,
    MAX_ANGULAR_ACCELERATION,
    MAX_LATERAL,
    MAX_LINEAR,
    MAX_LINEAR_ACCELERATION,
    TRACK,
)

FASTEST = MAX_LINEAR, MAX_ANGULAR, MAX_LATERAL
GREATEST_CHANGE = MAX_LINEAR_ACCELERATION, MAX_ANGULAR_ACCELERATION, MAX_LINEAR_ACCELERATION  # [1/s]


def control_steps(duration: float) -> int:
    """How many control periods make `duration` [s]; at least one."""
    steps = round(duration / CONTROL_PERIOD)
    if steps < 1 or abs(steps * CONTROL_PERIOD - duration) > 1e-6:
        raise AmiError(f"a step must last a multiple of {CONTROL_PERIOD} s, not {duration} s")
    return steps


def approach(current: Command, command: Command) -> Command:
    """The velocity to ask of the wheels one control period after `current`, on the way to `command`.

    It has the numbers of `current`: a robot that does not drive sideways leaves that part of a command out.
    """
    if not all(map(math.isfinite, command)):
        raise AmiError(f"a command must be finite, found {command}")
    wanted = of_width(command, len(current))
    return tuple(
        float(np.clip(np.clip(value, -fastest, fastest), now - most * CONTROL_PERIOD, now + most * CONTROL_PERIOD))
        for value, now, fastest, most in zip(wanted, current, FASTEST, GREATEST_CHANGE, strict=False)
    )


def worn(velocity: Command, gains: tuple[float, float]) -> Command:
    """What becomes of a velocity when the wheels of the left and of the right side turn too fast or too slowly.

    Args:
        velocity: that is asked for.
        gains: how fast wheels turn for what is asked of them, left and right; 1: as they should.
    """
    turn = velocity[1] * TRACK / 2
    left, right = gains[0] * (velocity[0] - turn), gains[1] * (velocity[0] + turn)
    return of_width(((left + right) / 2, (right - left) / TRACK, sum(gains) / 2 * lateral(velocity)), len(velocity))
