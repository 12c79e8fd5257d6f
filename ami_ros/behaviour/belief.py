"""Where the goal is at one moment: what looks, memory and odometry say of it together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ami_ros.behaviour.looks import GoalLocator
from ami_ros.behaviour.posterior import GoalPosterior, GoalTracker, Hypothesis, Likelihoods
from ami_ros.behaviour.search import reach
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.memory.types import ALONE, map_to_odom
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.route_follower import RouteFollower, pose_in_map
from ami_ros.planning.types import Goal, Percept


@dataclass(frozen=True)
class BeliefConfig:
    """What has to be known of a hypothesis for what is done about it."""

    worth: float = 0.1  # probability from which it is driven to
    dropped: float = 0.05  # probability below which it is not driven to any more
    arrived: float = 0.995  # probability where the robot stands, from which it has arrived
    spotted: int = 3  # looks that agree, from which a goal is seen rather than imagined; 1 where memory is sure of it
    turn: float = 2.5  # [m] that could be driven while the robot looks there


@dataclass(frozen=True)
class Sight:
    """The goal at one moment. Poses (3,) are in base_link."""

    seen: Array | None  # by this moment alone
    pose: Array | None  # the best belief
    left: float  # way left by the route [m]; 0 without one
    close: bool = True  # the way left is short, or so is the straight one
    spotted: bool = False  # the goal was recognised from here, wherever memory has it
    remembered: Array | None = None  # where memory has it

    @property
    def energy(self) -> float:
        """Distance by this moment alone [m]."""
        return _length(self.seen)

    @property
    def distance(self) -> float:
        """Distance by the best belief [m]."""
        return _length(self.pose)


class GoalBelief:
    """Puts together what is known of where one goal is.

    Args:
        goal: see there.
        model: whose heads see goals.
        approach: way left [m] from which sightings by latents are kept: from farther away they err.
        config: see there.

    Attributes:
        driven: the hypothesis that is most worth driving to, for the way; None: none is.
        attentive: whether pictures were compared at the last moment: on the way to where memory is sure to have the
            goal, no look counts.
    """

    def __init__(self, goal: Goal, model: Dynamics, approach: float, config: BeliefConfig = BeliefConfig()) -> None:
        self.goal, self.approach, self.config = goal, approach, config
        self.locator = GoalLocator(model, goal) if goal.latent is not None else None
        self.posterior, self.tracker = GoalPosterior(Likelihoods()), GoalTracker()
        self.driven: Hypothesis | None = None
        self.attentive = self.compares

    @property
    def compares(self) -> bool:
        """Whether the model can tell a goal from others that look like it, so that it has to."""
        return self.locator is not None and self.locator.pairs is not None

    def look(self, percept: Percept, follower: RouteFollower | None, elapsed: float = 0.0) -> Sight:
        """The goal at this moment, with the route in use, `elapsed` [s] after it was asked for."""
        goal, from_memory, left, ended = self.goal, None, 0.0, False
        if follower is not None and percept.location is not None:
            ended = follower.at_end
            from_memory = compose(map_to_odom(percept.location), follower.route.goal_pose)
            left = follower.remaining(pose_in_map(percept.location, percept.odometry))
        elif goal.pose is not None and goal.in_map and percept.location is not None:
            from_memory = compose(map_to_odom(percept.location), goal.pose)
        close = left < self.approach or ended
        if self.locator is not None and self.compares:
            late = left > reach(elapsed, goal.time_allowance)
            share = 0.0 if follower is None else follower.route.goal_confidence
            recalled = self.posterior.recall(from_memory, share, late)
            beside = from_memory is not None and bool(np.hypot(*(from_memory - percept.odometry)[:2]) < self.approach)
            self.attentive = close or beside or recalled is None or not _is_sure(recalled)
            return self._weigh(percept, self.locator, from_memory, left, close or beside)
        if self.locator is not None:
            seen = self.locator.look(percept)
            if seen is not None and close:
                self.tracker.add(percept.stamp, percept.odometry, seen.pose, seen.error, seen.sigma)
            pose = self.tracker.estimate(percept.stamp, percept.odometry, from_memory)
            remembered = None if from_memory is None else relative(percept.odometry, from_memory)
            return Sight(None if seen is None else seen.pose, pose, left, close, remembered=remembered)
        if goal.pose is not None and not goal.in_map:
            return Sight(None, relative(percept.odometry, goal.pose), left, left < self.approach)
        pose = relative(percept.odometry, from_memory) if from_memory is not None else None
        return Sight(None, pose, left, close)

    def _weigh(
        self, percept: Percept, locator: GoalLocator, from_memory: Array | None, left: float, close: bool
    ) -> Sight:
        """The same where pictures are compared: of the likeliest hypothesis that is seen, or that a route leads to."""
        stamp, odometry, weighs, config = percept.stamp, percept.odometry, self.posterior, self.config
        seen = None
        if self.attentive:
            believed = from_memory if self.driven is None else self.driven.pose
            seen = locator.look(percept, None if believed is None else relative(odometry, believed))
            weighs.look(stamp, odometry, seen, locator.view.turn)
        else:
            weighs.weigh()
        at_hand = [h for h in weighs.hypotheses if h.is_recalled or h.tracker.agreeing(stamp)]
        worth = [h for h in at_hand if h.probability > (config.dropped if h is self.driven else config.worth)]

        def gain(hypothesis: Hypothesis) -> float:
            way = left if hypothesis.is_recalled else np.hypot(*(hypothesis.pose - odometry)[:2])
            return hypothesis.probability / float(way + config.turn)

        best = self.driven = max(worth, key=gain, default=None)
        remembered = None if from_memory is None else relative(odometry, from_memory)
        at = None if seen is None else seen.pose
        if best is None:
            return Sight(at, remembered, left, close, remembered=remembered)
        spotted = best.tracker.agreeing(stamp) >= (1 if _is_sure(best) else config.spotted)
        if best.is_recalled and not spotted:  # the first looks may err by more than memory does
            pose = best.tracker.estimate(stamp, odometry, from_memory)
            best.pose = best.pose if pose is None else compose(odometry, pose)
        return Sight(at, relative(odometry, best.pose), left, close, spotted, remembered)

    def restart(self) -> None:
        """Odometry restarted: what was seen lies nowhere any more."""
        self.posterior.restart()
        self.tracker.forget()
        self.driven = None
        if self.locator is not None:
            self.locator.own.forget()


def _is_sure(hypothesis: Hypothesis) -> bool:
    """Whether memory alone has the goal there likely enough, and nothing speaks against it."""
    return hypothesis.remembered > math.log(ALONE / (1 - ALONE)) and not hypothesis.is_refuted


def _length(pose: Array | None) -> float:
    return float(np.hypot(pose[0], pose[1])) if pose is not None else float("nan")
