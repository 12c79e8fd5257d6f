"""Driving by hand: the robot moves only while somebody says so, again and again."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from ami_ros.commands import STILL, Command

SILENCE = 0.3  # [s] without a word after which the robot is told to stand; a page says it every 0.1 s
STANDS_FOR = 1.0  # [s] that zero is sent then, before nothing is sent at all


@dataclass(frozen=True)
class HandSpeeds:
    """What a full deflection means; the gate and the robot's own limits may make it less."""

    linear: float = 0.25  # [m/s] as fast as one walks beside it in a room
    angular: float = 0.8  # [rad/s]


class DeadMan:
    """Who drives by hand, and what is sent for that. All times are steady [s]; any thread may call it.

    Args:
        speeds: see there.
    """

    def __init__(self, speeds: HandSpeeds | None = None) -> None:
        self._speeds = speeds or HandSpeeds()
        self._lock = threading.Lock()
        self._command: Command = STILL
        self._said = -math.inf

    def steer(self, linear: float, angular: float, now: float) -> None:
        """Somebody steers, by shares [-1, 1] of the speeds."""
        with self._lock:
            self._command = linear * self._speeds.linear, angular * self._speeds.angular
            self._said = now

    def let_go(self, now: float) -> None:
        """Who steered is gone: zero from now on."""
        with self._lock:
            if self._said > -math.inf:
                self._command, self._said = STILL, min(self._said, now - SILENCE)

    def drop(self) -> None:
        """Nothing is sent any more, not even zero: somebody else drives."""
        with self._lock:
            self._command, self._said = STILL, -math.inf

    def engaged(self, now: float) -> bool:
        """Somebody steers."""
        return now - self._said <= SILENCE

    def output(self, now: float) -> Command | None:
        """What to send now: the command, zero for a while after the last word, then None: nothing."""
        with self._lock:
            age = now - self._said
            if age <= SILENCE:
                return self._command
            return STILL if age <= SILENCE + STANDS_FOR else None
