"""One goal on its way: what is wanted, the plan that is followed, and the watchdog over both."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL
from ami_ros.parts.plan_tracker import PlanTracker
from ami_ros.parts.watchdog import Ages, Patience, Verdict, Watchdog
from ami_ros.planning.types import Decision, Goal, State


class GoalExecution:
    """Decisions come in, commands go out.

    Args:
        goal: what is wanted.
        image: its picture (H, W, 3) RGB, where it is one that is still to be encoded.
        patience: of the watchdog.
        period: how long each command of a decision is held [s].
        began: when [s].
    """

    def __init__(
        self, goal: Goal, image: NDArray[np.uint8] | None, patience: Patience, period: float, began: float
    ) -> None:
        self.goal, self.image, self.began = goal, image, began
        self.plan = PlanTracker(period, patience.plan_timeout)
        self.distance_at_start = math.nan  # [m]
        self._watchdog = Watchdog(patience)

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
            return Verdict(STILL, State.PLANNING, message="thinking about the goal")
        return Verdict(due.command, decision.state, decision.code, decision.message)
