"""Where the goal's picture was taken: a weighted set of hypotheses, beside the chance that it is elsewhere.

Each hypothesis has its odds against "elsewhere". Memory, looks, looks in vain, aligned pictures and what came of
driving there are evidence, in nats (`likelihoods`). Looks from one spot err together, so they count as one; and a place
that is alike looks like the goal from everywhere, so all looks count for no more than such a place is unlikely.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.goal.likelihoods import Likelihoods
from ami_ros.goal.looks import Look
from ami_ros.goal.tracker import GoalTracker

SAME = 0.6, 0.6  # [m], [rad] between two hypotheses, within which they are one: looks err by as much from afar
APART = 0.25  # [m] between two spots of which each tells how far off the goal is; a turn changes no distances
AGREE = 0.12, 0.25  # [m], [rad] between where two spots have the goal, that tell of one place ...
SLACK = 0.35  # [m per m] ... and the more between spots farther apart: who sees all things here sees no distances
BESIDE = 0.15, 0.3  # [m], [rad] from a hypothesis, within which pictures that differ speak against it
RECENT = 1.5  # [s] for which aligned pictures tell of where the robot stands
FRAMES = 3.0  # looks in sequence that say as much as one: at 10 Hz their pictures are nearly the same
SEARCH_WINDOW = 15.0  # [s] that looks tell of where a goal is: longer than a turn on the spot
REFUTED = -2.5  # [nat] against a hypothesis, beyond which it was found to be another place
MOST = 50.0  # [nat] that are told apart
MAP_SIGMA = 0.3  # [m] error of memory's pose of the goal, in a building that the model does not know


@dataclass
class View:
    """All looks from one spot that saw the goal. Poses (3,) are in odom."""

    at: Array  # of the robot
    goal: Array  # where they have the goal, the newest of them
    evidence: float = 0.0  # [nat]


@dataclass
class Hypothesis:
    """One place where the goal's picture may have been taken. Poses are in odom."""

    pose: Array  # (3,)
    tracker: GoalTracker  # of its looks
    astray: float  # [nat] of looks from another spot that have it elsewhere; see `Likelihoods`
    remembered: float = -math.inf  # [nat] log odds by memory
    rivals: float = 0.0  # probability of a place that is alike, by what places say of the goal
    views: list[View] = field(default_factory=list)
    newest: View | None = None
    missed: float = 0.0  # [nat] of the look in vain that tells most: what hides a goal here hides it beside, too
    checked: float = 0.0  # [nat] of aligned pictures ...
    checked_at: float = -math.inf  # [s] ... when they were
    unproven: float = 0.0  # [nat] of having stood there, and not been sure
    unreached: float = 0.0  # [nat] of having got stuck on the way; once the robot stands there it tells nothing
    probability: float = 0.0

    def carry(self, correction: Array) -> None:
        """Odometry drifted by `correction` (3,)."""
        self.pose = compose(correction, self.pose)
        for view in self.views:
            view.at = compose(correction, view.at)
            view.goal = compose(correction, view.goal)

    def view_from(self, odometry: Array, goal: Array) -> View:
        """The looks from where the robot is, of which one has just seen the goal at `goal` (3,)."""
        near = (view for view in self.views if np.hypot(*(view.at - odometry)[:2]) < APART)
        self.newest = next(near, None)
        if self.newest is None:
            self.newest = View(np.array(odometry), goal)
            self.views.append(self.newest)
        self.newest.goal = goal
        return self.newest

    @property
    def hindered(self) -> float:
        """All that came of driving there [nat]. Who gets stuck may have been wrong about where it is, but hardly about
        what was seen from several spots: then something stands in that one way."""
        return self.unproven + min(0.0, self.unreached + max(0.0, self.looked))

    @property
    def is_recalled(self) -> bool:
        """Whether it is where memory's newest answer has the goal."""
        return math.isfinite(self.remembered)

    @property
    def is_refuted(self) -> bool:
        """Whether it was found to be another place: there pictures differ, or what came of driving there says so."""
        return self.checked + self.hindered < REFUTED

    @property
    def is_alike(self) -> bool:
        """Whether it is another place that looks like the goal: pictures were aligned there, and differ. What was only
        not there, or could not be reached, may be a look that erred by how far off the goal is."""
        return self.is_refuted and self.checked < 0

    def is_checked(self, stamp: float) -> bool:
        """Whether pictures from here have been aligned just now."""
        return stamp - self.checked_at < RECENT

    @property
    def is_corroborated(self) -> bool:
        """Whether it was seen from another spot than the newest, and there."""
        return any(view is not self.newest and self._agrees(view) for view in self.views)

    @property
    def looked(self) -> float:
        """All that looks say [nat]."""
        agreeing = [view.evidence for view in self.views if self._agrees(view)]
        return sum(agreeing) + max(self.astray * (len(self.views) - len(agreeing)), 2 * self.astray) + self.missed

    def _agrees(self, view: View) -> bool:
        """Whether the looks from a spot have the goal where the newest ones have it."""
        if self.newest is None:
            return False
        distance, turn = pose_gap(view.goal, self.newest.goal)
        moved = np.hypot(*(view.at - self.newest.at)[:2])
        return bool(distance < AGREE[0] + SLACK * moved and turn < AGREE[1])


class GoalPosterior:
    """Weighs where one goal's picture was taken.

    Args:
        likelihoods: of what is seen.

    Attributes:
        hypotheses: all that were ever seen or remembered.
    """

    def __init__(self, likelihoods: Likelihoods) -> None:
        self.likelihoods = likelihoods
        self.hypotheses: list[Hypothesis] = []

    # Evidence

    def recall(self, pose: Array | None, share: float, is_late: bool = False) -> Hypothesis | None:
        """Memory has the goal at `pose` (3,), with a `share` of all that places say; None or 0: it does not tell.

        `is_late`: the robot cannot get there in the time that it is allowed.
        """
        for hypothesis in self.hypotheses:
            hypothesis.remembered = -math.inf
        if pose is None or share <= 0:
            return None
        found = self.at(pose) or self._new(pose)
        found.remembered, found.rivals = self.likelihoods.of_memory(share, is_late), min(1.0 - share, 0.5)
        if not found.tracker.sightings:
            found.pose = pose
        return found

    def look(self, stamp: float, odometry: Array, look: Look | None, turn: float = 0.0) -> None:
        """What a moment shows of the goal, from `odometry` (3,); None: nothing. It was compared with a picture that was
        taken there by a robot turned by `turn` [rad] from the goal's heading."""
        seen = None if look is None else self._see(stamp, odometry, look)
        for hypothesis in self.hypotheses:
            if hypothesis is not seen:
                self._miss(compose(hypothesis.pose, (0.0, 0.0, turn)), hypothesis, odometry)
            if _is_beside(hypothesis, odometry):
                hypothesis.unreached = 0.0
        self.weigh()

    def _see(self, stamp: float, odometry: Array, look: Look) -> Hypothesis:
        pose, weighs = compose(odometry, look.pose), self.likelihoods
        found = self.at(pose) or self._new(pose)
        found.tracker.add(stamp, odometry, look.pose, look.error, look.sigma)
        estimate = found.tracker.estimate(stamp, odometry, None)
        assert estimate is not None
        found.pose = compose(odometry, estimate)
        view, most = found.view_from(odometry, pose), weighs.of_look(look)
        view.evidence = min(view.evidence + most / FRAMES, max(most, view.evidence))
        found.missed -= found.missed / FRAMES
        if look.difference is not None:
            checked = weighs.of_difference(look)
            if checked > 0 or _is_beside(found, odometry):
                found.checked += (checked - found.checked) / FRAMES
                found.checked_at = stamp
        return found

    def _miss(self, camera: Array, hypothesis: Hypothesis, odometry: Array) -> None:
        """What was taken at `camera` (3,), were the goal at a hypothesis, is not to be seen."""
        least = self.likelihoods.of_miss(relative(odometry, camera))
        hypothesis.missed = max(hypothesis.missed + least / FRAMES, min(least, hypothesis.missed))

    def stood(self, pose: Array, evidence: float) -> None:
        """The robot stood at `pose` (3,), looked again, and what came of it counts for so much [nat]."""
        (self.at(pose) or self._new(pose)).unproven += evidence

    def stuck(self, pose: Array) -> None:
        """The robot did not get to `pose` (3,), from close by."""
        (self.at(pose) or self._new(pose)).unreached += self.likelihoods.unreached

    def carry(self, correction: Array) -> None:
        """Odometry drifted; see `Drift`. Sightings are too new for that."""
        for hypothesis in self.hypotheses:
            hypothesis.carry(correction)

    def restart(self) -> None:
        """Odometry restarted: nothing lies where it lay."""
        self.hypotheses.clear()

    # Weights

    def weigh(self) -> None:
        """Sets the probability of each hypothesis. What looks like the goal there is the goal; or looks like it by
        chance, which other spots tell, and who gets stuck; or is alike from everywhere, which only aligned pictures
        tell."""
        weighs, known = self.likelihoods, self.hypotheses
        alike = sum(hypothesis.is_alike for hypothesis in known)
        weights = []
        for hypothesis in known:
            others = alike - hypothesis.is_alike
            prior = max(hypothesis.remembered, weighs.seen_prior - math.log1p(others))
            like = max(weighs.alike * (1 + others), hypothesis.rivals if hypothesis.is_recalled else 0.0)
            chance = math.exp(min(-prior - hypothesis.looked - hypothesis.unreached, MOST))
            odds = hypothesis.checked + hypothesis.unproven - math.log(chance + like)
            weights.append(math.exp(min(odds, MOST)))
        for hypothesis, weight in zip(known, weights, strict=True):
            hypothesis.probability = weight / (1.0 + sum(weights))

    @property
    def elsewhere(self) -> float:
        """Probability that the goal is at none of the hypotheses."""
        return 1.0 - sum(hypothesis.probability for hypothesis in self.hypotheses)

    def is_refuted(self, pose: Array) -> bool:
        """Whether what was seen of `pose` (3,), and came of it, speaks against it."""
        found = self.at(pose)
        return found is not None and found.is_refuted

    def at(self, pose: Array) -> Hypothesis | None:
        """The nearest hypothesis that is the same as one at `pose` (3,)."""
        near = [(float(pose_gap(h.pose, pose)[0]), k) for k, h in enumerate(self.hypotheses) if _same(h.pose, pose)]
        return self.hypotheses[min(near)[1]] if near else None

    def _new(self, pose: Array) -> Hypothesis:
        tracker = GoalTracker(MAP_SIGMA, SEARCH_WINDOW, compares=True)
        self.hypotheses.append(Hypothesis(np.array(pose), tracker, self.likelihoods.astray))
        return self.hypotheses[-1]


def _is_beside(hypothesis: Hypothesis, odometry: Array) -> bool:
    return bool(np.less(pose_gap(hypothesis.pose, odometry), BESIDE).all())


def _same(a: Array, b: Array) -> bool:
    return bool(np.less(pose_gap(a, b), SAME).all())
