"""Commands that were driven from a place on, as one row of numbers: how files and messages hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

MOST = 256  # numbers in a row
USUAL = 2  # numbers in a command that go without saying; others are told by a NaN and their number in front


def flat(commands: NDArray[np.float32]) -> NDArray[np.float32]:
    """Commands (n, 2 or 3), see `ami_ros.commands`, as one row."""
    width = commands.shape[1]
    return np.concatenate([[] if width == USUAL else [np.nan, width], commands.ravel()]).astype(np.float32)


def commands_of(row: ArrayLike) -> NDArray[np.float32] | None:
    """The commands (n, 2 or 3) that `flat` made a row of; None where it makes no sense, or is empty."""
    numbers, width = np.asarray(row, np.float32), USUAL
    if len(numbers) > 1 and np.isnan(numbers[0]):
        numbers, width = numbers[2:], int(np.nan_to_num(numbers[1]))
    if width not in (2, 3) or not len(numbers) or len(numbers) % width or not np.isfinite(numbers).all():
        return None
    return numbers.reshape(-1, width)
