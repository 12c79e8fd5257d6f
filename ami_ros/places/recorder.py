"""What the robot was told to do from a place on: candidates for the planner when it comes by again.

Memory-initialised search (IMWM) begins with what was done in similar situations.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.commands import STILL, Command, of_width

LENGTH = 24  # model periods that are recorded from a place on
LONGEST_GAP = 3.0  # model periods between two moments, beyond which nothing is known of what was in between


class CommandRecorder:
    """Follows one robot's commands.

    Args:
        period: of the model [s].
        width: numbers in a command, see `ami_ros.commands`.
    """

    def __init__(self, period: float, width: int = 2) -> None:
        self.period, self.width = period, width
        self.restart()

    def restart(self) -> None:
        """What comes does not follow from what was."""
        self._stamps: deque[float] = deque()  # ends of the stretches ...
        self._commands: deque[Command] = deque()  # ... that each command was in force
        self._open: deque[tuple[int, float]] = deque()  # places, and when the robot was there

    def begin(self, place_id: int, stamp: float) -> None:
        """The robot is at a place at `stamp` [s], not before the newest moment."""
        self._open.append((place_id, stamp))

    def observe(self, stamp: float, command: ArrayLike | None) -> list[tuple[int, NDArray[np.float32]]]:
        """A moment has come, until which `command` was in force since the one before; None: not known.

        Returns:
            Places whose recording is whole now, with their commands (LENGTH, width).
        """
        gap = stamp - self._stamps[-1] if self._stamps else 0.0
        if command is None or not np.isfinite(command).all() or not 0.0 <= gap <= LONGEST_GAP * self.period:
            self.restart()
        self._stamps.append(stamp)
        self._commands.append(of_width(STILL if command is None else np.asarray(command), self.width))
        if command is None:
            return []
        whole = []
        while self._open and stamp >= self._open[0][1] + LENGTH * self.period:
            place_id, start = self._open.popleft()
            whole.append((place_id, self._since(start)))
        oldest = self._open[0][1] if self._open else stamp
        while len(self._stamps) > 1 and self._stamps[1] <= oldest:
            self._stamps.popleft()
            self._commands.popleft()
        return whole

    def _since(self, start: float) -> NDArray[np.float32]:
        """Commands (LENGTH, width) of each period from `start` on, as they were in its middle."""
        middles = start + self.period * (np.arange(LENGTH) + 0.5)
        rows = np.searchsorted(np.array(self._stamps), middles)
        return np.array(self._commands, np.float32)[np.minimum(rows, len(self._commands) - 1)]
