"""Navigator: one goal from start to end; a state machine over planner, route and recoveries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose, relative
from ami_ros.memory.codes import Code as MemoryCode
from ami_ros.memory.place_memory import map_to_odom
from ami_ros.memory.types import GoalQuery, Route
from ami_ros.planning.codes import Code
from ami_ros.planning.goal_tracker import GoalTracker
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.progress import ProgressChecker
from ami_ros.planning.protocols import Dynamics, Target
from ami_ros.planning.recovery import BackAndTurn
from ami_ros.planning.route_follower import RouteFollower, in_sight, pose_in_map
from ami_ros.planning.stop_rule import Arrival, StopRule
from ami_ros.planning.stopwatch import Stopwatch
from ami_ros.planning.types import Decision, Goal, Percept, RouteRequest, State


class Navigator:
    """Drives to one goal at a time. Called for the newest percept on one thread; blocks on nothing but the model."""

    def __init__(self, model: Dynamics, config: NavigatorConfig, seed: int = 0) -> None:
        self.model, self.config = model, config
        self.planner = LatentPlanner(model, config.planner, seed)
        self.progress = ProgressChecker(config.progress)
        self.goal: Goal | None = None

    # Task

    def start(self, goal: Goal) -> None:
        """Takes a new goal, dropping the old one."""
        self.goal = goal
        self.planner.reset()
        self.progress.reset()
        self.tracker = (
            GoalTracker(self.model.relative_pose, goal.latent, self.config.tracker) if goal.latent is not None else None
        )
        self.follower: RouteFollower | None = None
        self.recovery: BackAndTurn | None = None
        self.began: float | None = None
        self.hypothesis = 0
        self.avoid: list[tuple[int, int]] = []
        self.replans = self.recoveries = self.rounds = 0
        self.command = (0.0, 0.0)
        self._route_wanted = self.config.use_memory
        self._flat = not self.config.use_memory
        self._looking, self._lost, self._hidden = Stopwatch(), Stopwatch(), Stopwatch()
        self._stop = StopRule(goal.distance_tolerance or self.config.distance_tolerance, self.config.angle_tolerance)
        self._refusal: tuple[Code, str] | None = None

    def cancel(self) -> None:
        """Drops the goal; the next decision stands still."""
        self.goal = None

    def set_route(self, answer: Route | AmiError) -> None:
        """Memory's answer to `Decision.wants_route`."""
        self._route_wanted = False
        if isinstance(answer, Route):
            self.follower = RouteFollower(answer, self.config.follower)
            self.replans += 1
            self._flat = False
            self._looking.restart()
            self.progress.reset()
        elif answer.code == MemoryCode.NOT_LOCALISED:
            self._route_wanted = True
        elif self.avoid:
            self.avoid.pop()  # is it blocked still? The robot is there; the others would take a tour of them all
            self.rounds += 1
            self._route_wanted = self.rounds < self.config.max_rounds
            if not self._route_wanted:
                self._refusal = Code.FAILED_TO_MAKE_PROGRESS, "every way to the goal that is known was found blocked"
        elif self.hypothesis:
            self.hypothesis = 0
            self._route_wanted = True
        elif self.goal is not None and self.goal.only_in_memory:
            self._refusal = Code.GOAL_NOT_REMEMBERED, str(answer)
        else:
            self._flat = True

    # One moment

    def step(self, percept: Percept) -> Decision:
        """Decides what to do at this moment; see `Decision`."""
        goal = self.goal
        if goal is None:
            return Decision(State.IDLE, "no goal")
        if self.began is None:
            self.began = percept.stamp
        if goal.time_allowance and percept.stamp - self.began > goal.time_allowance:
            return self._finish(Code.TIMEOUT, f"not there within the {goal.time_allowance:.0f} s allowed")
        try:
            decision = self._drive(goal, percept)
        except AmiError as error:
            return self._finish(Code(error.code) if error.code in list(Code) else Code.UNKNOWN, str(error))
        self.command = (
            (float(decision.commands[0, 0]), float(decision.commands[0, 1])) if len(decision.commands) else (0.0, 0.0)
        )
        return replace(
            decision, wants_route=self._request(goal, percept), replans=self.replans, recoveries=self.recoveries
        )

    def _request(self, goal: Goal, percept: Percept) -> RouteRequest | None:
        if not self._route_wanted or self.goal is None:
            return None
        query = goal.query()
        if goal.pose is not None and not goal.in_map:
            if percept.location is None or not percept.location.localised:
                return None
            query = GoalQuery(pose=pose_in_map(percept.location, goal.pose))
        return RouteRequest(query, self.hypothesis, tuple(self.avoid))

    def _drive(self, goal: Goal, percept: Percept) -> Decision:
        if self.recovery is not None:
            command = self.recovery.command(percept.stamp, percept.odometry, percept.scan)
            if command is not None:
                return self._hold(State.RECOVERING, "backing up and looking for room", *command)
            self._end_recovery()
        self._watch_location(percept)
        return self._unready(goal, percept) or self._pursue(goal, percept)

    def _unready(self, goal: Goal, percept: Percept) -> Decision | None:
        """What to do instead of driving to the goal, if it cannot be driven to now."""
        if self._refusal is not None:
            return self._finish(*self._refusal)
        if self.config.use_memory and not self._flat and self.follower is None:
            return self._look_around(percept)
        if self.follower is not None and percept.location is None:
            return self._hold(State.PLANNING, "waiting for memory to say where this is", 0.0, 0.0)
        if self._flat and goal.only_in_memory:
            return self._finish(
                Code.GOAL_NOT_REMEMBERED, "the goal is known to memory alone, and where this is it cannot tell"
            )
        return None

    def _pursue(self, goal: Goal, percept: Percept) -> Decision:
        seen, from_memory, left = self._sight_goal(goal, percept)
        target_pose = self._goal_pose(goal, percept, from_memory)
        distance = float(np.hypot(target_pose[0], target_pose[1])) if target_pose is not None else float("nan")
        energy = float(np.hypot(seen[0], seen[1])) if seen is not None else float("nan")
        near = self._flat or (
            left < self.config.approach and target_pose is not None and in_sight(target_pose, percept.scan, 0.15)
        )
        arrival = Arrival.APPROACHING
        if near and target_pose is not None:
            arrival = self._stop.update(percept.stamp, target_pose)
        if arrival is Arrival.STANDING:
            return self._arrive(percept, seen, distance, energy)
        left = distance if near else left
        if reason := self.progress.stuck(percept.stamp, percept.odometry, left):
            return self._recover(percept, reason)
        if arrival is Arrival.TURNING and self.config.planner.kinematics.turns_on_the_spot:
            # On the spot only: imagined positions are not exact enough to be weighed against the heading.
            target = Target(None, target_pose, True)
            return self._plan(goal, percept, target, "turning as the goal does", distance, energy, turn_only=True)
        if near or self.follower is None:
            return self._plan(
                goal, percept, Target(goal.latent, target_pose, True), "approaching the goal", distance, energy
            )
        assert percept.location is not None
        pose = pose_in_map(percept.location, percept.odometry)
        if self._blocked(percept, pose):
            self._ask_again()
            return self._hold(State.PLANNING, "the way is blocked, asking memory for another", 0.0, 0.0)
        sub = self.follower.subgoal(pose, percept.scan)
        count = len(self.follower.poses)
        decision = self._plan(
            goal,
            percept,
            Target(sub.place.latent, sub.pose, False),
            f"on the way by place {sub.place.id}",
            left,
            energy,
        )
        return replace(decision, subgoal=sub.index, subgoals=count)

    # Parts of a moment

    def _watch_location(self, percept: Percept) -> None:
        """Drops a route that no longer fits: lost for a while, or off the route."""
        location = percept.location
        if self.follower is None:
            return
        if location is not None and location.localised:
            self._lost.restart()
            if self.follower.update(pose_in_map(location, percept.odometry)) > self.config.follower.off_route:
                self._ask_again()
        elif self._lost.held(True, percept.stamp) > self.config.lost_seconds:
            self._ask_again()

    def _blocked(self, percept: Percept, pose: Array) -> bool:
        """Whether the way ahead has been behind something solid for a while; notes where."""
        assert self.follower is not None
        leg = self.follower.hidden_leg(pose, percept.scan)
        blocked = self._hidden.held(leg is not None, percept.stamp) > self.config.hidden_seconds
        if leg is not None and blocked:
            self.avoid.append(leg)
        return blocked

    def _ask_again(self) -> None:
        self.follower, self._route_wanted = None, True
        self._lost.restart()
        self._hidden.restart()
        self.planner.reset()

    def _look_around(self, percept: Percept) -> Decision:
        """Turns on the spot until memory knows where this is; drives without memory if it never does."""
        if self._looking.held(True, percept.stamp) > self.config.look_around_seconds:
            self._flat = True
            self._looking.restart()
        if percept.location is not None and percept.location.localised:
            self._route_wanted = True
            return self._hold(State.PLANNING, "asking memory for the way", 0.0, 0.0)
        turn = self.config.planner.kinematics.turn(self.config.look_around_speed)
        return self._hold(State.PLANNING, "turning to find out where this is", *turn)

    def _sight_goal(self, goal: Goal, percept: Percept) -> tuple[Array | None, Array | None, float]:
        """The goal in base_link by this moment's latents, the goal in odom by memory, and the way left [m]."""
        seen = self.tracker.look(percept.latent) if self.tracker is not None else None
        from_memory, left = None, 0.0
        if self.follower is not None and percept.location is not None:
            from_memory = compose(map_to_odom(percept.location), self.follower.route.goal_pose)
            left = self.follower.remaining(pose_in_map(percept.location, percept.odometry))
        if seen is not None and self.tracker is not None and left < self.config.approach:
            self.tracker.add(percept.stamp, percept.odometry, seen)
        return seen, from_memory, left

    def _goal_pose(self, goal: Goal, percept: Percept, from_memory: Array | None) -> Array | None:
        """The best belief of the goal's pose (3,) in base_link."""
        if self.tracker is not None:
            return self.tracker.estimate(percept.stamp, percept.odometry, from_memory)
        if goal.pose is not None and not goal.in_map:
            return relative(percept.odometry, goal.pose)
        return relative(percept.odometry, from_memory) if from_memory is not None else None

    def _arrive(self, percept: Percept, seen: Array | None, distance: float, energy: float) -> Decision:
        """Stands still; succeeds once it does and the latents agree, takes another hypothesis if they don't."""
        stood = self._stop.stood(percept.stamp)
        moving = abs(percept.velocity[0]) > 0.03 or abs(percept.velocity[1]) > 0.08
        refuted = seen is not None and self.follower is not None and np.hypot(seen[0], seen[1]) > self.config.doubt
        if stood > self.config.stand_seconds and not moving and not refuted:
            self.goal = None
            return Decision(
                State.STOPPING, "reached the goal", done=True, succeeded=True, energy=energy, distance=distance,
                replans=self.replans, recoveries=self.recoveries,
            )  # fmt: skip
        if refuted and stood > self.config.doubt_seconds:
            self.hypothesis += 1
            self._stop.restart()
            if self.tracker is not None:
                self.tracker.forget()
            self._ask_again()
        return self._hold(State.STOPPING, "standing at the goal", 0.0, 0.0, energy, distance)

    def _recover(self, percept: Percept, reason: str) -> Decision:
        self.recoveries += 1
        if self.recoveries > self.config.max_recoveries:
            return self._finish(
                Code.FAILED_TO_MAKE_PROGRESS, f"stuck: {reason}, after {self.recoveries - 1} recoveries"
            )
        if self.follower is not None and self.follower.at + 1 < len(self.follower.poses):
            here, following = self.follower.route.places[self.follower.at : self.follower.at + 2]
            self.avoid.append((here.id, following.id))
        turns = self.config.planner.kinematics.turns_on_the_spot
        self.recovery = BackAndTurn(self.config.recovery, percept.stamp, percept.odometry, percept.scan, turns)
        return self._hold(State.RECOVERING, reason, 0.0, 0.0)

    def _end_recovery(self) -> None:
        self.recovery = None
        self.progress.reset()
        self.planner.reset()
        if self.config.use_memory:
            self._ask_again()

    def _plan(
        self,
        goal: Goal,
        percept: Percept,
        target: Target,
        message: str,
        distance: float,
        energy: float,
        turn_only: bool = False,
    ) -> Decision:
        limits = self.config.planner.kinematics
        linear = 0.0 if turn_only else goal.max_linear or limits.max_linear
        speed = (linear, goal.max_angular or limits.max_angular)
        plan = self.planner.plan(percept.stamp, percept.latent, self.command, percept.scan, target, speed)
        return Decision(
            State.CONTROLLING, message, plan.commands, compose(percept.odometry, plan.poses),
            energy=energy, distance=distance, planning_seconds=plan.seconds, shares=plan.shares,
        )  # fmt: skip

    def _hold(
        self,
        state: State,
        message: str,
        linear: float,
        angular: float,
        energy: float = float("nan"),
        distance: float = float("nan"),
    ) -> Decision:
        """One command, held for two periods; nothing follows it."""
        commands = np.tile([linear, angular], (2, 1))
        return Decision(state, message, commands, energy=energy, distance=distance)

    def _finish(self, code: Code, message: str) -> Decision:
        self.goal = None
        return Decision(State.IDLE, message, code=code, done=True, replans=self.replans, recoveries=self.recoveries)
