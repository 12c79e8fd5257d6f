"""The watchdog: from the age of observations and plans, what may be sent to the robot."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ami_ros.commands import STILL, Command
from ami_ros.planning.codes import Code
from ami_ros.planning.types import State


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
        code, message = self._fault(ages, plan_is_late)
        if code is Code.NONE:
            self._since = None
            return None
        if self._since is None:
            self._since = steady
        return Verdict(STILL, State.FAULT, code, message, steady - self._since > self.patience.fault_tolerance)

    def _fault(self, ages: Ages, plan_is_late: bool) -> tuple[Code, str]:
        patience = self.patience
        if ages.observation > patience.observation_timeout or ages.silence > patience.silence_timeout:
            stale = max(ages.observation, ages.silence)
            age = "ever" if math.isinf(stale) else f"for {stale:.1f} s"
            return Code.STALE_OBSERVATION, f"no usable observation {age}: are camera, odometry and perception running?"
        if plan_is_late or ages.thinking > patience.silence_timeout:
            return Code.DEADLINE_MISSED, f"the plan is older than {patience.plan_timeout} s: the model is too slow here"
        return Code.NONE, ""
