"""The robot's motor controller: brings a wanted velocity within the limits of speed and acceleration."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.simulation.robot import (
    CONTROL_PERIOD,
    MAX_ANGULAR,
    MAX_ANGULAR_ACCELERATION,
    MAX_LINEAR,
    MAX_LINEAR_ACCELERATION,
)


def control_steps(duration: float) -> int:
    """How many control periods make `duration` [s]; at least one."""
    steps = round(duration / CONTROL_PERIOD)
    if steps < 1 or abs(steps * CONTROL_PERIOD - duration) > 1e-6:
        raise AmiError(f"a step must last a multiple of {CONTROL_PERIOD} s, not {duration} s")
    return steps


def approach(current: tuple[float, float], command: tuple[float, float]) -> tuple[float, float]:
    """The velocity to ask of the wheels one control period after `current`, on the way to `command`."""
    if not (math.isfinite(command[0]) and math.isfinite(command[1])):
        raise AmiError(f"a command must be finite, found {command}")
    linear = np.clip(command[0], -MAX_LINEAR, MAX_LINEAR)
    angular = np.clip(command[1], -MAX_ANGULAR, MAX_ANGULAR)
    dv, dw = MAX_LINEAR_ACCELERATION * CONTROL_PERIOD, MAX_ANGULAR_ACCELERATION * CONTROL_PERIOD
    return (
        float(np.clip(linear, current[0] - dv, current[0] + dv)),
        float(np.clip(angular, current[1] - dw, current[1] + dw)),
    )
