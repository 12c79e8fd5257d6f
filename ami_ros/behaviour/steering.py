"""Commands towards a target: searched with the world model, or without a search straight on or on the spot."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.behaviour.belief import Sight
from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.core.commands import STILL, Command, of_width
from ami_ros.core.geometry import Array, Disc, compose, wrap
from ami_ros.core.scan import Scan
from ami_ros.planning.costs import times
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.monitors import Doubt, Yielding, in_the_way
from ami_ros.planning.planner import LatentPlanner, Plan
from ami_ros.planning.protocols import Clock, Dynamics, Target
from ami_ros.planning.route_follower import RouteFollower, circles_here
from ami_ros.planning.scan_geometry import covers, free_range, sees, unhurried
from ami_ros.planning.types import Decision, Goal, Percept, State
from ami_ros.safety.moving_things import Forecast, MovingThings, PredictionConfig, constant_velocity
from ami_ros.safety.tracker import without_moving


@dataclass(frozen=True)
class SteeringConfig:
    """How a robot drives without a search, and what it minds of people."""

    reach: float = 0.35  # [m] from which on a pose is driven straight to
    room: float = 0.03  # [m] that has to be free beside the robot, and behind its goal
    aside: float = 0.15  # [rad] off the way, from which it turns on the spot
    turn_rate: float = 2.5  # [1/s] of the angle that is left
    drive_rate: float = 1.2  # [1/s] of the way that is left
    slowest: float = 0.06  # [m/s]
    fastest: float = 0.25  # [m/s]
    backwards: float = 0.4  # [m] from which a place behind is backed up to: turning twice would take longer
    turn_end: float = 1.8  # [1/s] of the angle that is left, with which a turn to the goal's heading comes to its end
    turn_while_driving: float = 0.5  # [rad/s] that it may turn while it drives, if it does not see what is beside it
    ahead: float = 2.0  # [m] of the way to a target whose place is not known
    telling: float = 0.05  # [m] of cost by which people must change a plan for it to be said
    creep: float = 0.05  # [m/s] below which the robot waits
    soon: float = 2.5  # [s] within which who comes ...
    close: float = 0.15  # [m] ... so close is made way for, whatever the robot is about


def facing(pose: Array, scan: Scan | None = None, config: SteeringConfig = SteeringConfig()) -> Array:
    """A `pose` (3,) in base_link with the heading in which a robot drives straight to it: backwards, where it is close
    behind a robot whose `scan` looks there."""
    x, y = float(pose[0]), float(pose[1])
    bearing = math.atan2(y, x)
    if math.hypot(x, y) < config.backwards and abs(bearing) > math.pi / 2 and (scan is None or covers(scan, np.pi)):
        bearing = float(wrap(bearing + math.pi))
    return np.array([x, y, bearing])


def final_approach(
    pose: Array, scan: Scan | None, robot: Kinematics, disc: Disc, config: SteeringConfig = SteeringConfig()
) -> Command | None:
    """The command (linear [m/s], angular [rad/s]) straight to `pose` (3,) in base_link, forwards or backwards, over the
    last decimetres to a pose that is known to centimetres. What a search imagines is too coarse for that, and takes
    three times as long.

    Its heading is turned to later. None: it is too far off, not seen to be free, or this is no robot for that.

    Args:
        pose: of the goal.
        scan: what is around the robot.
        robot: its limits.
        disc: that holds it.
        config: see there.
    """
    distance, bearing = float(np.hypot(pose[0], pose[1])), float(np.arctan2(pose[1], pose[0]))
    if robot.drive != "differential" or scan is None or not 0.0 < distance < config.reach:
        return None
    aside, seen = float(facing(pose, scan, config)[2]), covers(scan, bearing)
    backwards = abs(float(wrap(aside - bearing))) > np.pi / 2
    reach = disc.reach(np.pi if backwards else 0.0) + config.room
    if seen and free_range(scan, bearing, disc.radius + config.room) < distance + reach:
        return None
    angular = float(np.clip(config.turn_rate * aside, -robot.max_angular, robot.max_angular))
    if abs(aside) > config.aside:
        return 0.0, angular
    if not seen:
        return None
    fastest = robot.max_reverse if backwards else robot.max_linear
    speed = min(max(config.drive_rate * distance, config.slowest), config.fastest, fastest)
    return (-speed if backwards else speed), angular


class Steering:
    """Steers for one goal at a time.

    A search that weighs place and heading against each other all the way parks sideways: with two wheels and a horizon
    of a second and a half it wiggles at the goal for ten seconds. So such a robot drives straight to the place, then
    turns.

    Args:
        model: imagines.
        config: of the robot, the search, and how much slower a wary robot drives.
        seed: of the search.
        clock: of its deadlines.
        rules: see there.

    Attributes:
        command: in force now.
        unsure: whether the model does not know what comes of the newest plan.
        yielding: whether somebody is in the way, and is waited for.
        predict: where what moves will be; see `constant_velocity`.
    """

    def __init__(
        self, model: Dynamics, config: NavigatorConfig, seed: int, clock: Clock = time.perf_counter,
        rules: SteeringConfig = SteeringConfig(),
    ) -> None:  # fmt: skip
        self.model, self.config, self.rules = model, config, rules
        self.planner = LatentPlanner(model, config.planner, seed, clock)
        self.doubt = Doubt(model)
        self.predict: Callable[[MovingThings, float, Array, PredictionConfig], Forecast | None] = constant_velocity
        self.robot = config.planner.kinematics
        self.start(Goal())

    def start(self, goal: Goal, command: Command = STILL) -> None:
        """A new goal, whose limits of speed hold; `command` is in force."""
        self._linear = goal.max_linear or self.robot.max_linear
        self._angular = goal.max_angular or self.robot.max_angular
        self.command: Command = command
        self.unsure = False
        self.yielding = Yielding()
        self.planner.reset()

    def turn(self, angle: float, message: str, sight: Sight, rate: float = math.inf) -> Decision:
        """A turn on the spot by `angle` [rad], as fast as may be, or at `rate` [1/s] of it."""
        self.planner.reset()
        turn = (0.0, math.copysign(min(self._angular, rate * abs(angle)), angle))
        turning = Decision.hold(State.CONTROLLING, message, of_width(turn, self.model.spec.command_dim))
        return replace(turning, energy=sight.energy, distance=sight.distance)

    def final_approach(self, percept: Percept, pose: Array, message: str, sight: Sight) -> Decision | None:
        """Straight to a `pose` (3,) in base_link close by; None: that is not possible. See `final_approach`."""
        robot = self.robot.limited(self._linear, self._angular)
        command = final_approach(pose, percept.scan, robot, self.config.planner.disc, self.rules)
        if command is None:
            return None
        self.planner.reset()
        return replace(
            Decision.hold(State.CONTROLLING, message, of_width(command, self.model.spec.command_dim)),
            energy=sight.energy, distance=sight.distance,
        )  # fmt: skip

    def make_way(self, percept: Percept, decision: Decision) -> Decision:
        """A decision that was made without a plan, to stand, turn or back up: where somebody would soon walk into the
        robot, or stands at it, a plan instead that makes way for them and else stays here."""
        if decision.done or len(decision.poses):
            return decision
        if not self._pressed(percept):
            return decision
        here = Target(None, np.zeros(3), False)
        plan = self.drive(percept, here, decision.message, Sight(None, None, 0.0), everybody=True)
        return replace(
            decision, message=plan.message, commands=plan.commands, poses=plan.poses,
            planning_seconds=plan.planning_seconds, shares=plan.shares,
        )  # fmt: skip

    def drive(
        self, percept: Percept, target: Target, message: str, sight: Sight, follower: RouteFollower | None = None,
        warning: str = "", turn_only: bool = False, everybody: bool = False,
    ) -> Decision:  # fmt: skip
        """The best imagined commands to `target`.

        Args:
            percept: of this moment.
            target: see there.
            message: what the robot is about.
            sight: of the goal, for the record.
            follower: of the route; commands that were driven along it are candidates.
            warning: why to drive slowly, unless somebody comes at the robot; "": there is no reason.
            turn_only: whether it must not leave the spot.
            everybody: whether to keep away from those who stand, too, and not from what of them the scan shows alone.
        """
        pressed = self._pressed(percept)
        slow = self.config.recovery.slow if warning and not pressed else 1.0
        rear, sides = sees(percept.scan, np.pi), sees(percept.scan, np.pi / 2, -np.pi / 2)
        angular = slow * self._angular
        # It minds who may come out beside the way, and what stands ahead.
        ahead = np.array([[self.rules.ahead, 0.0]]) if target.pose is None else target.pose[None, :2]
        calm = unhurried(percept.standing, ahead, self.config.planner.disc.radius, self.robot)
        linear = 0.0 if turn_only else min(slow * self._linear, calm)
        most = (linear, angular, np.inf if rear else 0.0, np.inf if sides else 0.0)
        spec, horizon = self.model.spec, self.config.planner.horizon
        driven = None if follower is None else follower.experience(horizon, spec.chunk, spec.command_dim)
        forecast = self._forecast(percept, times(horizon, spec.step_duration), everybody)
        scan, things = percept.standing, percept.things
        if forecast is not None and scan is not None and things is not None:  # of what moves the forecast tells
            slowest = self.config.planner.prediction.slowest
            walking = tuple(thing for thing in things.things if np.hypot(*thing.velocity) >= slowest)
            scan = without_moving(scan, percept.odometry, replace(things, things=walking))
        plan = self.planner.plan(
            percept.stamp, percept.latent, self.command, scan, target, most,
            circles_here(percept.keep_away, percept.location, percept.odometry),
            driven, forecast, pressed or target.final,
        )  # fmt: skip
        turns = not sides and self.robot.turns_on_the_spot
        commands = turned_first(plan.commands, self.rules.turn_while_driving) if turns else plan.commands
        self.unsure = self.doubt.about(percept.stamp, percept.latent, commands[: spec.chunk], self.command)
        told = self._told_of_people(percept, target, plan, forecast, commands)
        return Decision(
            State.CONTROLLING, "; ".join(filter(None, (message, warning, told))),
            commands, compose(percept.odometry, plan.poses), compose(percept.odometry, plan.others),
            energy=sight.energy, distance=sight.distance, planning_seconds=plan.seconds, shares=plan.shares,
        )  # fmt: skip

    def _forecast(self, percept: Percept, seconds: Array, everybody: bool) -> Forecast | None:
        """Of what moves, or of everybody whom a tracker knows, in base_link now, `seconds` (t,) from now."""
        if percept.things is None or not self.config.planner.costs.people.enabled:
            return None
        config = self.config.planner.prediction
        config = replace(config, slowest=0.0) if everybody else config
        forecast = self.predict(percept.things, percept.stamp, seconds, config)
        return None if forecast is None else forecast.seen_from(percept.odometry)

    def _pressed(self, percept: Percept) -> bool:
        """Whether somebody would soon touch the robot if it stood, or stands at it."""
        config = self.config.planner
        forecast = self._forecast(percept, times(config.horizon, self.model.spec.step_duration), everybody=True)
        if forecast is None:
            return False
        coming = forecast.positions[:, forecast.seconds < self.rules.soon]
        gaps = np.hypot(*coming.transpose(2, 0, 1)) - forecast.radii[:, None] - config.robot_radius
        return bool(gaps.min(initial=math.inf) <= self.rules.close)

    def _told_of_people(
        self, percept: Percept, target: Target, plan: Plan, forecast: Forecast | None, commands: Array
    ) -> str:  # fmt: skip
        """What the robot does about people, in words; "" where they change nothing. Notes whether it yields to them:
        to one who is in the way, or whose future makes it stand."""
        ahead = np.zeros((0, 2)) if target.pose is None else target.pose[None, :2]
        meets = in_the_way(percept.things, percept.odometry, ahead, self.config.planner.disc.radius)
        pull = max((share.pull for share in plan.shares if share.name == "people"), default=0.0)
        gives_way = forecast is not None and pull >= self.rules.telling
        stands = bool(np.abs(commands[: self.model.spec.chunk, 0]).max() < self.rules.creep)
        self.yielding.update(percept.stamp, meets or (gives_way and stands))
        if not gives_way or forecast is None:
            return "somebody is in the way" if self.yielding.waits else ""
        away = float(np.hypot(*forecast.positions[:, 0].T).min())
        does = "waiting for" if stands else "making way for"
        return f"{does} somebody who passes {away:.1f} m away"


def turned_first(commands: Array, most: float = SteeringConfig.turn_while_driving) -> Array:
    """Commands (k, 2 or 3), the first of which turn on the spot, if they turn faster than `most` [rad/s].

    A robot that looks ahead only does not see the inner side of a sharp curve, and the safety gate leaves little of it.
    """
    slow = np.abs(commands[:, 1]) <= most
    first = int(slow.argmax()) if slow.any() else len(commands)
    found = commands.copy()
    found[:first, 0] = 0.0
    return found
