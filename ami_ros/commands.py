"""How a command is laid out: the one place that knows.

A command is (linear, angular), or of a robot that can drive sideways (linear, angular, lateral): linear.x [m/s],
angular.z [rad/s] and linear.y [m/s] of a Twist; x points ahead, y to the left (REP 103). What is new comes last, so the
first two mean the same everywhere, and a command of two numbers is one of three that does not move sideways.
Measured velocities are laid out likewise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Command = tuple[float, ...]  # of 2 or 3 numbers

STILL: Command = (0.0, 0.0)
NAMES = ("linear", "angular", "lateral")
TRANSLATION = slice(0, None, 2)  # of the last axis of arrays: ahead, and sideways where there is such a number


def of_width(command: Iterable[float], width: int) -> Command:
    """The command as `width` numbers: zeros for what is missing, and without what the robot does not have."""
    numbers = [float(number) for number in command][:width]
    return (*numbers, *[0.0] * (width - len(numbers)))


def lateral(command: Sequence[float]) -> float:
    """How fast it moves to the left [m/s]."""
    return float(command[2]) if len(command) > 2 else 0.0


def speed(command: Sequence[float]) -> float:
    """How fast it moves, whatever the direction [m/s]."""
    return math.hypot(command[0], lateral(command))


def as_chunks(commands: list[NDArray[np.float32]], steps: int, chunk: int, width: int = 2) -> NDArray[np.float32]:
    """Sequences (m, steps, chunk, width) of recorded commands (n, any width).

    One too short goes on with its last command; numbers that were not recorded are zero.
    """
    count = steps * chunk
    commands = [np.pad(c[:, :width], ((0, 0), (0, max(0, width - c.shape[1])))) for c in commands]
    long = [np.concatenate([c, np.repeat(c[-1:], max(0, count - len(c)), axis=0)])[:count] for c in commands]
    return np.array(long, np.float32).reshape(-1, steps, chunk, width)
