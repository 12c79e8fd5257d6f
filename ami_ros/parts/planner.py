"""The part `planner`: drives to one goal at a time, by planning in latent space.

The navigator runs on the worker, on the newest latent; the control timer sends what its newest decision has for this
moment, and never waits for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from ami_ros.adaptation.weights import Weights
from ami_ros.commands import STILL
from ami_ros.config import group, parameter
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.mission.navigator import Navigator
from ami_ros.parts.driver import Driver
from ami_ros.parts.followed_model import FollowedModel
from ami_ros.parts.goal_execution import GoalExecution
from ami_ros.parts.part import Bus, Finish, Part
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.parts.percepts import SCAN_TIMEOUT, SURPRISE_TIMEOUT, Percepts
from ami_ros.parts.ports import (
    ADAPTATION,
    ATTENTION,
    CMD_VEL_RAW,
    FIND_ROUTE,
    GATE,
    KEEP_AWAY,
    LATENT,
    LOCATION,
    MOVING_THINGS,
    ODOM,
    SCAN,
    STATE,
    SURPRISE,
    THOUGHT,
    Motion,
    Port,
)  # fmt: skip
from ami_ros.parts.routes import Routes
from ami_ros.parts.watchdog import Ages, Patience, Verdict
from ami_ros.places.types import Location
from ami_ros.planning.codes import Code
from ami_ros.planning.types import Decision, Percept, Reading, State
from ami_ros.safety.output import STOPPED, SafetyOutput
from ami_ros.scan import Scan
from ami_ros.world_model.perception import Perception

PAUSE = 0.5  # [s] of steady time without a tick of the control timer after which the robot's clock counts as paused

# A stop that is released must not set the robot off by itself (ISO 13850); who wants it to go on says so.
HELD = Verdict(
    STILL, State.FAULT, Code.EMERGENCY_STOP, "an emergency stop: release it, then send the goal again", give_up=True
)


@dataclass(frozen=True)
class PlannerSettings:
    """What it is told."""

    control_rate: float = parameter(
        10.0,
        "Of cmd_vel_raw while there is a goal. Larger follows a plan more finely.",
        "Hz",
        (1.0, 100.0),
        True,
    )
    route_timeout: float = parameter(
        2.0,
        "To wait for a route before the robot drives without one; five times as long where only memory knows the goal.",
        "s",
        (0.05, 60.0),
        True,
    )
    tracks: bool = parameter(
        True, "Whether what moves is tracked in scans. Errors of scans that are guessed from pictures move, too."
    )
    patience: Patience = group(Patience, mutable=None)


class Goals(Protocol):
    """Who wants the robot to go somewhere."""

    @property
    def current(self) -> GoalExecution | None: ...  # the goal to pursue
    def finish(self, execution: GoalExecution, succeeded: bool, code: Code, message: str) -> None: ...
    def progress(self, execution: GoalExecution, now: float) -> None: ...  # it is on its way
    @property
    def last_error(self) -> tuple[Code, str]: ...  # of the goal before


@dataclass(frozen=True)
class Thought:
    """What came of one moment: how it was perceived, and what was decided, if there is a goal."""

    percept: Percept
    execution: GoalExecution | None
    decision: Decision | None


class PlannerStatus(NamedTuple):
    """What the planner does at one tick of the control timer."""

    verdict: Verdict
    execution: GoalExecution | None
    observation_age: float  # [s] of the newest latent


class PlannerPart(Part):
    """One goal at a time; every goal gets a result, whatever the model does.

    Args:
        bus: see `Part`.
        navigator: decides.
        followed: the model that it imagines with, and what was adapted in it.
        perception: encodes pictures of goals, with the model as it was trained.
        config: see there.
        goals: where goals come from.
    """

    name = "planner"
    takes: tuple[Port, ...] = (
        ADAPTATION,
        ODOM,
        SCAN.taken(frame="base_link", max_age=SCAN_TIMEOUT),
        LOCATION,
        KEEP_AWAY,
        SURPRISE.taken(max_age=SURPRISE_TIMEOUT),
        LATENT,
        GATE,
    )
    gives: tuple[Port, ...] = (ATTENTION, CMD_VEL_RAW, STATE, THOUGHT, MOVING_THINGS)
    asks = (FIND_ROUTE,)

    def __init__(
        self,
        bus: Bus,
        navigator: Navigator,
        followed: FollowedModel,
        perception: Perception,
        config: PlannerSettings,
        goals: Goals,
    ) -> None:
        super().__init__(bus)
        self.followed, self.goals = followed, goals
        self.percepts, self.routes = Percepts(config.tracks), Routes(bus, config.route_timeout)
        self.driver = Driver(navigator, perception, self.routes)
        self._latent_stamp = self._latent_came = -math.inf
        self._compares: bool | None = None  # what it said last
        self._stopped = False  # by an emergency stop
        self._ticked = bus.steady()
        self._timer = bus.every(1.0 / config.control_rate, self._control)
        bus.every(PAUSE / 2, self._control_when_paused, steady=True)

    @property
    def navigator(self) -> Navigator:
        """Drives to the goal; another one when parameters have changed."""
        return self.driver.navigator

    def tune(self, config: PlannerSettings) -> None:
        """Other values from now on."""
        self._timer.set_period(1.0 / config.control_rate)
        self.routes.timeout = config.route_timeout

    def restart(self) -> None:
        self.percepts.clear()
        self.bus.forget_work()
        self._latent_stamp = -math.inf
        if (execution := self.goals.current) is not None:
            self.goals.finish(execution, False, Code.STALE_OBSERVATION, "time was turned back; send the goal again")

    # Sensing

    def on_adaptation(self, stamp: float, weights: Weights) -> None:
        self.followed.take(weights)

    def on_odom(self, stamp: float, motion: Motion) -> None:
        self.percepts.take_odometry(stamp, *motion, self.bus.now())

    def on_scan(self, stamp: float, scan: Scan) -> None:
        if (things := self.percepts.take_scan(stamp, scan)) is not None:
            self.bus.give(MOVING_THINGS, stamp, things)

    def on_location(self, stamp: float, location: Location) -> None:
        self.percepts.take_location(location)

    def on_keep_away(self, stamp: float, circles: Array) -> None:
        self.percepts.take_keep_away(circles)

    def on_surprise(self, stamp: float, reading: Reading) -> None:
        self.percepts.take_surprise(reading)

    def on_latent(self, stamp: float, seen: LatentFrame) -> None:
        percept = self.percepts.at(seen)
        self._latent_stamp, self._latent_came = percept.stamp, self.bus.steady()
        if self.goals.current is not None:
            self.bus.work(lambda: self._think(percept))
        else:
            self._attend(stamp, False)
            self.bus.give(THOUGHT, stamp, Thought(percept, None, None))

    def on_safety_status(self, stamp: float, output: SafetyOutput) -> None:
        self._stopped = output.reason == STOPPED
        if self._stopped:
            self._control()

    def _attend(self, stamp: float, compares: bool) -> None:
        """Says whether pictures are compared; half of what perception computes is for that."""
        if compares != self._compares:
            self._compares = compares
            self.bus.give(ATTENTION, stamp, compares)

    # Thinking, on the worker

    def _think(self, percept: Percept) -> Finish | None:
        self.followed.refresh()
        execution = self.goals.current
        if execution is None:
            return None
        try:
            decision = self.driver.decide(execution, percept)
        except Exception as error:  # whatever the model raises: the goal ends, the robot's mind lives
            self.driver.abandon()
            code, text = Code.MODEL_FAILURE, f"{type(error).__name__}: {error}"
            if isinstance(error, AmiError):
                code, text = Code(error.code) if error.code in list(Code) else code, str(error)
            execution.plan.clear()
            self.goals.finish(execution, False, code, text)
            raise
        return partial(self._follow, Thought(percept, execution, decision))

    def _follow(self, thought: Thought) -> None:
        """The decision is made: commands are those of its plan from now on."""
        execution, decision, stamp = thought.execution, thought.decision, thought.percept.stamp
        assert execution is not None and decision is not None
        execution.follow(decision, stamp)
        self._attend(stamp, decision.compares)
        self.bus.give(THOUGHT, stamp, thought)
        self.bus.soon(self._follow_at_once)
        if decision.done:
            self.goals.finish(execution, decision.succeeded, decision.code, decision.message)

    # Control, on the thread of the handlers

    def _follow_at_once(self) -> None:
        """Sends a new decision at once, and restarts the timer."""
        self._timer.reset()
        self._control()

    def _control_when_paused(self) -> None:
        if self.bus.steady() - self._ticked > PAUSE:
            self._control()

    def _control(self) -> None:
        self._ticked = steady = self.bus.steady()
        execution, now = self.goals.current, self.bus.now()
        ages = Ages(now - self._latent_stamp, steady - self._latent_came, self.bus.busy_for())
        if execution is None:
            verdict = Verdict(STILL, State.IDLE, *self.goals.last_error)
            self.bus.give(STATE, now, PlannerStatus(verdict, None, ages.observation))
            return
        verdict = HELD if self._stopped else execution.act(now, steady, ages)
        self.bus.give(CMD_VEL_RAW, now, verdict.command)
        self.bus.give(STATE, now, PlannerStatus(verdict, execution, ages.observation))
        self.goals.progress(execution, now)
        if verdict.state is State.FAULT:
            self.bus.report(verdict.code.name, verdict.message, severe=verdict.code is Code.DEADLINE_MISSED)
        if verdict.give_up:
            self.goals.finish(execution, False, verdict.code, verdict.message)
