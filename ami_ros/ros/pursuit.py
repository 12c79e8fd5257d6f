"""The planner's vigilance: from the age of things, what state it is in and what may be sent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL, Command
from ami_ros.planning.codes import Code
from ami_ros.planning.types import Decision, Goal, Mode, State
from ami_ros.ros.plan_player import PlanPlayer


@dataclass(frozen=True)
class Patience:
    """What is late, and how long that is put up with."""

    observation_timeout: float = 0.5  # [s] of age of the newest latent, from which the robot stands
    plan_timeout: float = 1.0  # [s] of age of the observation under a plan, from which it is not followed
    silence_timeout: float = 2.0  # [s] of steady time without a latent or a decision: the node's clock may be paused
    fault_tolerance: float = 10.0  # [s] of standing because of a fault, after which the goal is given up

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


@dataclass(frozen=True)
class Ages:
    """How old things are at one tick [s]."""

    observation: float  # by its stamp, on the node's clock; infinite before the first
    silence: float  # since it arrived, on steady time
    thinking: float  # since the worker began what it is at, on steady time; 0: idle


class Pursuit:
    """One goal on its way: what is wanted, the newest decision about it, and the watch over both.

    Args:
        goal: what is wanted.
        image: its picture, where it is one that is still to be encoded.
        patience: see there.
        period: how long each command of a decision is held [s].
        began: when [s].
    """

    def __init__(
        self, goal: Goal, image: NDArray[np.uint8] | None, patience: Patience, period: float, began: float
    ) -> None:
        self.goal, self.image, self.patience, self.began = goal, image, patience, began
        self.player = PlanPlayer(period, patience.plan_timeout)
        self.distance_at_start = math.nan  # [m]
        self.plans = self.impulses = 0  # decisions with a plan, and those that the policy made alone
        self._fault_since: float | None = None

    def take(self, decision: Decision, stamp: float) -> None:
        """The navigator decided on the observation of `stamp` [s]."""
        if math.isnan(self.distance_at_start):
            self.distance_at_start = decision.distance
        self.plans += decision.mode is not Mode.NONE
        self.impulses += decision.mode is Mode.IMPULSE
        self.player.take(decision, stamp)

    @property
    def mode_1_share(self) -> float:
        """Of the plans so far, those that the policy made without a search [0..1]; NaN before the first."""
        return self.impulses / self.plans if self.plans else math.nan

    def judge(self, now: float, steady: float, ages: Ages) -> Verdict:
        """The verdict at `now` [s] on the node's clock and `steady` [s] on steady time."""
        code, message = self._fault(now, ages)
        if code is Code.NONE:
            self._fault_since = None
            return self._follow(now)
        if self._fault_since is None:
            self._fault_since = steady
        give_up = steady - self._fault_since > self.patience.fault_tolerance
        return Verdict(STILL, State.FAULT, code, message, give_up)

    def _fault(self, now: float, ages: Ages) -> tuple[Code, str]:
        patience = self.patience
        if ages.observation > patience.observation_timeout or ages.silence > patience.silence_timeout:
            stale = max(ages.observation, ages.silence)
            age = "ever" if math.isinf(stale) else f"for {stale:.1f} s"
            return Code.STALE_OBSERVATION, f"no usable observation {age}: are camera, odometry and perception alive?"
        late = self.player.decision is not None and self.player.due(now) is None
        if late or ages.thinking > patience.silence_timeout:
            return Code.DEADLINE_MISSED, f"the plan is older than {patience.plan_timeout} s: the model is too slow here"
        return Code.NONE, ""

    def _follow(self, now: float) -> Verdict:
        due, decision = self.player.due(now), self.player.decision
        if due is None or decision is None:
            return Verdict(STILL, State.PLANNING, message="thinking about the goal")
        return Verdict(due.command, decision.state, decision.code, decision.message)
