"""Follows the newest plan: which of its commands is due now, and whether the plan is still recent enough."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from ami_ros.commands import STILL, Command
from ami_ros.planning.types import Decision


@dataclass(frozen=True)
class Due:
    """What is to be sent now."""

    command: Command
    age: float  # of the observation it was decided on [s]


class PlanTracker:
    """Holds the newest decision; written by the worker, read by the control timer.

    Args:
        period: how long each command is held [s].
        max_age: of the observation under a decision, from which it is not followed any more [s].
    """

    def __init__(self, period: float, max_age: float) -> None:
        self.period, self.max_age = period, max_age
        self._lock = threading.Lock()
        self._newest: tuple[Decision, float] | None = None

    def take(self, decision: Decision, stamp: float) -> None:
        """A decision on the observation of `stamp` [s]."""
        with self._lock:
            self._newest = (decision, stamp)

    def clear(self) -> None:
        """Nothing is to be followed."""
        with self._lock:
            self._newest = None

    @property
    def decision(self) -> Decision | None:
        """The newest decision."""
        newest = self._newest
        return None if newest is None else newest[0]

    @property
    def stamp(self) -> float:
        """Stamp of the observation under it [s]; NaN without a decision."""
        newest = self._newest
        return float("nan") if newest is None else newest[1]

    def due(self, now: float) -> Due | None:
        """The command of this moment; None if there is no decision, or one on an observation that is too old.

        Past the end of its commands a decision means standing still.
        """
        with self._lock:
            if self._newest is None:
                return None
            decision, stamp = self._newest
        age = now - stamp
        if age > self.max_age:
            return None
        index = max(0, int(np.floor(age / self.period)))
        if index >= len(decision.commands):
            return Due(STILL, age)
        return Due(tuple(map(float, decision.commands[index])), age)
