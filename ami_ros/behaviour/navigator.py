"""Navigator: one goal from start to end; a state machine over planner, route and recoveries."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.behaviour.belief import GoalBelief
from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.goal_controller import GoalController
from ami_ros.behaviour.recovery import BackAndTurn, Recovery, RecoveryState, Signs, Trail
from ami_ros.behaviour.routing import BlockedWays, Routing
from ami_ros.behaviour.search import reach
from ami_ros.behaviour.steering import Steering
from ami_ros.core.commands import STILL, Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, inverse, pose_gap
from ami_ros.memory.types import Location, Route, map_to_odom
from ami_ros.planning.monitors import ProgressChecker, Stopwatch
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.protocols import Clock, Dynamics
from ami_ros.planning.types import Code, Decision, Goal, Percept, State


@dataclass(frozen=True)
class LostConfig:
    """What a robot does that does not know where it is, and what counts as finding out."""

    jump: tuple[float, float] = (0.5, 0.5)  # [m], [rad] by which the belief changes at once: then odometry was right
    turn: float = 0.8  # [rad/s] of turning on the spot to find out where it is
    seconds: float = 10.0  # [s] of that at most, after which it goes on without memory


class Drift:
    """Watches where the map's frame lies in odom."""

    def __init__(self, config: LostConfig = LostConfig()) -> None:
        self._config = config
        self._last: Array | None = None  # (3,) in odom

    def update(self, location: Location | None, odometry: Array) -> Array | None:
        """What moves poses in odom (3,), composed with them from the left, to where they lie in odom now; None: nothing
        has to.

        Args:
            location: of the robot, by the newest belief.
            odometry: (3,) of it now.
        """
        if location is None or not location.localised:
            return None
        last, now = self._last, map_to_odom(location)
        self._last = now
        if last is None or np.array_equal(last, now):
            return None
        correction = compose(now, inverse(last))
        jumped = pose_gap(compose(correction, odometry), odometry)
        return None if np.greater(jumped, self._config.jump).any() else correction


class Navigator:
    """Drives to one goal at a time. Called for the newest percept on one thread; waits for nothing but the model."""

    def __init__(
        self, model: Dynamics, config: NavigatorConfig, seed: int = 0, clock: Clock = time.perf_counter,
        lost: LostConfig = LostConfig(),
    ) -> None:  # fmt: skip
        self.model, self.config, self.clock, self.lost = model, config, clock, lost
        self.steering = Steering(model, config, seed, clock)
        self.progress = ProgressChecker(config.progress)
        self.blocked = BlockedWays()
        self.trail = Trail()
        self.goal: Goal | None = None
        self._resets: int | None = None  # of odometry, when the goal was last looked at

    @property
    def planner(self) -> LatentPlanner:
        """Searches."""
        return self.steering.planner

    # Task

    def start(self, goal: Goal, command: Command = STILL) -> None:
        """Takes a new goal, dropping the old one; `command` is in force meanwhile."""
        config = self.config
        goal = replace(goal, recognised=goal.picture is not None and getattr(self.model, "pairs", None) is not None)
        self.goal = goal
        self._resets = None
        self.steering.start(goal, command)
        self.progress.reset()
        self.routing = Routing(goal, config, self.blocked)
        self.belief = GoalBelief(goal, self.model, config.approach)
        self.recovery = Recovery(config.recovery)
        self.manoeuvre: BackAndTurn | None = None
        self.began: float | None = None
        self._looking, self._drift = Stopwatch(), Drift(self.lost)
        self.controller = GoalController(
            goal, config, self.steering, self.routing, self.belief, self.recovery, self.progress
        )

    def set_route(self, answer: Route | AmiError) -> None:
        """Memory's answer to `Decision.wants_route`."""
        self.routing.answer(answer)
        if isinstance(answer, Route):
            self.progress.reset()
            self.controller.left = None  # progress on the old route says nothing about a longer one

    # One moment

    def step(self, percept: Percept) -> Decision:
        """Decides what to do at this moment; see `Decision`."""
        goal = self.goal
        if goal is None:
            return Decision(State.IDLE, "no goal")
        if self.began is None:
            self.began = percept.stamp
        try:
            decided = self._decide(goal, percept, percept.stamp - self.began)
            decision = self.steering.make_way(percept, decided)
            if decision is not decided:
                decision = replace(decision, behaviour="make_way")
                self.controller.stop.approach_again()  # it may have left its place for somebody
        except AmiError as error:
            code = Code(error.code) if error.code in list(Code) else Code.UNKNOWN
            decision = Decision.failed(code, str(error))
        if decision.done:
            self.goal = None
        self.steering.command = tuple(map(float, decision.commands[0])) if len(decision.commands) else STILL
        left = reach(percept.stamp - self.began, goal.time_allowance)
        looked_from = self.controller.finder.search.spots
        request = None if decision.done else self.routing.request(percept, looked_from, left)
        behaviour = "" if decision.done else decision.behaviour
        return replace(
            decision, behaviour=behaviour, wants_route=request, goal=self.controller.believed,
            replans=self.routing.replans, recoveries=self.recovery.recoveries, compares=self.belief.attentive,
        )  # fmt: skip

    def _decide(self, goal: Goal, percept: Percept, elapsed: float) -> Decision:
        at_goal = self.controller.beside is not None
        if goal.time_allowance and elapsed > goal.time_allowance:
            over = f"not reached within the {goal.time_allowance:.0f} s allowed"
            return Decision.failed(*self._given_up(Code.TIMEOUT, over, percept, at_goal))
        reset, self._resets = self._resets not in (None, percept.odometry_resets), percept.odometry_resets
        if reset and goal.pose is not None and not goal.in_map:
            return Decision.failed(
                Code.TF_ERROR, "odometry restarted: a goal in odom is lost; send it again, or in map"
            )
        if reset:
            self._re_anchor()
        if (correction := self._drift.update(percept.location, percept.odometry)) is not None:
            self.controller.carry(correction)
        command = self._go_back(percept)
        if self.routing.misfit(percept):
            self.controller.ask_again()
        before, state = self.recovery.now, self.recovery.update(self._signs(percept, command is not None))
        if state is not before:
            self._change(before, percept)
        self.controller.left = self.controller.beside = None
        match state:
            case RecoveryState.HOPELESS:
                why = self.recovery.code, self.recovery.reason
                return Decision.failed(*self._given_up(*why, percept, at_goal))
            case RecoveryState.BACKING:
                backing = Decision.hold(State.RECOVERING, self.recovery.reason, command or STILL)
                return replace(backing, behaviour="back_up")
            case RecoveryState.LOOKING:
                return replace(Decision.hold(State.RECOVERING, self.recovery.reason), behaviour="wait")
            case RecoveryState.LOCALISING if self.recovery.surprised or not goal.recognised:
                return self._look_around(percept)
            case RecoveryState.LOCALISING:  # looks for the goal meanwhile; that shows where the robot is, too
                self.routing.flat = self.routing.lost = True
        return self.controller.decide(percept, elapsed)

    def _given_up(self, code: Code, reason: str, percept: Percept, at_goal: bool) -> tuple[Code, str]:
        """Why the goal is given up. A robot that gets stuck, or whose time is over, while it looks for a picture has
        not failed to get there: nobody knows where that is."""
        looks = self.controller.finder.searches and not (at_goal or self.belief.driven is not None)
        if not looks or code not in (Code.FAILED_TO_MAKE_PROGRESS, Code.TIMEOUT):
            return code, reason
        code, looked = self.controller.finder.given_up(percept)
        return code, f"{looked}; then: {reason}"

    def _re_anchor(self) -> None:
        """Odometry restarted: poses in odom from before mean nothing any more."""
        self.trail, self.manoeuvre = Trail(), None
        self._drift = Drift(self.lost)
        self.progress.reset()
        self.controller.re_anchor()

    def _go_back(self, percept: Percept) -> Command | None:
        """The command of the way back, while there is one; else the robot's trail grows."""
        if self.manoeuvre is None:
            self.trail.add(percept.odometry)
            return None
        return self.manoeuvre.command(percept.stamp, percept.odometry, percept.scan)

    def _signs(self, percept: Percept, manoeuvring: bool) -> Signs:
        routing, location, left = self.routing, percept.location, self.controller.left
        if self.steering.yielding.waits:  # who lets somebody pass is not stuck
            self.progress.reset()
        ventures = not self.config.measured and self.controller.is_direct(percept)
        stuck = "" if left is None else self.progress.stuck(percept.stamp, percept.odometry, left)
        return Signs(
            percept.stamp,
            percept.surprise,
            self.steering.unsure,
            None if routing.flat else location is not None and location.localised,
            not routing.flat and routing.follower is None and not ventures,
            stuck,
            manoeuvring,
        )

    def _change(self, before: RecoveryState, percept: Percept) -> None:
        """What begins and ends with a state."""
        now, config = self.recovery.now, self.config
        if now is RecoveryState.BACKING:
            if self.controller.beside is not None:  # it did not get to where the goal is believed to be
                if self.belief.driven is not None:
                    self.belief.posterior.stuck(self.belief.driven.pose)
            elif self.routing.scouting:
                self.controller.scout.stuck()
            elif not self.steering.yielding.somebody:  # who stands there now does not do so for ever
                self.routing.stuck_here()
            drive = config.planner.kinematics.drive
            self.manoeuvre = BackAndTurn(percept.stamp, percept.odometry, self.trail, drive)
        if before in (RecoveryState.BACKING, RecoveryState.LOOKING, RecoveryState.LOCALISING):
            self.manoeuvre = None
            self.progress.reset()
            self.planner.reset()
        if config.use_memory and (before is RecoveryState.BACKING or before is RecoveryState.LOOKING):
            self.controller.ask_again()

    def _look_around(self, percept: Percept) -> Decision:
        """Turns on the spot until memory localises the robot; drives without memory if it never does."""
        lost = not self.recovery.surprised
        if self._looking.held(lost, percept.stamp) > self.lost.seconds:
            self.routing.flat, self._looking = True, Stopwatch()
        turn = self.config.planner.kinematics.turn(self.lost.turn)
        return replace(Decision.hold(State.PLANNING, self.recovery.reason, turn), behaviour="localise")
