"""Where the goal's picture was taken: weighted hypotheses, what evidence is worth, and sightings fused into a pose."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.looks import Look
from ami_ros.core.geometry import Array, compose, mean_pose, pose_gap, relative
from ami_ros.memory.types import LATE, RECALLED


@dataclass(frozen=True)
class Likelihoods:
    """How much evidence is, in nats: the logarithm of how much likelier it is where the goal is than elsewhere. Of
    looks, of aligned pictures, and of places that remember the goal.

    Counted in nine buildings for training: looks at 70 pictures (16 of them of other buildings) from beside where they
    were taken and from elsewhere, and robots put where the head claims them. docs/design/goal_search.md has the tables.
    """

    seen_prior: float = -4.0  # [nat] that one of 50 spots from where a goal may be seen is the one
    certain: float = 0.35  # [m] of expected error, below which a look is an exact one
    # [nat] of all looks from one spot, at most: of exact ones above and below the head's threshold, then of others.
    # Right and wrong 74:1, 18:7, 7:5, 25:20, of 159 looks at a goal and 1792 elsewhere; rounded down: rooms are alike.
    views: tuple[float, float, float, float] = (4.0, 3.0, 2.5, 2.0)
    astray: float = -1.0  # [nat] of looks from another spot that have it elsewhere; of all such twice as much
    alike: float = 0.15  # probability of a place that is alike from everywhere: 11 for 70 pictures
    # Probability that a look sees the goal from where it is, and [m], [rad] with which that falls off: 85 of 91 within
    # 0.8 m and 1 rad, 15 of 27 up to 1.2 m, 10 of 65 up to 2.4 m.
    found: tuple[float, float, float] = (0.97, 0.9, 1.2)
    # [nat] of aligned pictures, and for each unit of their difference: up to 2.4 at 164 of 167 goals, 6.6 and more
    # at 8 of 8 other places that the head took for them.
    difference: tuple[float, float] = (7.4, -4.0)
    odds: tuple[float, float, float] = (1.2, -2.0, 2.0)  # [nat] for each e-fold of the head's odds, from and to
    # [nat] of aligned pictures: at least where the head doubts the goal, at least where it does not (small things close
    # by look another way from two decimetres off), and at most: with more, one spot alone would make an arrival.
    # 3 of 317 other places fit.
    checked: tuple[float, float, float] = (-5.0, -2.0, 5.4)
    unproven: float = -4.0  # [nat] the robot stood there, looked again, and was not sure: 2 % of goals
    unreached: float = -4.0  # [nat] the robot got stuck on the way there from close by: likewise
    refuted: float = -2.5  # [nat] against a hypothesis, beyond which it was found to be another place
    same: tuple[float, float] = (0.6, 0.6)  # [m], [rad] between hypotheses that are one: looks err by as much from afar
    apart: float = 0.25  # [m] between two spots that each tell how far off the goal is; a turn changes no distances
    # [m], [rad] between where two spots have the goal, that tell of one place, and [m per m] the more between spots
    # farther apart: who sees all things here sees no distances.
    agree: tuple[float, float, float] = (0.12, 0.25, 0.35)
    beside: tuple[float, float] = (0.15, 0.3)  # [m], [rad] from a hypothesis, where pictures that differ refute it
    recent: float = 1.5  # [s] for which aligned pictures tell of where the robot stands
    frames: float = 3.0  # looks in sequence that say as much as one: at 10 Hz their pictures are nearly the same

    def of_look(self, look: Look) -> float:
        """Of the goal's being seen, however many looks from one spot say so."""
        exact, sure = look.error is not None and look.error < self.certain, look.odds is not None and look.odds >= 1
        return self.views[2 * (not exact) + (not sure)]

    def of_miss(self, pose: Array) -> float:
        """Of the goal's not being seen, were it at `pose` (3,) in base_link."""
        most, reach, turn = self.found
        far, turned = np.hypot(pose[0], pose[1]) / reach, pose[2] / turn
        return math.log1p(-most * math.exp(-(far**2 + turned**2) / 2))

    def of_difference(self, look: Look) -> float:
        """Of how much the aligned pictures differ."""
        assert look.difference is not None and look.odds is not None
        fold, least, greatest = self.odds
        head = min(max(fold * math.log(max(look.odds, 1e-6)), least), greatest)
        found = self.difference[0] + self.difference[1] * look.difference + head
        doubtful, sure_of_it, most = self.checked
        return min(max(found, sure_of_it if look.odds >= 1 else doubtful), most)

    def of_memory(self, share: float, is_late: bool) -> float:
        """Log odds that the goal is where memory has it with a `share` of all that places say; `is_late`: the robot
        cannot get there in the time that it is allowed."""
        right = RECALLED * min(share, 1.0)
        return math.log(right / (1 - right)) + math.log(LATE) * is_late if right > 0 else -math.inf


@dataclass(frozen=True)
class TrackerConfig:
    """How far sightings err, and how long they count."""

    memory_sigma: float = 0.11  # [m] error of memory's pose of the goal, in the world that the model was trained in
    window: float = 5.0  # [s] that sightings are kept
    fade: float = 8.0  # [s] over which an old sighting loses its weight: odometry drifts
    sigma: tuple[float, float] = (0.10, 0.35)  # [m] of a sighting by latents at the goal, and [m per m] the more
    # On the error that is expected of a sighting by pictures, at the goal, and more for each metre and radian that it
    # is off: heads were learned on other pictures.
    factors: tuple[float, float, float] = (2.0, 0.0, 0.0)
    least: float = 0.005  # [m] of any
    gate: float = 0.5  # [m] and [rad], beyond which a sighting is taken for an outlier


# Where pictures are compared cell by cell, in a building that the model does not know: there memory errs more, looks
# count for longer than a turn on the spot, and what is far off is seen too near by a third, however often.
COMPARED = TrackerConfig(memory_sigma=0.3, window=15.0, factors=(0.3, 1.0, 1.5))


@dataclass(frozen=True)
class Sighting:
    """What one moment says."""

    stamp: float
    pose: Array  # (3,) of the goal in odom
    sigma: float  # [m]


class GoalTracker:
    """Fuses sightings of one goal in odom.

    Robust: it follows the largest group that agrees, in which each sighting has a vote. But sightings of one goal from
    nearby err alike, since one head makes them from nearly the same pictures, so within the group all of them
    together count as one. As independent ones they would outweigh memory, whose errors are different, tens of times.

    Args:
        config: see there.
    """

    def __init__(self, config: TrackerConfig = TrackerConfig()) -> None:
        self._config = config
        self.sightings: deque[Sighting] = deque()

    def add(
        self,
        stamp: float,
        odometry: Array,
        seen: Array,
        expected_error: float | None = None,
        sigma: float | None = None,
    ) -> None:
        """Keeps a sighting.

        Args:
            stamp: of it [s].
            odometry: (3,) of the robot then.
            seen: (3,) the goal in base_link.
            expected_error: [m] that who saw it expects; None: unknown.
            sigma: [m] what the error is, where that is known better; None: by the expected one and how far off it is.
        """
        distance, turn = float(np.hypot(seen[0], seen[1])), abs(float(seen[2]))
        if sigma is not None:
            sigma = max(sigma, self._config.least)
        elif expected_error is None:
            sigma = self._config.sigma[0] + self._config.sigma[1] * distance
        else:
            near, far, turned = self._config.factors
            sigma = (near + far * distance + turned * turn) * expected_error
        self.sightings.append(Sighting(stamp, compose(odometry, seen), sigma))
        while stamp - self.sightings[0].stamp > self._config.window:
            self.sightings.popleft()

    def forget(self) -> None:
        """Drops all sightings, as when the robot was carried away."""
        self.sightings.clear()

    def agreeing(self, stamp: float) -> int:
        """How many sightings until now agree with one another."""
        while self.sightings and stamp - self.sightings[0].stamp > self._config.window:
            self.sightings.popleft()
        if not self.sightings:
            return 0
        poses = np.stack([s.pose for s in self.sightings])
        return int(self._group(poses, np.ones(len(poses))).sum())

    def estimate(self, stamp: float, odometry: Array, from_memory: Array | None) -> Array | None:
        """The goal's pose (3,) in base_link now; None before the first sighting.

        Args:
            stamp: now [s].
            odometry: (3,) now.
            from_memory: (3,) in odom, where memory has it, or None.
        """
        poses = [s.pose for s in self.sightings]
        mass = np.array(
            [float(np.exp((s.stamp - stamp) / self._config.fade)) / s.sigma**2 for s in self.sightings]
        )  # odometry drifts
        if from_memory is not None:
            poses.append(from_memory)
            mass = np.append(mass, 1.0 / self._config.memory_sigma**2)
        if not poses:
            return None
        stacked, seen = np.stack(poses), np.arange(len(poses)) < len(self.sightings)
        inside = self._group(stacked, mass)
        alike = inside & seen
        if alike.any():
            mass[alike] *= mass[alike].max() / mass[alike].sum()
        return relative(odometry, mean_pose(stacked[inside], mass[inside]))

    def _group(self, poses: Array, mass: Array) -> NDArray[np.bool_]:
        """Which (n,) of `poses` (n, 3) agree with the one that most of the `mass` (n,) agrees with."""
        gate = self._config.gate
        distance, turn = pose_gap(poses[:, None], poses[None])
        kernel = np.exp(-2 * (distance / gate) ** 2 - 2 * (turn / gate) ** 2)
        centre = int(np.argmax(kernel @ mass))
        return np.asarray((distance[centre] < gate) & (turn[centre] < gate), dtype=np.bool_)


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
    weighs: Likelihoods
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
        return self.checked + self.hindered < self.weighs.refuted

    @property
    def is_alike(self) -> bool:
        """Whether it is another place that looks like the goal: pictures were aligned there, and differ. What was only
        not there, or could not be reached, may be a look that erred by how far off the goal is."""
        return self.is_refuted and self.checked < 0

    def is_checked(self, stamp: float) -> bool:
        """Whether pictures from here have been aligned just now."""
        return stamp - self.checked_at < self.weighs.recent

    @property
    def is_corroborated(self) -> bool:
        """Whether it was seen from another spot than the newest, and there."""
        return any(view is not self.newest and self._agrees(view) for view in self.views)

    @property
    def looked(self) -> float:
        """All that looks say [nat]."""
        agreeing = [view.evidence for view in self.views if self._agrees(view)]
        astray = self.weighs.astray
        return sum(agreeing) + max(astray * (len(self.views) - len(agreeing)), 2 * astray) + self.missed

    def _agrees(self, view: View) -> bool:
        """Whether the looks from a spot have the goal where the newest ones have it."""
        if self.newest is None:
            return False
        far, turned, slack = self.weighs.agree
        distance, turn = pose_gap(view.goal, self.newest.goal)
        moved = np.hypot(*(view.at - self.newest.at)[:2])
        return bool(distance < far + slack * moved and turn < turned)


class GoalPosterior:
    """Where one goal's picture was taken: a weighted set of hypotheses, beside the chance that it is elsewhere.

    Each hypothesis has its odds against "elsewhere". Memory, looks, looks in vain, aligned pictures and what came of
    driving there are evidence. Looks from one spot err together, so they count as one; and a place that is alike looks
    like the goal from everywhere, so all looks count for no more than such a place is unlikely.

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
            if hypothesis is not seen:  # what was taken there is not to be seen
                camera = compose(hypothesis.pose, (0.0, 0.0, turn))
                least = self.likelihoods.of_miss(relative(odometry, camera))
                missed = hypothesis.missed + least / self.likelihoods.frames
                hypothesis.missed = max(missed, min(least, hypothesis.missed))
            if self._is_beside(hypothesis, odometry):
                hypothesis.unreached = 0.0
        self.weigh()

    def _see(self, stamp: float, odometry: Array, look: Look) -> Hypothesis:
        pose, weighs = compose(odometry, look.pose), self.likelihoods
        found = self.at(pose) or self._new(pose)
        found.tracker.add(stamp, odometry, look.pose, look.error, look.sigma)
        estimate = found.tracker.estimate(stamp, odometry, None)
        assert estimate is not None
        found.pose = compose(odometry, estimate)
        near = (view for view in found.views if np.hypot(*(view.at - odometry)[:2]) < weighs.apart)
        if (view := next(near, None)) is None:
            view = View(np.array(odometry), pose)
            found.views.append(view)
        found.newest, view.goal, most = view, pose, weighs.of_look(look)
        view.evidence = min(view.evidence + most / weighs.frames, max(most, view.evidence))
        found.missed -= found.missed / weighs.frames
        if look.difference is not None:
            checked = weighs.of_difference(look)
            if checked > 0 or self._is_beside(found, odometry):
                found.checked += (checked - found.checked) / weighs.frames
                found.checked_at = stamp
        return found

    def _is_beside(self, hypothesis: Hypothesis, odometry: Array) -> bool:
        return bool(np.less(pose_gap(hypothesis.pose, odometry), self.likelihoods.beside).all())

    def stood(self, pose: Array, evidence: float) -> None:
        """The robot stood at `pose` (3,), looked again, and what came of it counts for so much [nat]."""
        (self.at(pose) or self._new(pose)).unproven += evidence

    def stuck(self, pose: Array) -> None:
        """The robot did not get to `pose` (3,), from close by."""
        (self.at(pose) or self._new(pose)).unreached += self.likelihoods.unreached

    def carry(self, correction: Array) -> None:
        """Odometry drifted; see `Drift`. Sightings are too new for that."""
        for hypothesis in self.hypotheses:
            hypothesis.pose = compose(correction, hypothesis.pose)
            for view in hypothesis.views:
                view.at, view.goal = compose(correction, view.at), compose(correction, view.goal)

    def restart(self) -> None:
        """Odometry restarted: nothing lies where it lay."""
        self.hypotheses.clear()

    # Weights

    def weigh(self) -> None:
        """Sets the probability of each hypothesis. What looks like the goal there is the goal; or looks like it by
        chance, which other spots tell, and who gets stuck; or is alike from everywhere, which only aligned pictures
        tell."""
        weighs, known, most = self.likelihoods, self.hypotheses, 50.0  # [nat] that are told apart
        alike = sum(hypothesis.is_alike for hypothesis in known)
        weights = []
        for hypothesis in known:
            others = alike - hypothesis.is_alike
            prior = max(hypothesis.remembered, weighs.seen_prior - math.log1p(others))
            like = max(weighs.alike * (1 + others), hypothesis.rivals if hypothesis.is_recalled else 0.0)
            chance = math.exp(min(-prior - hypothesis.looked - hypothesis.unreached, most))
            odds = hypothesis.checked + hypothesis.unproven - math.log(chance + like)
            weights.append(math.exp(min(odds, most)))
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
        gaps = [pose_gap(hypothesis.pose, pose) for hypothesis in self.hypotheses]
        same = self.likelihoods.same
        near = [(float(gap[0]), k) for k, gap in enumerate(gaps) if np.less(gap, same).all()]
        return self.hypotheses[min(near)[1]] if near else None

    def _new(self, pose: Array) -> Hypothesis:
        self.hypotheses.append(Hypothesis(np.array(pose), GoalTracker(COMPARED), self.likelihoods))
        return self.hypotheses[-1]
