"""Goals and legs that are given in this process, in simulated time; nodes have actions for them."""

from __future__ import annotations

import math
from collections.abc import Callable

from ami_ros.commands import STILL
from ami_ros.mission.task import Leg
from ami_ros.parts.goal_execution import GoalExecution
from ami_ros.parts.ports import CMD_VEL_RAW
from ami_ros.parts.simulated_bus import SimulatedBus
from ami_ros.parts.task_runner import LegOutcome
from ami_ros.planning.codes import Code
from ami_ros.planning.types import Decision

Ended = Callable[[GoalExecution, LegOutcome], None]


class LocalGoals:
    """The goal of a planner on a simulated bus; see `planner.Goals`.

    Attributes:
        ended: how the newest goal failed; None: it has not.
    """

    def __init__(self, bus: SimulatedBus) -> None:
        self._bus, self._told = bus, list[Ended]()
        self.current: GoalExecution | None = None
        self.ended: Decision | None = None
        self.last_error = (Code.NONE, "")

    def tell(self, told: Ended) -> None:
        """Who is told of each end; its outcome says 0 as the leg."""
        self._told.append(told)

    def start(self, execution: GoalExecution) -> None:
        """A goal in place of any other."""
        if self.current is not None:
            execution.take_over(self.current)
        self.current, self.ended, self.last_error = execution, None, (Code.NONE, "")

    def cancel(self) -> None:
        """No goal any more: the robot stands."""
        if self.current is not None:
            self.current = None
            self._bus.give(CMD_VEL_RAW, self._bus.time, STILL)

    def finish(self, execution: GoalExecution, succeeded: bool, code: Code, message: str) -> None:
        """See `planner.Goals`."""
        if execution is not self.current:
            return
        self.cancel()
        self.last_error = code, message if code else ""
        self.ended = None if succeeded else Decision.failed(code, message)
        for told in self._told:
            told(execution, LegOutcome(0, succeeded, int(code), message))

    def progress(self, execution: GoalExecution, now: float) -> None:
        """Nobody waits for it."""


class LocalLegs:
    """Sends legs to a planner on a simulated bus; see `task_runner.Legs`.

    Args:
        bus: charges the way there and back.
        goals: of the planner.
        start: sets out to a leg, as the planner does when its goal arrives.

    Attributes:
        begun: is told of each leg that is sent.
        over: is told how a leg ended; of one whose place another took it is not.
    """

    ready = True
    silence = 0.0

    def __init__(self, bus: SimulatedBus, goals: LocalGoals, start: Callable[[Leg], GoalExecution]) -> None:
        self._bus, self._goals, self._start = bus, goals, start
        self.leg: Leg | None = None
        self.distance = math.nan
        self.begun: Callable[[Leg], None] = lambda leg: None
        self.over: Callable[[Leg, LegOutcome], None] = lambda leg, outcome: None
        self._outcome: LegOutcome | None = None
        self._execution: GoalExecution | None = None
        goals.tell(self._ended)

    def send(self, leg: Leg) -> None:
        """See `task_runner.Legs`."""
        self.leg, self._outcome, self._execution = leg, None, None
        self.begun(leg)
        self._later(lambda: self._set_out(leg))

    def cancel(self) -> None:
        """See `task_runner.Legs`."""
        if self._execution is not None and self._execution is self._goals.current:
            self._goals.cancel()
        self.leg = self._outcome = self._execution = None

    def take_outcome(self) -> LegOutcome | None:
        """See `task_runner.Legs`."""
        outcome, self._outcome = self._outcome, None
        return outcome

    def _later(self, call: Callable[[], None]) -> None:
        self._bus.at(self._bus.time + self._bus.span("transport"), call)

    def _set_out(self, leg: Leg) -> None:
        if leg is self.leg:
            self._execution = self._start(leg)

    def _ended(self, execution: GoalExecution, outcome: LegOutcome) -> None:
        leg = self.leg
        if leg is None or execution is not self._execution:
            return
        outcome = LegOutcome(leg.number, outcome.succeeded, outcome.code, outcome.message)
        self.over(leg, outcome)
        self._later(lambda: self._take(leg, outcome))

    def _take(self, leg: Leg, outcome: LegOutcome) -> None:
        if leg is self.leg:
            self.leg, self._outcome = None, outcome
