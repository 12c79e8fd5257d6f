"""Goal controller: drives to one goal, as long as neither surprise nor being stuck nor being lost stands against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ami_ros.behaviour.arrival import Arrival, GoalFinder, Look, StopRule
from ami_ros.behaviour.belief import GoalBelief, Sight
from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.occupancy import Drawing
from ami_ros.behaviour.recovery import Recovery, RecoveryState
from ami_ros.behaviour.routing import Routing
from ami_ros.behaviour.steering import Steering, facing
from ami_ros.behaviour.ways import Ways
from ami_ros.core.commands import of_width, speed
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.planning.monitors import ProgressChecker
from ami_ros.planning.protocols import Target
from ami_ros.planning.route_follower import in_sight, pose_in_map
from ami_ros.planning.scan_geometry import free_near, sees
from ami_ros.planning.types import Code, Decision, Goal, Percept, State


@dataclass(frozen=True)
class ControllerConfig:
    """When the goal counts as near, and when as reached."""

    stand: float = 0.35  # [s] of standing at the goal before it counts as reached
    doubt: float = 2.0  # [s] of standing at a goal that is refuted before another hypothesis is tried
    direct: float = 3.0  # [m] to a pose in odom that is in sight, within which no route is needed ...
    seen_free: float = 6.0  # [m] ... or within which a way that is seen to be as wide as the robot needs none
    corner: float = 0.04  # [m] less than a way to a sub-goal it has to be wide: the search finds its way past corners
    into: float = 0.03  # [m] that a goal may seem to lie inside of something, by errors of centimetres
    anew: int = 5  # times that the robot may have been where the goal seemed to be, and still make progress
    turn: float = 1.4  # [rad/s] of looking around: at 10 Hz each look is a twelfth of a camera's view from the last
    turn_from: float = 2.0  # [rad] off its heading, from which the robot first turns to where it explores
    scout: float = 2.0  # [m] to the next spot to explore, at most
    scout_reached: float = 0.4  # [m] from that spot ...
    scout_seconds: float = 3.0  # [s] ... or since it was chosen, from which the next one is


class Scout:
    """Leads towards a pose that no remembered way leads to: over ground that scans show to be free, from frontier to
    frontier. A robot that was just started remembers nothing, and the first goal that it gets may be a click on a map.

    It draws what scans show on the way to one goal, in odom, and says where to drive next.

    Args:
        radius: [m] of the robot's disc.
        measured: whether a sensor measures scans; else they are guessed from pictures.
        config: see there.
    """

    def __init__(self, radius: float, measured: bool = True, config: ControllerConfig = ControllerConfig()) -> None:
        self._radius, self._measured, self._config = radius, measured, config
        self.restart()

    def restart(self) -> None:
        """Odometry began anew."""
        self._drawing = Drawing(self._measured)
        self._vain: list[Array] = []  # (2,) each, where it did not get on
        self._spot: Array | None = None  # (3,) to which it drives
        self._chosen = 0.0  # [s] stamp of that choice

    def carry(self, correction: Array) -> None:
        """Odometry drifted by `correction` (3,): what is drawn is left, and the next scans draw over it."""
        if self._spot is not None:
            self._spot = compose(correction, self._spot)

    def stuck(self) -> None:
        """It does not get to where it was sent."""
        if self._spot is not None:
            self._vain.append(self._spot[:2])
        self._spot = None

    def next_spot(self, percept: Percept, goal: Array) -> Array | None:
        """Where (3,) to drive next on the way to `goal` (3,), all in odom; None: nothing is left in reach."""
        here = percept.odometry
        self._drawing.draw(percept.stamp, here, here, percept.scan, percept.things)
        if self._drawing.grid is None:
            return None
        spot, age, config = self._spot, percept.stamp - self._chosen, self._config
        is_far = spot is not None and np.hypot(*(spot - here)[:2]) > config.scout_reached
        if is_far and 0.0 <= age < config.scout_seconds:
            return spot
        ways = Ways(self._drawing.grid, here, self._radius, self._vain)
        way = ways.to(goal[:2])
        if not len(way):
            way = ways.to_frontier(self._vain, goal[:2])
        if not len(way):
            self._spot = None
            return None
        at = way[ways.onward(way, config.scout) - 1]
        self._spot, self._chosen = np.array([*at, np.arctan2(*(at - here[:2])[::-1])]), percept.stamp
        return self._spot


@dataclass(frozen=True)
class Moment:
    """What behaviours decide by."""

    percept: Percept
    elapsed: float  # [s] since the goal was given
    sight: Sight
    news: str  # what changed about the way, for people; "": nothing
    near: bool  # the way straight to the goal is seen to be free, or there is no other


Behaviour = Callable[["GoalController", Moment], Decision | None]  # what it does; None: it does not apply


class GoalController:
    """Drives to one goal.

    `BEHAVIOURS` lists what it can do. At each moment they are asked in that order, and the first one that applies
    decides: a selector, as behaviour trees call it.

    Args:
        goal: see there.
        config: of the navigator.
        steering: makes commands.
        routing: the ways there.
        belief: where it is.
        recovery: of this drive.
        progress: is told where progress begins anew.
        rules: see there.

    Attributes:
        stop: when the robot is at the goal.
        finder: looks for the goal where it has to be recognised.
        scout: finds ways to a pose that memory knows none to.
        left: way left [m] when it last drove towards the goal, if that was just now.
        believed: (3,) in odom, where the goal is believed to be; None: nowhere for certain.
        beside: sight of the goal, if it was driven straight to just now.
    """

    def __init__(
        self, goal: Goal, config: NavigatorConfig, steering: Steering, routing: Routing, belief: GoalBelief,
        recovery: Recovery, progress: ProgressChecker, rules: ControllerConfig = ControllerConfig(),
    ) -> None:  # fmt: skip
        self.goal, self.config, self.steering, self.routing = goal, config, steering, routing
        self.belief, self.recovery, self.progress, self.rules = belief, recovery, progress, rules
        distance = goal.distance_tolerance or config.distance_tolerance
        angle = goal.angle_tolerance or config.angle_tolerance
        if goal.recognised:  # from farther off than this it is not
            distance = min(distance, config.exact_tolerance)
            angle = min(angle, config.exact_angle) if config.planner.kinematics.turns_on_the_spot else angle
        self.stop = StopRule(distance, angle)
        self.finder = GoalFinder(goal, routing, belief, self.stop)
        self.scout = Scout(config.planner.disc.radius, config.measured)
        self._spot: Array | None = None  # (3,) in odom, to which it drives to look for the goal
        self.left: float | None = None
        self.believed: Array | None = None
        self.beside: Sight | None = None

    def re_anchor(self) -> None:
        """Odometry restarted: poses in odom from before mean nothing any more."""
        self.belief.restart()
        self.steering.planner.reset()
        self.stop.restart()
        self.finder.re_anchor()
        self.scout.restart()

    def carry(self, correction: Array) -> None:
        """Odometry drifted: what was noted in odom moves with the map; see `Drift`."""
        self.belief.posterior.carry(correction)
        self.finder.search.carry(correction)
        self.scout.carry(correction)

    def decide(self, percept: Percept, elapsed: float) -> Decision:
        """What to do at this moment, `elapsed` [s] after the goal's begin."""
        if (waiting := self._unready(percept)) is not None:
            return replace(waiting, behaviour="wait")
        moment = self._look(percept, elapsed)
        decisions = ((name, behave(self, moment)) for name, behave in self.BEHAVIOURS)
        return next(replace(decision, behaviour=name) for name, decision in decisions if decision is not None)

    def _unready(self, percept: Percept) -> Decision | None:
        """What to do instead of driving to the goal, if that is not possible now."""
        routing, goal = self.routing, self.goal
        if routing.refusal is not None:
            return Decision.failed(*routing.refusal)
        if not routing.flat and routing.follower is None:
            routing.ask()
            if not self.is_direct(percept):
                return Decision.hold(State.PLANNING, "asking memory for a route")
        if routing.follower is not None and percept.location is None:
            return Decision.hold(State.PLANNING, "waiting for memory to localise the robot")
        if routing.scouting and percept.location is None:
            return Decision.hold(State.PLANNING, "waiting for memory to localise the robot")
        if routing.flat and goal.only_in_memory and not routing.scouting:
            message = (
                "memory cannot localise the robot, and only memory knows the goal; send it again from another spot, "
                "or say where the robot is with RViz's tool 2D Pose Estimate"
            )
            return Decision.failed(Code.GOAL_NOT_REMEMBERED, message)
        return None

    def is_direct(self, percept: Percept) -> bool:
        """Whether the way to a pose in odom is short and seen to be free, so that no route is waited for.

        The search finds its way past a corner that juts into it; where it did not, a way as wide as the robot is asked.
        A robot whose scans are guessed drives to a pose near by whatever they show: whether something stands in the way
        is found out by driving there.
        """
        if self.goal.pose is None or self.goal.in_map:
            return False
        pose = relative(percept.odometry, self.goal.pose)
        distance = float(np.hypot(pose[0], pose[1]))
        tries = distance < self.rules.direct and not self.recovery.recoveries
        if tries and not self.config.measured:
            return True
        wide = self.config.follower.width
        return distance < self.rules.seen_free and (
            in_sight(pose, percept.scan) if tries else in_sight(pose, percept.scan, wide)
        )

    def _look(self, percept: Percept, elapsed: float) -> Moment:
        """Looks for the goal."""
        routing = self.routing
        news = routing.opened(percept)
        sight = self.belief.look(percept, routing.follower, elapsed)
        self.believed = None if sight.pose is None else compose(percept.odometry, sight.pose)
        wide = self.config.follower.width - self.rules.corner
        seen = sight.pose is not None and ((sight.close and in_sight(sight.pose, percept.scan, wide)) or sight.spotted)
        # Where a route has led as near to a pose as places lie, a corner may hide it: it is there all the same.
        ended = self.goal.pose is not None and routing.follower is not None and routing.follower.at_end
        near = (routing.flat and not routing.scouting) or seen or ended or self.is_direct(percept)
        return Moment(percept, elapsed, sight, news, near)

    # Behaviours

    def _search(self, moment: Moment) -> Decision | None:
        """Looks for a goal of which nobody knows for certain where it is."""
        percept, sight = moment.percept, moment.sight
        search = self.finder.find(percept, sight, moment.elapsed)
        if search is None:
            return None
        look, spot = search
        if look is Look.GIVE_UP:
            return Decision.failed(*self.finder.given_up(percept))
        if spot is None or self._spot is None or np.hypot(*(spot - self._spot)[:2]) > 0.05:
            self.progress.reset()  # what was driven to before is nothing to compare with
        self._spot = spot
        if spot is not None:
            pose = relative(percept.odometry, spot)
            self.left = float(np.hypot(pose[0], pose[1]))
            return self._drive(percept, Target(None, pose, True), look.value, sight)
        if look is not Look.TURN:
            self.steering.planner.reset()
            return Decision.hold(State.PLANNING, look.value)
        return Decision.hold(State.PLANNING, look.value, self.config.planner.kinematics.turn(self.rules.turn))

    def _second_look(self, moment: Moment) -> Decision | None:
        """A little away from what may be the goal, to see it from elsewhere."""
        percept, sight = moment.percept, moment.sight
        step = self.finder.check(percept, sight)
        if step is None:
            return None
        self.progress.reset()
        if step.spot is not None:
            pose, message = relative(percept.odometry, step.spot), step.look.value
            straight = self.steering.final_approach(percept, pose, message, sight)
            if straight is None and sees(percept.scan, np.pi):
                back = of_width((-self.steering.robot.max_reverse, 0.0), self.steering.model.spec.command_dim)
                straight = Decision.hold(State.STOPPING, message, back)
            return straight or self._drive(percept, Target(None, pose, False), message, sight)
        self.steering.planner.reset()
        return Decision.hold(State.PLANNING, step.look.value)

    def _ask_from_nearer(self, moment: Moment) -> Decision | None:
        """Waits for memory's answer where the way that it knew ends."""
        if not self.routing.is_at_frontier(moment.percept):
            return None
        self.steering.planner.reset()
        return Decision.hold(State.PLANNING, "no way to the goal is known; asking memory from nearer")

    def _final_approach(self, moment: Moment) -> Decision | None:
        """Straight to the goal: to its place, to its heading, and there it is verified."""
        percept, sight = moment.percept, moment.sight
        if not moment.near:
            return None
        arrival = Arrival.APPROACHING
        if sight.pose is not None:
            returns, arrival = self.stop.returns, self.stop.update(percept.stamp, sight.pose)
            if returns < self.stop.returns <= self.rules.anew:
                self.progress.reset()  # the goal lies farther off than it seemed
        if arrival is Arrival.STANDING:
            return self._verify(percept, sight)
        self.left, self.beside = sight.distance, sight
        # What a picture lets guess of a latent is worth little in a building that the model does not know.
        target = Target(None if self.goal.recognised else self.goal.latent, sight.pose, True)
        if arrival is Arrival.TURNING and self.config.planner.kinematics.turns_on_the_spot:
            # On the spot only: imagined positions are not exact enough to be weighed against the heading.
            assert sight.pose is not None
            message = "turning as the goal does"
            if target.latent is None:
                return self.steering.turn(float(sight.pose[2]), message, sight, self.steering.rules.turn_end)
            return self._drive(percept, replace(target, latent=None), message, sight, turn_only=True)
        return self._approach(target, percept, sight)

    def _explore(self, moment: Moment) -> Decision | None:
        """Towards a pose that memory knows no way to, over ground that scans show to be free."""
        percept, sight = moment.percept, moment.sight
        if not self.routing.scouting:
            return None
        assert sight.pose is not None
        self.routing.scouted(percept.stamp)
        spot = self.scout.next_spot(percept, compose(percept.odometry, sight.pose))
        if spot is None:
            why = "no way to the goal is known, and nothing is left to explore towards it"
            return Decision.failed(Code.GOAL_NOT_REMEMBERED, why)
        pose = relative(percept.odometry, spot)
        if self._spot is None or np.hypot(*(spot - self._spot)[:2]) > 0.05:
            self.progress.reset()
        self._spot, self.left = spot, float(np.hypot(pose[0], pose[1]))
        bearing = float(np.arctan2(pose[1], pose[0]))
        if abs(bearing) > self.rules.turn_from and self.config.planner.kinematics.turns_on_the_spot:
            return self.steering.turn(bearing, "turning to free ground on the way to the goal", sight)
        return self._drive(percept, Target(None, pose, False), "exploring towards the goal", sight)

    def _follow_path(self, moment: Moment) -> Decision:
        """Along the route to its next place; news may change which way is best."""
        percept, sight, routing = moment.percept, moment.sight, self.routing
        assert percept.location is not None and routing.follower is not None
        self.left = sight.left
        if reason := routing.closed(percept):
            self.ask_again()
            return Decision.hold(State.PLANNING, f"the way is blocked, asking memory for another route: {reason}")
        if moment.news:
            routing.ask()
        sub = routing.follower.subgoal(pose_in_map(percept.location, percept.odometry), percept.scan)
        count = len(routing.follower.poses)
        if sub.turn and self.config.planner.kinematics.turns_on_the_spot:
            turning = self.steering.turn(sub.turn, "turning to the way", sight)
            return replace(turning, distance=sight.left, subgoal=sub.index, subgoals=count)
        target = Target(sub.place.latent, sub.pose, False)
        decision = self._drive(percept, target, moment.news or f"on the way through place {sub.place.id}", sight)
        return replace(decision, distance=sight.left, subgoal=sub.index, subgoals=count)

    BEHAVIOURS: ClassVar[tuple[tuple[str, Behaviour], ...]] = (
        ("search", _search),
        ("second_look", _second_look),
        ("wait", _ask_from_nearer),
        ("final_approach", _final_approach),
        ("explore", _explore),
        ("follow_path", _follow_path),
    )

    # Parts of a behaviour

    def _approach(self, target: Target, percept: Percept, sight: Sight) -> Decision:
        """Nearer to what is believed to be the goal; at last straight on, where that is known exactly enough."""
        message = "approaching the goal"
        if self.goal.recognised and sight.pose is not None:
            last = self.steering.final_approach(percept, sight.pose, message, sight)
            if last is not None:
                return last
        if self.goal.recognised and target.pose is not None:
            # Looks err by decimetres: what seems to lie inside of something would draw the robot in until it is stuck.
            disc = self.config.planner.disc
            free = free_near(target.pose, percept.scan, replace(disc, radius=disc.radius - self.rules.into))
            target = replace(target, pose=free)
        if target.latent is None and target.pose is not None and self.steering.robot.drive == "differential":
            target = replace(
                target, pose=facing(target.pose, percept.scan)
            )  # it turns to the heading on the spot, there
        return self._drive(percept, target, message, sight)

    def _drive(self, percept: Percept, target: Target, message: str, sight: Sight, turn_only: bool = False) -> Decision:
        warning = self.recovery.reason if self.recovery.now is RecoveryState.WARY else ""
        return self.steering.drive(percept, target, message, sight, self.routing.follower, warning, turn_only)

    def ask_again(self) -> None:
        """Drops the route, and the plan along it."""
        self.routing.ask_again()
        self.steering.planner.reset()

    def _verify(self, percept: Percept, sight: Sight) -> Decision:
        """Stands still; succeeds once it does and the latents agree, takes another hypothesis if they don't."""
        stood = self.stop.stood(percept.stamp)
        moving = speed(percept.velocity) > 0.03 or abs(percept.velocity[1]) > 0.08
        refuted = self.routing.follower is not None and sight.energy > self.config.doubt  # False where it is NaN
        proven = self.finder.proven(percept)
        if stood > self.rules.stand and not moving and not refuted and proven:
            return Decision(
                State.STOPPING, "reached the goal", done=True, succeeded=True,
                energy=sight.energy, distance=sight.distance,
            )  # fmt: skip
        if refuted and stood > self.rules.doubt:
            self.finder.leave(percept, sight)
            self.steering.planner.reset()
        elif not proven and self.finder.look_again(percept, sight, stood, self.config.planner.disc):
            self.steering.planner.reset()
            self.progress.reset()  # a look takes its time
        standing = Decision.hold(State.STOPPING, "standing at the goal")
        return replace(standing, energy=sight.energy, distance=sight.distance)
