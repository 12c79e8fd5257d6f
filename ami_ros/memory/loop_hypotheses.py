"""Loop constraints that are suspected: which of them agree with one another, and are believed.

In a corridor whose doors are alike a place fits many others. Each is a hypothesis, and has a share of the place's one
vote: all of it where it is the only one, little where many fit as well. Hypotheses of places that follow one another
agree where the loop over both closes (pairwise consistent measurements, Mangelson et al., ICRA 2018); those that are
right agree along all of the way, those that are wrong now and then. A loop is believed when what agrees has votes
enough, and no other loop has nearly as many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.memory.place_map import PlaceMap

NONE = -3.0  # log odds of which a spot has half of the vote, and nowhere the other half


@dataclass(frozen=True)
class HypothesisConfig:
    """When loop constraints are accepted that the map did not expect."""

    votes: float = 3.0  # places that must agree; larger: fewer loops, safer; use 4.0 without models/scans
    lead: float = 1.5  # votes relative to any other loop, at least
    span: float = 3.0  # [m] driven between the first and the last vote, at least
    window: float = 40.0  # [m] driven during which votes count


@dataclass(frozen=True)
class LoopConstraint:
    """A place seen from another."""

    start: int  # place id
    stop: int
    relative: Array  # (3,) pose of `stop` in the frame of `start`
    covariance: Array  # (3, 3)
    way: float  # [m] driven when `start` was founded


@dataclass
class _Hypothesis:
    loop: LoopConstraint
    share: float  # of the vote of its place
    votes: float = 0.0  # of all that agreed when it was made


def shares(log_odds: Array) -> Array:
    """Of one vote (k,), of spots with such odds of being right (k,); some of it is for none of them."""
    most = max(log_odds.max(initial=NONE), NONE)
    weights = np.exp(log_odds - most)
    return np.asarray(weights / (weights.sum() + np.exp(NONE - most)))


class LoopHypotheses:
    """Suspected constraints of the newest stretch of way.

    Args:
        places: the map.
        config: see there.
    """

    def __init__(self, places: PlaceMap, config: HypothesisConfig) -> None:
        self.places, self.config = places, config
        self._pool: list[_Hypothesis] = []

    def restart(self) -> None:
        """Odometry begins anew: nothing that was suspected can be followed up."""
        self._pool.clear()

    def add(self, constraints: list[LoopConstraint], share: Array) -> list[LoopConstraint]:
        """The loop constraints that are believed now, of one place's and of those before it; [] while none can be.

        Args:
            constraints: (k) of one place.
            share: (k,) of its vote.
        """
        if not constraints:
            return []
        way, index = constraints[0].way, self.places.index
        self._pool = [
            h
            for h in self._pool
            if abs(way - h.loop.way) < self.config.window and h.loop.start in index and h.loop.stop in index
        ]
        new = [_Hypothesis(constraint, float(part)) for constraint, part in zip(constraints, share, strict=True)]
        pool = [h.loop for h in self._pool]
        agreeing = [self._agree(h.loop, pool) for h in new]
        for h, agree in zip(new, agreeing, strict=True):
            h.votes = h.share + sum(self._pool[k].share for k in self._one_each(agree))
        best = int(np.argmax([h.votes for h in new]))
        believed = self._believed(new, best, agreeing[best])
        self._pool = [] if believed else self._pool + new
        return believed

    def _believed(self, new: list[_Hypothesis], best: int, agree: NDArray[np.bool_]) -> list[LoopConstraint]:
        config, leader = self.config, new[best]
        if leader.votes < config.votes:
            return []
        others = [h.votes for k, h in enumerate(new) if k != best]
        others += [h.votes for h, agrees in zip(self._pool, agree, strict=True) if not agrees]
        if leader.votes < config.lead * max(others, default=0.0):
            return []
        group = [leader]
        for k in sorted(self._one_each(agree), key=lambda k: -self._pool[k].share):
            candidate = self._pool[k]
            if self._agree(candidate.loop, [member.loop for member in group]).all():
                group.append(candidate)
        ways = [h.loop.way for h in group]
        if sum(h.share for h in group) < config.votes or max(ways) - min(ways) < config.span:
            return []
        return [h.loop for h in group]

    def _one_each(self, agree: NDArray[np.bool_]) -> list[int]:
        """Of each place in the pool the hypothesis that agrees and has the largest share."""
        found: dict[int, int] = {}
        for k in np.flatnonzero(agree).tolist():
            start = self._pool[k].loop.start
            if start not in found or self._pool[k].share > self._pool[found[start]].share:
                found[start] = k
        return list(found.values())

    def _agree(self, a: LoopConstraint, others: list[LoopConstraint]) -> NDArray[np.bool_]:
        """Whether the loops over two constraints close (n,): from one to the other along the robot's way, and back by
        the map."""
        if not others:
            return np.zeros(0, bool)
        index = self.places.index
        starts = index.poses[index.rows(np.array([b.start for b in others]))]
        stops = index.poses[index.rows(np.array([b.stop for b in others]))]
        seen = np.array([b.relative for b in others])
        here = relative(np.broadcast_to(index.poses[index.row(a.start)], starts.shape), starts)
        there = relative(np.broadcast_to(index.poses[index.row(a.stop)], stops.shape), stops)
        gap, turn = pose_gap(compose(np.broadcast_to(a.relative, there.shape), there), compose(here, seen))
        length = np.hypot(*here[:, :2].T) + np.hypot(*there[:, :2].T)
        other_place = np.array([b.start != a.start for b in others])
        return np.asarray(other_place & (gap < 0.25 + 0.015 * length) & (turn < 0.08 + 0.005 * length))
