"""One goal on its way: what is wanted, the plan that is followed, and the watchdog over both."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import STILL, Command
from ami_ros.planning.types import Code, Decision, Goal, State


@dataclass(frozen=True)
class Patience:
    """What counts as late, and how long that is tolerated."""

    observation_timeout: float = 0.5  # [s] age of the newest latent at which it stops; larger for a slower camera
    plan_timeout: float = 1.0  # [s] age of a plan's observation at which it is dropped; larger drives on older data
    silence_timeout: float = 2.0  # [s] of steady time without news before it stops, even if the clock is paused
    fault_tolerance: float = 10.0  # [s] of standing because of a fault before the goal is given up

    def __post_init__(self) -> None:
        for name in ("observation_timeout", "plan_timeout", "silence_timeout", "fault_tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be greater than 0")


@dataclass(frozen=True)
class Verdict:
    """What to do at one tick of the control timer."""

    command: Command
    state: State
    code: Code = Code.NONE
    message: str = ""
    give_up: bool = False
    behaviour: str = ""  # as in `Decision`


@dataclass(frozen=True)
class Ages:
    """How old things are at one tick [s]."""

    observation: float  # by its stamp, on the node's clock; infinite before the first
    silence: float  # since it arrived, on steady time
    thinking: float  # since the worker began what it is at, on steady time; 0: idle


class Watchdog:
    """Finds faults, and how long they have lasted. A fault means standing still."""

    def __init__(self, patience: Patience) -> None:
        self.patience = patience
        self._since: float | None = None

    def check(self, steady: float, ages: Ages, plan_is_late: bool) -> Verdict | None:
        """The verdict of a fault at `steady` [s]; None while there is none.

        Args:
            steady: steady time [s].
            ages: see there.
            plan_is_late: there was a plan, and it is too old to be followed.
        """
        patience = self.patience
        if ages.observation > patience.observation_timeout or ages.silence > patience.silence_timeout:
            stale = max(ages.observation, ages.silence)
            age = "ever" if math.isinf(stale) else f"for {stale:.1f} s"
            message = f"no usable observation {age}: are camera, odometry and perception running?"
            code = Code.STALE_OBSERVATION
        elif plan_is_late or ages.thinking > patience.silence_timeout:
            message = f"the plan is older than {patience.plan_timeout} s: the model is too slow here"
            code = Code.DEADLINE_MISSED
        else:
            self._since = None
            return None
        self._since = steady if self._since is None else self._since
        return Verdict(STILL, State.FAULT, code, message, steady - self._since > patience.fault_tolerance)


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
        self.before: PlanTracker | None = None  # followed until there is a decision: this one takes its place

    def take(self, decision: Decision, stamp: float) -> None:
        """A decision on the observation of `stamp` [s]."""
        with self._lock:
            self._newest, self.before = (decision, stamp), None

    def clear(self) -> None:
        """Nothing is to be followed."""
        with self._lock:
            self._newest = self.before = None

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
            newest, before = self._newest, self.before
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
        self.plan.before = other.plan

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
