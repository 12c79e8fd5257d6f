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
from numpy.typing import ArrayLike, NDArray

Command = tuple[float, ...]  # of 2 or 3 numbers

STILL: Command = (0.0, 0.0)
NAMES = ("linear", "angular", "lateral")
MAX_PACKED = 256  # numbers in a row of `pack`
USUAL = (
    2  # numbers in a command that go without saying in such a row; others are told by a NaN and their number in front
)
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


def pack(commands: NDArray[np.float32]) -> NDArray[np.float32]:
    """Commands (n, 2 or 3) as one row of numbers, for files and messages."""
    width = commands.shape[1]
    return np.concatenate([[] if width == USUAL else [np.nan, width], commands.ravel()]).astype(np.float32)


def unpack(row: ArrayLike) -> NDArray[np.float32] | None:
    """The commands (n, 2 or 3) that `pack` made a row of; None where it makes no sense, or is empty."""
    numbers, width = np.asarray(row, np.float32), USUAL
    if len(numbers) > 1 and np.isnan(numbers[0]):
        numbers, width = numbers[2:], int(np.nan_to_num(numbers[1]))
    if width not in (2, 3) or not len(numbers) or len(numbers) % width or not np.isfinite(numbers).all():
        return None
    return numbers.reshape(-1, width)
