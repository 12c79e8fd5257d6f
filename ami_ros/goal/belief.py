"""Where the goal is, as far as is known at a moment."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ami_ros.geometry import Array, compose, from_cos_sin, pose_gap, relative
from ami_ros.goal.own_pictures import OwnPictures
from ami_ros.goal.proof import LIKELY, SPLIT, Proof
from ami_ros.goal.refuted import Refuted
from ami_ros.goal.tracker import GoalTracker
from ami_ros.places.types import map_to_odom
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.route_follower import RouteFollower, pose_in_map
from ami_ros.planning.types import Goal, Percept
from ami_ros.world_model.array_pairs import ArrayPairs

ANYWHERE_SIGMA = 0.3  # [m] error of memory's pose of the goal, in a building that the model does not know
SEARCH_WINDOW = 15.0  # [s] that looks are kept in such a building: longer than a turn on the spot
SPOTTED = 3  # looks that agree, from which a goal is seen rather than imagined
POSSIBLE = 0.8  # probability that a goal is seen, from which it is worth driving there
ALIGNED = 0.5, 0.5  # [m], [rad] from the goal, within which pictures are aligned ...
EXACT = 2.5, 0.3  # ... the difference up to which that gives the pose, and the share of the head's expected error that
# is left, for each unit of it
DIFFERENT, SURER, MOST = 1.0, 0.7, 1.5  # of the aligned pictures, from which a place is not the goal's but one that is
# alike: where the head is as sure as its threshold asks, the more for each tenfold of these odds, and however sure
LEAST = 0.3  # times these odds, with less of which the head does not see the goal, however alike the pictures are
ALIKE = 1.5, 0.9  # times the odds that are needed where the goal may as well be elsewhere, and what may differ there
AWAY = 4.0  # [m] from where the robot set out: goals are asked for near by more often than chance would have it
REFUTED = 5.0  # difference, beside the goal, from which it certainly is not, if the head doubts it
BESIDE = 0.15, 0.25  # [m], [rad]
NEARBY = 0.8, 0.7  # [m], [rad] from where memory is likely to have the goal, within which looks may correct it
SURE = 0.35  # [m] of expected error, beyond which a look proves nothing
DOUBTFUL = 0.3, 1.0  # times the odds of the head's threshold, below which it does not see the goal: by looks that are
# exact enough to count, and by others
CERTAIN = 0.25  # [m] of expected error, for a look that proves alone


class Seen(NamedTuple):
    """A goal as one moment sees it."""

    pose: Array  # (3,) in base_link
    expected_error: float | None  # of its place [m]; None: who sees it cannot tell
    same: float | None = None  # probability that it is seen at all; None: who sees it cannot tell
    difference: float | None = None  # of the aligned pictures; see `world_model.alignment`; None: from too far off
    sigma: float | None = None  # of the pose [m], where pictures were aligned


class GoalLocator:
    """Locates a goal: by comparing images where goal, moment and model allow it, else by latents.

    Args:
        model: whose heads look.
        goal: with a latent.
    """

    def __init__(self, model: Dynamics, goal: Goal) -> None:
        assert goal.latent is not None
        self.model, self.latent, self.picture = model, goal.latent, goal.picture
        self.pairs: ArrayPairs | None = getattr(model, "pairs", None) if self.picture is not None else None
        self.own = OwnPictures()
        self._moved = self.pairs.moved_off(self.picture) if self.pairs and self.picture is not None else None

    def look(self, percept: Percept) -> Seen | None:
        """The goal, seen from this moment alone; None: this moment does not show it, as far as can be told."""
        if self.pairs is not None:
            return self._compare(self.pairs, percept)
        sighting = self.model.sighting
        if sighting is None or self.picture is None or percept.picture is None:
            return Seen(from_cos_sin(self.model.relative_pose(percept.latent, self.latent)), None)
        seen = sighting(percept.latent, percept.picture, self.picture)
        return Seen(from_cos_sin(seen), float(np.exp(seen[4])))

    def _compare(self, pairs: ArrayPairs, percept: Percept) -> Seen | None:
        if self.picture is None or self._moved is None or percept.picture is None:
            return None
        self.own.add(percept)
        here, there = percept.picture, self.picture
        found = pairs.compare(here[None], there[None], [percept.scan])
        same = float(found.same[0])
        if same < POSSIBLE:
            return None
        pose, error = from_cos_sin(found.pose[0]), float(found.error[0])
        if not np.less((np.hypot(pose[0], pose[1]), abs(pose[2])), ALIGNED).all():
            return Seen(pose, error, same)
        aligned = pairs.align(here, there, found.pose[0], percept.scan)
        difference = aligned.difference(self._moved, self.own.usual(pairs, percept))
        if difference > EXACT[0]:
            return Seen(pose, error, same, difference, sigma=error)
        return Seen(aligned.pose.astype(np.float64), error, same, difference, EXACT[1] * difference * error)


@dataclass(frozen=True)
class Sight:
    """The goal at one moment."""

    seen: Array | None  # (3,) in base_link, by the latents of this moment alone
    pose: Array | None  # (3,) in base_link, the best belief
    left: float  # way left by the route [m]; 0 without one
    close: bool = True  # the way left is short, or so is the straight one
    spotted: bool = False  # the goal was recognised from here, wherever memory has it
    remembered: Array | None = None  # (3,) in base_link, where memory has it
    refuted: bool = False  # from where it should be at once beside the robot, its picture is another
    difference: float | None = None  # of the pictures themselves; None: they are not compared

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

    Attributes:
        refuted: where it was found not to be.
        compares: whether pictures were compared at the last moment: on the way to where memory has the goal, what looks
            like it elsewhere is left alone.
    """

    def __init__(self, goal: Goal, model: Dynamics, approach: float) -> None:
        self.goal, self.approach = goal, approach
        self.locator = GoalLocator(model, goal) if goal.latent is not None else None
        self.tracker = GoalTracker(ANYWHERE_SIGMA, SEARCH_WINDOW, compares=True) if self.needs_proof else GoalTracker()
        self.proof = Proof()
        self.anywhere = False  # whether it may be seen elsewhere than where memory has it, however sure that is
        self.wary = False  # whether it has followed what only looked like the goal: then exact looks count alone
        self.refuted = Refuted()
        self.began: Array | None = None  # (3,) in odom, where the robot set out; None: that is not known
        self.compares = self.needs_proof
        self._away = False  # whether it was far from there

    @property
    def needs_proof(self) -> bool:
        """Whether the model can tell a goal from others that look like it, so that it has to."""
        return self.locator is not None and self.locator.pairs is not None

    def look(self, percept: Percept, follower: RouteFollower | None) -> Sight:
        """The goal at this moment, with the route in use."""
        goal, tracker = self.goal, self.tracker
        from_memory, left, ended = None, 0.0, False
        self.began = percept.odometry if self.began is None else self.began
        self._away |= bool(np.hypot(*(percept.odometry - self.began)[:2]) > AWAY)
        if follower is not None and percept.location is not None:
            ended = follower.at_end
            from_memory = compose(map_to_odom(percept.location), follower.route.goal_pose)
            left = follower.remaining(pose_in_map(percept.location, percept.odometry))
        elif goal.pose is not None and goal.in_map and percept.location is not None:
            from_memory = compose(map_to_odom(percept.location), goal.pose)
        if self.locator is not None:
            close = left < self.approach or ended or self._is_beside(percept, from_memory)
            alone = self._share(follower) >= SPLIT and not self.anywhere
            here = close or (self.needs_proof and not alone)
            self.compares = here and self.needs_proof
            seen = self.locator.look(percept) if here or not self.needs_proof else None
            likely = from_memory if self.needs_proof and alone else None
            heeded = seen is not None and here and (self._counts(seen) or not self.wary)
            if seen is not None and heeded and self._is_credible(percept, seen, likely, follower):
                tracker.add(percept.stamp, percept.odometry, seen.pose, seen.expected_error, seen.sigma)
                if self._counts(seen):
                    self.proof.add(percept.stamp, percept.odometry, seen.pose, self._is_certain(seen, follower))
            enough = SPOTTED if likely is None else 1  # a look that agrees with memory is no chance
            spotted = self.needs_proof and here and tracker.agreeing(percept.stamp) >= enough
            pose = tracker.estimate(percept.stamp, percept.odometry, None if spotted else from_memory)
            refuted = here and seen is not None and self._is_another(seen, pose)
            remembered = None if from_memory is None else relative(percept.odometry, from_memory)
            sight = Sight(None, pose, left, close, spotted, remembered, refuted)
            return sight if seen is None else replace(sight, seen=seen.pose, difference=seen.difference)
        if goal.pose is not None and not goal.in_map:
            return Sight(None, relative(percept.odometry, goal.pose), left, left < self.approach)
        pose = relative(percept.odometry, from_memory) if from_memory is not None else None
        return Sight(None, pose, left, left < self.approach or ended)

    def _is_beside(self, percept: Percept, from_memory: Array | None) -> bool:
        """Whether memory has the goal nearer than its route is long, as where a map is hardly connected yet."""
        if not self.needs_proof or from_memory is None:
            return False
        return bool(np.hypot(*(from_memory - percept.odometry)[:2]) < self.approach)

    @staticmethod
    def _share(follower: RouteFollower | None) -> float:
        """Memory's confidence in where the route leads; 0 without one."""
        return 0.0 if follower is None else follower.route.goal_confidence

    @staticmethod
    def _counts(seen: Seen) -> bool:
        """Whether a look is exact enough to count for an arrival; others only show the way."""
        return seen.same is not None and seen.expected_error is not None and seen.expected_error < SURE

    def _is_certain(self, seen: Seen, follower: RouteFollower | None) -> bool:
        """Whether a look cannot be one at a place that is alike, as far as one can tell: there are such where memory
        has the goal elsewhere as well, where it had to guess far from where the robot set out, and where something
        looked like the goal and was not."""
        if seen.expected_error is None or seen.difference is None:
            return False
        share = self._share(follower)
        alike = (share < SPLIT and (share >= LIKELY or self._away)) or bool(self.refuted)
        needed, share_of_different = ALIKE if alike else (1.0, 1.0)
        odds = self._odds(seen) / needed
        if odds < LEAST or seen.expected_error >= CERTAIN:
            return False
        return seen.difference < share_of_different * min(MOST, DIFFERENT + SURER * math.log10(odds))

    def _odds(self, seen: Seen) -> float:
        """Odds that the goal is seen, in those of the head's threshold."""
        assert self.locator is not None and self.locator.pairs is not None and seen.same is not None
        threshold = self.locator.pairs.threshold
        return seen.same * (1 - threshold) / max(threshold * (1 - seen.same), 1e-9)

    def _is_another(self, seen: Seen, pose: Array | None) -> bool:
        """Whether beside the goal its picture is seen to be another. Small things close by make pictures differ as much
        from two decimetres off; there the head is nearly sure all the same."""
        if seen.difference is None or pose is None:
            return False
        if self._odds(seen) > DOUBTFUL[0 if self._counts(seen) else 1]:
            return False
        beside = np.hypot(pose[0], pose[1]) < BESIDE[0] and abs(pose[2]) < BESIDE[1]
        return bool(beside and seen.difference > REFUTED)

    def _is_credible(self, percept: Percept, seen: Seen, likely: Array | None, follower: RouteFollower | None) -> bool:
        """Whether the goal may be where a look has it; where memory has it there is `likely`, another is not."""
        pose = compose(percept.odometry, seen.pose)
        if likely is not None and np.greater(pose_gap(pose, likely), NEARBY).any():
            return False
        if not self.refuted.covers(pose):
            return True
        return self._is_certain(seen, follower) and self.refuted.take_back(pose)

    def forget_unlikely(self, follower: RouteFollower | None) -> None:
        """The robot does not get to where it sees the goal: if memory does not have it there, it is taken for wrong."""
        if self.needs_proof and self._share(follower) < LIKELY:
            for sighting in self.tracker.sightings:
                self.refuted.add(sighting.pose, firmly=True)
            self.forget()

    def refute(self, pose: Array, firmly: bool = False) -> None:
        """The goal is not at `pose` (3,) in odom, whatever it looks like; see `Refuted.add`."""
        self.refuted.add(pose, firmly)
        self.forget()

    def is_refuted(self, odometry: Array, pose: Array | None) -> bool:
        """Whether the goal was found not to be at `pose` (3,) in base_link of a robot at `odometry` (3,)."""
        if pose is None:
            return False
        return self.refuted.covers(compose(odometry, pose))

    def restart(self) -> None:
        """Odometry restarted: what was seen, and what was found to be another place, lies nowhere any more."""
        self.refuted.clear()
        self.began = None
        if self.locator is not None:
            self.locator.own.forget()
        self.forget()

    def carry(self, correction: Array) -> None:
        """Odometry drifted; see `Drift`. Sightings are too new for that."""
        self.refuted.carry(correction)
        if self.began is not None:
            self.began = compose(correction, self.began)

    def forget(self) -> None:
        """Drops all sightings, as when the goal turned out to be elsewhere."""
        self.tracker.forget()
        self.proof.forget()


def _length(pose: Array | None) -> float:
    return float(np.hypot(pose[0], pose[1])) if pose is not None else float("nan")
