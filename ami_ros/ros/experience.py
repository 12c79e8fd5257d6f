"""What happened since the last moment that memory took in: the command in force, and how much the world surprised."""

from __future__ import annotations

import math

from ami_ros.commands import Command
from ami_ros.ros.command_history import CommandHistory


class Experience:
    """Collects between two moments; commands have `width` numbers."""

    def __init__(self, width: int = 2) -> None:
        self._commands = CommandHistory(width)
        self.clear()

    def clear(self) -> None:
        """What was is not followed by what comes."""
        self._commands.clear()
        self._told = False
        self._surprise, self._taken = 0.0, math.nan

    def command(self, stamp: float, command: Command) -> None:
        """A command in force from `stamp` [s] on; one that is not finite is none."""
        if all(map(math.isfinite, command)):
            self._commands.add(stamp, command)
            self._told = True

    def surprise(self, z_score: float) -> None:
        """A reading; NaN: not known."""
        if z_score > self._surprise:
            self._surprise = z_score

    def until(self, stamp: float) -> tuple[Command | None, float]:
        """The mean command since the last call and the greatest z score; no command where there was no other moment,
        nor any command ever: then nobody says what the robot does."""
        command = None
        if self._told and self._taken < stamp:
            command = tuple(map(float, self._commands.means(self._taken, stamp - self._taken, 1)[0]))
        surprise, self._surprise, self._taken = self._surprise, 0.0, stamp
        return command, surprise
