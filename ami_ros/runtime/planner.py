"""The part `planner`: drives to one goal at a time, by planning in latent space."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.commands import STILL, Command
from ami_ros.core.config import group, parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import RollingScan, Scan
from ami_ros.memory.types import Location, View
from ami_ros.planning.route_follower import pose_in_map
from ami_ros.planning.types import Code, Decision, Percept, Reading, RouteRequest, State
from ami_ros.runtime.goal_execution import Ages, GoalExecution, Patience, Verdict
from ami_ros.runtime.history import OdometryHistory
from ami_ros.runtime.part import (
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
    Bus,
    Finish,
    Motion,
    Part,
    Port,
)
from ami_ros.runtime.perception import FollowedModel, LatentFrame
from ami_ros.runtime.routes import Routes
from ami_ros.safety.moving_things import MovingThings, usable
from ami_ros.safety.output import STOPPED, SafetyOutput
from ami_ros.safety.tracker import Tracker
from ami_ros.world_model.adaptation import Weights
from ami_ros.world_model.perception import Perception

SCAN_TIMEOUT = 0.5  # [s] between a latent and the scan that goes with it
SURPRISE_TIMEOUT = 1.0  # [s] between a latent and the newest reading of surprise


class Percepts:
    """The newest of everything, by stamp.

    Attributes:
        keep_away: (n, 3) circles x, y [m], radius [m] in the frame of the memory; stays whatever time does.
        surprise: the newest reading, of the model that the latents come from.
    """

    def __init__(self, tracks: bool = True) -> None:
        self.odometry, self._tracks = OdometryHistory(), tracks
        self._around, self._tracker = RollingScan(), Tracker()
        self.keep_away: Array = np.zeros((0, 3))
        self.clear()

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self.odometry.clear()
        self._around.clear()
        self._anchored = -math.inf  # since when odometry has its present origin [s]
        self._scan: tuple[float, Scan] | None = None
        self._location: Location | None = None
        self.surprise: Reading | None = None
        self._tracker.clear()
        self.things = MovingThings(-math.inf)  # what moves, by the scans

    def take_odometry(self, stamp: float, pose: Array, velocity: Command, now: float = math.inf) -> None:
        """See `OdometryHistory.add`; where odometry restarted, locations from before no longer count."""
        if not self.odometry.add(stamp, pose, velocity, now):
            self._anchored, self._location, self.things = stamp, None, MovingThings(-math.inf)
            self._around.clear()
            self._tracker.clear()

    def take_scan(self, stamp: float, scan: Scan) -> MovingThings | None:
        """In base_link; what moves by it, where odometry is known, and tracked."""
        self._scan = (stamp, scan)
        motion = self.odometry.at(stamp)
        if motion is not None:
            self._around.add(scan, motion[0])
            self.things = self._tracker.take(stamp, scan, motion[0]) if self._tracks else self.things
        return None if motion is None or not self._tracks else self.things

    def take_location(self, location: Location) -> None:
        """In the frame of the memory."""
        if location.stamp >= self._anchored:
            self._location = location

    @property
    def pose_in_map(self) -> Array | None:
        """(3,) where the robot is now, in the frame of the memory; None while that does not know."""
        here, location = self.odometry.pose, self._location
        return pose_in_map(location, here) if location is not None and location.localised and here is not None else None

    @property
    def z_score(self) -> float:
        """The newest of surprise; NaN without."""
        return math.nan if self.surprise is None else self.surprise.z_score

    def at(self, frame: LatentFrame) -> Percept:
        """The moment of a latent.

        Raises:
            AmiError: there is no odometry of its time.
        """
        stamp, motion = frame.stamp, self.odometry.at(frame.stamp)
        if motion is None:
            raise AmiError("latent dropped: no odometry at its time; is odom published, with stamps of the same clock?")
        surprise = self.surprise
        if surprise is not None and abs(stamp - surprise.stamp) > SURPRISE_TIMEOUT:
            surprise = None
        # The newest scan, if it is of that time, and with what has gone out of its sight, where that is known.
        scan = around = None
        if self._scan is not None and abs(stamp - self._scan[0]) < SCAN_TIMEOUT:
            scan, then = self._scan[1], self.odometry.at(self._scan[0])
            around = None if then is None else self._around.completed(scan, then[0])
        return Percept(
            stamp, frame.latent, *motion, scan, self._location, frame.picture, self.keep_away, surprise,
            self.odometry.resets, around, usable(self.things, stamp),
        )  # fmt: skip


class Driver:
    """Call `decide` for the newest percept, on one thread; it waits for nothing but the model.

    Args:
        navigator: decides.
        perception: encodes pictures of goals, by the model as it was trained.
        routes: of memory.
        patience: times the usual that an answer is waited for without which the goal has to be given up.

    Attributes:
        execution: the goal that is decided about; with None whatever was under way begins anew with the next percept.
    """

    def __init__(self, navigator: Navigator, perception: Perception, routes: Routes, patience: float = 5.0) -> None:
        self.navigator, self.perception, self._routes, self._patience = navigator, perception, routes, patience
        self.execution: GoalExecution | None = None
        self._asked: RouteRequest | None = None
        self._wanted: RouteRequest | None = None
        self._tuned: NavigatorConfig | None = None

    def tune(self, config: NavigatorConfig) -> None:
        """From the next goal on the navigator has other values; may be called on another thread."""
        self._tuned = config

    def decide(self, execution: GoalExecution, percept: Percept) -> Decision:
        """What to do about the goal of `execution` from the percept's stamp on.

        Raises:
            AmiError: the goal's picture cannot be encoded.
        """
        if execution is not self.execution:
            self._start(execution, percept.stamp)
        answers, asked, wanted = self._routes.poll(), self._asked, self._wanted
        if answers is not None and asked is not None and wanted is not None:
            # An answer to what is no longer asked is dropped; the next step asks anew.
            same = (asked.hypothesis, asked.avoid_edges) == (wanted.hypothesis, wanted.avoid_edges)
            if same:
                self.navigator.set_route(answers[0])
        decision = self.navigator.step(percept)
        self._wanted = decision.wants_route
        if self._wanted is not None and not self._routes.pending:
            self._asked = self._wanted
            self._routes.ask([self._wanted], self._patience if execution.goal.only_in_memory else 1.0)
        return decision

    def _start(self, execution: GoalExecution, stamp: float) -> None:
        goal = execution.goal
        encode, code = self.perception.encode_goal, self.perception.encode_picture
        views = [View(encode(taken.image), code(taken.image), taken.turn) for taken in execution.photographs]
        if views:
            goal = replace(goal, latent=views[0].latent, picture=views[0].picture, more=tuple(views[1:]))
        self._routes.forget()
        tuned, self._tuned = self._tuned, None
        if tuned is not None:
            self.navigator = tuned_navigator(self.navigator, tuned)
        due = execution.plan.due(stamp)
        self.navigator.start(goal, STILL if due is None else due.command)
        self.execution, self._asked, self._wanted = execution, None, None


def tuned_navigator(navigator: Navigator, config: NavigatorConfig) -> Navigator:
    """One with other values, for the goals to come, that has seen what `navigator` has.

    Raises:
        AmiError: as `LatentPlanner`.
    """
    other = Navigator(navigator.model, config, clock=navigator.clock)
    other.blocked, other.trail, other.steering.doubt = navigator.blocked, navigator.trail, navigator.steering.doubt
    return other


PAUSE = 0.5  # [s] of steady time without a tick of the control timer after which the robot's clock counts as paused


@dataclass(frozen=True)
class PlannerSettings:
    """What it is told."""

    control_rate: float = parameter(
        10.0, "Of cmd_vel_raw while there is a goal. Larger follows a plan more finely.", "Hz", (1.0, 100.0), True
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

    The navigator runs on the worker, on the newest latent; the control timer sends what its newest decision has for
    this moment, and never waits for it.

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
        self.percepts.keep_away = circles

    def on_surprise(self, stamp: float, reading: Reading) -> None:
        self.percepts.surprise = reading

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
            self.driver.execution = None
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
        if self._stopped:
            # A stop that is released must not set the robot off by itself (ISO 13850); who wants it to go on says so.
            why = "an emergency stop: release it, then send the goal again"
            verdict = Verdict(STILL, State.FAULT, Code.EMERGENCY_STOP, why, give_up=True)
        else:
            verdict = execution.act(now, steady, ages)
        self.bus.give(CMD_VEL_RAW, now, verdict.command)
        self.bus.give(STATE, now, PlannerStatus(verdict, execution, ages.observation))
        self.goals.progress(execution, now)
        if verdict.state is State.FAULT:
            self.bus.report(verdict.code.name, verdict.message, severe=verdict.code is Code.DEADLINE_MISSED)
        if verdict.give_up:
            self.goals.finish(execution, False, verdict.code, verdict.message)
