"""The commands of the last seconds, and their mean over any stretch of time."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import deque

import numpy as np

from ami_ros.commands import STILL, Command, of_width
from ami_ros.geometry import Array

LENGTH = 5.0  # kept [s]


class CommandHistory:
    """Commands of `width` numbers (`ami_ros.commands`) by the time from which they were in force; a command lasts until
    the next."""

    def __init__(self, width: int = 2) -> None:
        self._width = width
        self._stamps: deque[float] = deque()
        self._commands: deque[Command] = deque()

    def clear(self) -> None:
        """Forgets everything."""
        self._stamps.clear()
        self._commands.clear()

    def add(self, stamp: float, command: Command) -> None:
        """A command in force from `stamp` [s] on."""
        command = of_width(command, self._width)
        if self._stamps and stamp <= self._stamps[-1]:
            self._commands[-1] = command
            return
        self._stamps.append(stamp)
        self._commands.append(command)
        while len(self._stamps) > 1 and self._stamps[1] < stamp - LENGTH:
            self._stamps.popleft()
            self._commands.popleft()

    def at(self, stamp: float) -> Command:
        """The command in force at `stamp` [s]; zero before the first."""
        index = bisect_right(self._stamps, stamp) - 1
        return self._commands[index] if index >= 0 else of_width(STILL, self._width)

    def means(self, start: float, period: float, count: int) -> Array:
        """The mean command (count, width) of each of `count` periods [s] from `start` on, as data sets have them."""
        edges = start + period * np.arange(count + 1)
        return np.array([self._mean(a, b) for a, b in itertools.pairwise(edges)])

    def _mean(self, start: float, stop: float) -> Array:
        changes = [s for s in self._stamps if start < s < stop]
        bounds = np.array([start, *changes, stop])
        held = np.array([self.at(b) for b in bounds[:-1]])
        return np.asarray(np.diff(bounds) @ held / (stop - start))
