"""One goal on its way: what is wanted, the plan that is followed, and the watchdog over both."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL, Command
from ami_ros.parts.watchdog import Ages, Patience, Verdict, Watchdog
from ami_ros.planning.types import Decision, Goal, State


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
        self._before: PlanTracker | None = None

    def go_on_from(self, before: PlanTracker) -> None:
        """Until there is a decision, those of a plan whose place this one takes are followed."""
        with self._lock:
            self._before = before

    def take(self, decision: Decision, stamp: float) -> None:
        """A decision on the observation of `stamp` [s]."""
        with self._lock:
            self._newest, self._before = (decision, stamp), None

    def clear(self) -> None:
        """Nothing is to be followed."""
        with self._lock:
            self._newest = self._before = None

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
            newest, before = self._newest, self._before
        if newest is None:
            return None if before is None else before.due(now)
        decision, stamp = newest
        age = now - stamp
        if age > self.max_age:
            return None
        index = max(0, int(np.floor(age / self.period)))
        if index >= len(decision.commands):
            return Due(STILL, age)
        return Due(tuple(map(float, decision.commands[index])), age)


class Photograph(NamedTuple):
    """A picture of a goal, still to be encoded."""

    image: NDArray[np.uint8]  # (H, W, 3) RGB
    turn: float = 0.0  # [rad] of the robot from the goal's heading, when it took the picture


class GoalExecution:
    """Decisions come in, commands go out.

    Args:
        goal: what is wanted.
        photographs: its pictures, where they are still to be encoded; the first one looks as the goal does.
        patience: of the watchdog.
        period: how long each command of a decision is held [s].
        began: when [s].
    """

    def __init__(
        self, goal: Goal, photographs: Sequence[Photograph], patience: Patience, period: float, began: float
    ) -> None:
        self.goal, self.photographs, self.began = goal, tuple(photographs), began
        self.plan = PlanTracker(period, patience.plan_timeout)
        self.distance_at_start = math.nan  # [m]
        self._watchdog = Watchdog(patience)

    def take_over(self, other: GoalExecution) -> None:
        """This goal takes the place of another one: the robot goes on as it does, until there is a plan for this."""
        self.plan.go_on_from(other.plan)

    def follow(self, decision: Decision, stamp: float) -> None:
        """The navigator decided on the observation of `stamp` [s]."""
        if math.isnan(self.distance_at_start):
            self.distance_at_start = decision.distance
        self.plan.take(decision, stamp)

    def act(self, now: float, steady: float, ages: Ages) -> Verdict:
        """What to do at `now` [s] on the node's clock and `steady` [s] on steady time."""
        decision, due = self.plan.decision, self.plan.due(now)
        fault = self._watchdog.check(steady, ages, decision is not None and due is None)
        if fault is not None:
            return fault
        if due is None or decision is None:
            on = STILL if due is None else due.command
            return Verdict(on, State.PLANNING, message="thinking about the goal")
        behaviour = decision.behaviour
        return Verdict(due.command, decision.state, decision.code, decision.message, behaviour=behaviour)
