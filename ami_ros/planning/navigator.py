"""Navigator: one goal from start to end; a state machine over planner, route and recoveries."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.commands import STILL, Command, speed
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, relative
from ami_ros.memory.types import Route
from ami_ros.planning.blocked_ways import BlockedWays
from ami_ros.planning.codes import Code
from ami_ros.planning.goal_belief import GoalBelief, Sight
from ami_ros.planning.goal_finder import GoalFinder, Look, Search
from ami_ros.planning.goal_search import SPEED
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.progress import ProgressChecker
from ami_ros.planning.protocols import Dynamics, Target
from ami_ros.planning.recovery import BackAndTurn
from ami_ros.planning.route_follower import RAY, in_sight, pose_in_map
from ami_ros.planning.routing import Routing
from ami_ros.planning.situations import Signs, Situation, Situations
from ami_ros.planning.steering import TURN_RATE, Steering
from ami_ros.planning.stop_rule import Arrival, StopRule
from ami_ros.planning.stopwatch import Stopwatch
from ami_ros.planning.trail import Trail
from ami_ros.planning.types import Decision, Goal, Percept, State

STAND_SECONDS = 0.35  # [s] of standing at the goal before it counts as reached
DOUBT_SECONDS = 2.0  # [s] of standing at a goal that is refuted before another hypothesis is tried
DIRECT = 3.0  # [m] to a pose in odom, within which a way that is seen to be free needs no route
LOOK_AROUND_SPEED = 0.8  # [rad/s] of turning on the spot to find out where it is
LOOK_AROUND_SECONDS = 10.0  # [s] of that at most, after which it goes on without memory
ANEW = 5  # times that the robot may have been where the goal seemed to be, and still count as making progress


class Navigator:
    """Drives to one goal at a time. Called for the newest percept on one thread; waits for nothing but the model."""

    def __init__(self, model: Dynamics, config: NavigatorConfig, seed: int = 0) -> None:
        self.model, self.config = model, config
        self.steering = Steering(model, config, seed)
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

    def start(self, goal: Goal) -> None:
        """Takes a new goal, dropping the old one."""
        config = self.config
        goal = replace(goal, recognised=goal.picture is not None and getattr(self.model, "pairs", None) is not None)
        self.goal = goal
        self._resets = None
        self.steering.start(goal)
        self.progress.reset()
        self.routing = Routing(goal, config, self.blocked)
        self.belief = GoalBelief(goal, self.model, config.approach)
        self.situations = Situations(config.situations)
        self.recovery: BackAndTurn | None = None
        self.began: float | None = None
        self._looking = Stopwatch()
        self._spot: Array | None = None  # (3,) in odom, to which it drives to look for the goal
        self._left: float | None = None  # route left [m] when it last drove towards the goal, if that was just now
        self._beside: Sight | None = None  # of the goal, if it was driven straight to just now
        distance = goal.distance_tolerance or config.distance_tolerance
        angle = goal.angle_tolerance or config.angle_tolerance
        if goal.recognised:  # from farther off than this it is not
            distance = min(distance, config.exact_tolerance)
            angle = min(angle, config.exact_angle) if config.planner.kinematics.turns_on_the_spot else angle
        self._stop = StopRule(distance, angle)
        self._finder = GoalFinder(goal, self.routing, self.belief, self._stop)

    def set_route(self, answer: Route | AmiError) -> None:
        """Memory's answer to `Decision.wants_route`."""
        self.routing.answer(answer)
        if isinstance(answer, Route):
            self.progress.reset()
            self._left = None  # progress on the old route says nothing about a longer one

    # One moment

    def step(self, percept: Percept) -> Decision:
        """Decides what to do at this moment; see `Decision`."""
        goal = self.goal
        if goal is None:
            return Decision(State.IDLE, "no goal")
        if self.began is None:
            self.began = percept.stamp
        try:
            decision = self._decide(goal, percept, percept.stamp - self.began)
        except AmiError as error:
            code = Code(error.code) if error.code in list(Code) else Code.UNKNOWN
            decision = Decision.failed(code, str(error))
        if decision.done:
            self.goal = None
        self.steering.command = tuple(map(float, decision.commands[0])) if len(decision.commands) else STILL
        request = None if decision.done else self.routing.request(percept, self._finder.search)
        return replace(
            decision, wants_route=request, replans=self.routing.replans, recoveries=self.situations.recoveries
        )

    def _decide(self, goal: Goal, percept: Percept, elapsed: float) -> Decision:
        if goal.time_allowance and elapsed > goal.time_allowance:
            return Decision.failed(Code.TIMEOUT, f"not reached within the {goal.time_allowance:.0f} s allowed")
        reset, self._resets = self._resets not in (None, percept.odometry_resets), percept.odometry_resets
        if reset and goal.pose is not None and not goal.in_map:
            return Decision.failed(
                Code.TF_ERROR, "odometry restarted: a goal in odom is lost; send it again, or in map"
            )
        if reset:
            self._re_anchor()
        command = self._go_back(percept)
        if self.routing.misfit(percept):
            self._ask_again()
        before, situation = self.situations.now, self.situations.update(self._signs(percept, command is not None))
        if situation is not before:
            self._change(before, percept)
        self._left = self._beside = None
        match situation:
            case Situation.HOPELESS:
                return Decision.failed(self.situations.code, self.situations.reason)
            case Situation.BACKING:
                return Decision.hold(State.RECOVERING, self.situations.reason, command or STILL)
            case Situation.LOOKING:
                return Decision.hold(State.RECOVERING, self.situations.reason)
            case Situation.LOCALISING if self.situations.surprised or not goal.recognised:
                return self._look_around(percept)
            case Situation.LOCALISING:  # looks for the goal meanwhile; that shows where the robot is, too
                self.routing.go_on_lost()
        return self._unready(goal, percept) or self._pursue(goal, percept)

    def _re_anchor(self) -> None:
        """Odometry restarted: poses in odom from before mean nothing any more."""
        self.belief.restart()
        self.trail, self.recovery = Trail(), None
        self.progress.reset()
        self.planner.reset()
        self._stop.restart()
        self._finder.re_anchor()

    def _go_back(self, percept: Percept) -> Command | None:
        """The command of the way back, while there is one; else the robot's trail grows."""
        if self.recovery is None:
            self.trail.add(percept.odometry)
            return None
        return self.recovery.command(percept.stamp, percept.odometry, percept.scan)

    def _signs(self, percept: Percept, manoeuvring: bool) -> Signs:
        routing, location = self.routing, percept.location
        stuck = "" if self._left is None else self.progress.stuck(percept.stamp, percept.odometry, self._left)
        return Signs(
            percept.stamp,
            percept.surprise,
            self.steering.unsure,
            None if routing.flat else location is not None and location.localised,
            not routing.flat and routing.follower is None,
            stuck,
            manoeuvring,
        )

    def _change(self, before: Situation, percept: Percept) -> None:
        """What begins and ends with a situation."""
        now, config = self.situations.now, self.config
        if now is Situation.BACKING:
            self.belief.forget_unlikely(self.routing.follower)
            if self._beside is not None:
                self._finder.stuck(percept, self._beside)
            else:
                self.routing.stuck_here()
            drive = config.planner.kinematics.drive
            self.recovery = BackAndTurn(percept.stamp, percept.odometry, self.trail, drive)
        if before in (Situation.BACKING, Situation.LOOKING, Situation.LOCALISING):
            self.recovery = None
            self.progress.reset()
            self.planner.reset()
        if config.use_memory and (before is Situation.BACKING or before is Situation.LOOKING):
            self._ask_again()

    def _unready(self, goal: Goal, percept: Percept) -> Decision | None:
        """What to do instead of driving to the goal, if that is not possible now."""
        routing = self.routing
        if routing.refusal is not None:
            return Decision.failed(*routing.refusal)
        if not routing.flat and routing.follower is None:
            routing.ask()
            if not self._is_direct(goal, percept):
                return Decision.hold(State.PLANNING, "asking memory for a route")
        if routing.follower is not None and percept.location is None:
            return Decision.hold(State.PLANNING, "waiting for memory to localise the robot")
        if routing.flat and goal.only_in_memory:
            message = "only memory knows the goal, and it cannot localise the robot"
            return Decision.failed(Code.GOAL_NOT_REMEMBERED, message)
        return None

    def _is_direct(self, goal: Goal, percept: Percept) -> bool:
        """Whether the way to a pose in odom is short and seen to be free, so that no route is waited for.

        The search finds its way past a corner that juts into it; where it did not, a way as wide as the robot is asked.
        """
        if goal.pose is None or goal.in_map:
            return False
        pose = relative(percept.odometry, goal.pose)
        free = in_sight(pose, percept.scan, self.config.follower.width if self.situations.recoveries else RAY)
        return bool(np.hypot(pose[0], pose[1]) < DIRECT) and free

    def _is_at_end(self, goal: Goal) -> bool:
        """Whether a route has led as near to a pose as places lie: a corner may hide it, it is there all the same."""
        return goal.pose is not None and self.routing.follower is not None and self.routing.follower.at_end

    def _pursue(self, goal: Goal, percept: Percept) -> Decision:
        routing = self.routing
        news = routing.opened(percept)
        sight = self.belief.look(percept, routing.follower)
        assert self.began is not None
        if (search := self._finder.find(percept, sight, percept.stamp - self.began)) is not None:
            return self._search(percept, sight, search)
        seen = sight.pose is not None and ((sight.close and in_sight(sight.pose, percept.scan, 0.15)) or sight.spotted)
        near = routing.flat or seen or self._is_at_end(goal) or self._is_direct(goal, percept)
        if (step := self._finder.check(percept, sight, near)) is not None:
            return self._check(percept, sight, step)
        if routing.is_at_frontier(percept):
            self.planner.reset()
            return Decision.hold(State.PLANNING, "no way to the goal is known; asking memory from nearer")
        arrival = Arrival.APPROACHING
        if near and sight.pose is not None:
            returns, arrival = self._stop.returns, self._stop.update(percept.stamp, sight.pose)
            if returns < self._stop.returns <= ANEW:
                self.progress.reset()  # the goal lies farther off than it seemed
        if arrival is Arrival.STANDING:
            return self._arrive(percept, sight)
        self._left, self._beside = (sight.distance, sight) if near else (sight.left, None)
        # What a picture lets guess of a latent is worth little in a building that the model does not know.
        target = Target(None if goal.recognised else goal.latent, sight.pose, True)
        if arrival is Arrival.TURNING and self.config.planner.kinematics.turns_on_the_spot:
            return self._turn_as_goal(target, percept, sight)
        if near or routing.follower is None:
            return self._approach(target, percept, sight, straight=near and goal.recognised)
        return self._follow(percept, sight, news)

    def _approach(self, target: Target, percept: Percept, sight: Sight, straight: bool) -> Decision:
        """Nearer to what is believed to be the goal; at last `straight` on, where that is known exactly enough."""
        message = "approaching the goal"
        if straight and sight.pose is not None:
            last = self.steering.final_approach(percept, sight.pose, message, sight)
            if last is not None:
                return last
        return self._drive(percept, self.steering.approached(target, percept.scan), message, sight)

    def _follow(self, percept: Percept, sight: Sight, news: str) -> Decision:
        """Follows the route to its next place; `news` may change which way is best."""
        routing = self.routing
        assert percept.location is not None and routing.follower is not None
        if reason := routing.closed(percept):
            self._ask_again()
            return Decision.hold(State.PLANNING, f"the way is blocked, asking memory for another route: {reason}")
        if news:
            routing.ask()
        sub = routing.follower.subgoal(pose_in_map(percept.location, percept.odometry), percept.scan)
        count = len(routing.follower.poses)
        if sub.turn and self.config.planner.kinematics.turns_on_the_spot:
            turning = self.steering.turn(sub.turn, "turning to the way", sight)
            return replace(turning, distance=sight.left, subgoal=sub.index, subgoals=count)
        target = Target(sub.place.latent, sub.pose, False)
        decision = self._drive(percept, target, news or f"on the way through place {sub.place.id}", sight)
        return replace(decision, distance=sight.left, subgoal=sub.index, subgoals=count)

    # Parts of a moment

    def _drive(self, percept: Percept, target: Target, message: str, sight: Sight, turn_only: bool = False) -> Decision:
        warning = self.situations.reason if self.situations.now is Situation.WARY else ""
        return self.steering.drive(percept, target, message, sight, self.routing.follower, warning, turn_only)

    def _turn_as_goal(self, target: Target, percept: Percept, sight: Sight) -> Decision:
        """On the spot only: imagined positions are not exact enough to be weighed against the heading."""
        assert sight.pose is not None
        message = "turning as the goal does"
        if target.latent is not None:
            return self._drive(percept, replace(target, latent=None), message, sight, turn_only=True)
        return self.steering.turn(float(sight.pose[2]), message, sight, TURN_RATE)

    def _ask_again(self) -> None:
        self.routing.ask_again()
        self.planner.reset()

    def _look_around(self, percept: Percept) -> Decision:
        """Turns on the spot until memory localises the robot; drives without memory if it never does."""
        lost = not self.situations.surprised
        if self._looking.held(lost, percept.stamp) > LOOK_AROUND_SECONDS:
            self.routing.flat = True
            self._looking.restart()
        turn = self.config.planner.kinematics.turn(LOOK_AROUND_SPEED)
        return Decision.hold(State.PLANNING, self.situations.reason, turn)

    def _arrive(self, percept: Percept, sight: Sight) -> Decision:
        """Stands still; succeeds once it does and the latents agree, takes another hypothesis if they don't."""
        stood = self._stop.stood(percept.stamp)
        moving = speed(percept.velocity) > 0.03 or abs(percept.velocity[1]) > 0.08
        refuted = self.routing.follower is not None and sight.energy > self.config.doubt  # False where it is NaN
        proven = self._finder.proven(percept, sight)
        if stood > STAND_SECONDS and not moving and not refuted and proven:
            return Decision(
                State.STOPPING, "reached the goal", done=True, succeeded=True,
                energy=sight.energy, distance=sight.distance,
            )  # fmt: skip
        if refuted and stood > DOUBT_SECONDS:
            self._finder.leave(percept, sight)
            self.planner.reset()
        elif not proven and self._finder.look_again(percept, sight, stood, self.config.planner.robot_radius):
            self.planner.reset()
            self.progress.reset()  # a look takes its time
        standing = Decision.hold(State.STOPPING, "standing at the goal")
        return replace(standing, energy=sight.energy, distance=sight.distance)

    def _search(self, percept: Percept, sight: Sight, search: Search) -> Decision:
        """A step to find the goal."""
        look, spot = search
        if look is Look.GIVE_UP:
            return Decision.failed(*self._finder.given_up(percept))
        if spot is None or self._spot is None or np.hypot(*(spot - self._spot)[:2]) > 0.05:
            self.progress.reset()  # what was driven to before is nothing to compare with
        self._spot = spot
        if spot is not None:
            pose = relative(percept.odometry, spot)
            self._left = float(np.hypot(pose[0], pose[1]))
            return self._drive(percept, Target(None, pose, True), look.value, sight)
        if look is not Look.TURN:
            self.planner.reset()
            return Decision.hold(State.PLANNING, look.value)
        return Decision.hold(State.PLANNING, look.value, self.config.planner.kinematics.turn(SPEED))

    def _check(self, percept: Percept, sight: Sight, step: Search) -> Decision:
        """Away from what is not the goal, or from what may be it, a little."""
        self.progress.reset()
        if step.spot is not None:
            pose, message = relative(percept.odometry, step.spot), step.look.value
            return self.steering.final_approach(percept, pose, message, sight) or self.steering.back(message)
        self.planner.reset()
        return Decision.hold(State.PLANNING, step.look.value)
