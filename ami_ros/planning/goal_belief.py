"""Where the goal is, as far as is known at a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from ami_ros.geometry import Array, compose, from_cos_sin, relative
from ami_ros.memory.types import map_to_odom
from ami_ros.planning.goal_tracker import GoalTracker
from ami_ros.planning.proof import Proof
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.route_follower import RouteFollower, pose_in_map
from ami_ros.planning.types import Goal, Percept
from ami_ros.world_model.pairs import PairHead

ANYWHERE_SIGMA = 0.3  # [m] error of memory's pose of the goal, in a building that the model does not know
POSSIBLE = 0.8  # probability that a goal is seen, from which it is worth driving there
SURE = 0.35  # [m] of expected error, beyond which a look proves nothing


class Seen(NamedTuple):
    """A goal as one moment sees it."""

    pose: Array  # (3,) in base_link
    expected_error: float | None  # of its place [m]; None: who sees it cannot tell
    same: float | None = None  # probability that it is seen at all; None: who sees it cannot tell


class GoalLocator:
    """Locates a goal: by comparing images where goal, moment and model allow it, else by latents.

    Args:
        model: whose heads look.
        goal: with a latent.
    """

    def __init__(self, model: Dynamics, goal: Goal) -> None:
        assert goal.latent is not None
        self.model = model
        self.latent = torch.from_numpy(goal.latent)
        self.picture = torch.from_numpy(goal.picture) if goal.picture is not None else None
        self.pairs: PairHead | None = getattr(model, "pairs", None) if self.picture is not None else None

    def look(self, percept: Percept) -> Seen | None:
        """The goal, seen from this moment alone; None: this moment does not show it, as far as can be told."""
        if self.pairs is not None:
            return self._compare(self.pairs, percept)
        latent, sighting = torch.from_numpy(percept.latent), self.model.sighting
        with torch.inference_mode():
            if sighting is None or self.picture is None or percept.picture is None:
                return Seen(from_cos_sin(self.model.relative_pose(latent, self.latent).numpy()), None)
            seen = sighting(latent, torch.from_numpy(percept.picture), self.picture).numpy()
        return Seen(from_cos_sin(seen), float(np.exp(seen[4])))

    def _compare(self, pairs: PairHead, percept: Percept) -> Seen | None:
        if self.picture is None or percept.picture is None:
            return None
        here, there = torch.from_numpy(percept.picture)[None], self.picture[None]
        with torch.inference_mode():
            verdict = pairs(here, there, pairs.columns(percept.scan))
        same = float(verdict.same[0])
        if same < POSSIBLE:
            return None
        return Seen(from_cos_sin(verdict.pose[0].numpy()), float(verdict.error[0]), same)


@dataclass(frozen=True)
class Sight:
    """The goal at one moment."""

    seen: Array | None  # (3,) in base_link, by the latents of this moment alone
    pose: Array | None  # (3,) in base_link, the best belief
    left: float  # way left by the route [m]; 0 without one

    @property
    def energy(self) -> float:
        """Distance by the latents alone [m]."""
        return _length(self.seen)

    @property
    def distance(self) -> float:
        """Distance by the best belief [m]."""
        return _length(self.pose)


class GoalBelief:
    """Puts together what latents, memory and odometry say about one goal.

    Args:
        goal: see there.
        model: whose heads see goals.
        approach: way left [m] from which sightings are kept: from farther away they err.
    """

    def __init__(self, goal: Goal, model: Dynamics, approach: float) -> None:
        self.goal, self.approach = goal, approach
        self.locator = GoalLocator(model, goal) if goal.latent is not None else None
        self.tracker = GoalTracker(ANYWHERE_SIGMA) if self.needs_proof else GoalTracker()
        self.proof = Proof()

    @property
    def needs_proof(self) -> bool:
        """Whether the model can tell a goal from others that look like it, so that it has to."""
        return self.locator is not None and self.locator.pairs is not None

    def look(self, percept: Percept, follower: RouteFollower | None) -> Sight:
        """The goal at this moment, with the route in use."""
        goal, tracker = self.goal, self.tracker
        from_memory, left = None, 0.0
        if follower is not None and percept.location is not None:
            from_memory = compose(map_to_odom(percept.location), follower.route.goal_pose)
            left = follower.remaining(pose_in_map(percept.location, percept.odometry))
        if self.locator is not None:
            seen = self.locator.look(percept)
            if seen is not None and left < self.approach:
                tracker.add(percept.stamp, percept.odometry, seen.pose, seen.expected_error)
                if self._proves(seen):
                    self.proof.add(percept.stamp, percept.odometry, seen.pose)
            pose = tracker.estimate(percept.stamp, percept.odometry, from_memory)
            return Sight(None if seen is None else seen.pose, pose, left)
        if goal.pose is not None and not goal.in_map:
            return Sight(None, relative(percept.odometry, goal.pose), left)
        return Sight(None, relative(percept.odometry, from_memory) if from_memory is not None else None, left)

    def _proves(self, seen: Seen) -> bool:
        """Whether a look is sure enough to count for an arrival; others only show the way."""
        assert self.locator is not None
        pairs = self.locator.pairs
        if pairs is None or seen.same is None or seen.expected_error is None:
            return False
        return seen.same >= pairs.threshold and seen.expected_error < SURE

    def forget(self) -> None:
        """Drops all sightings, as when the goal turned out to be elsewhere."""
        self.tracker.forget()
        self.proof.forget()


def _length(pose: Array | None) -> float:
    return float(np.hypot(pose[0], pose[1])) if pose is not None else float("nan")
