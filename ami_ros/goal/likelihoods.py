"""How much evidence is, in nats: the logarithm of how much likelier it is where the goal is than elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array
from ami_ros.goal.looks import Look
from ami_ros.places.types import LATE, RECALLED


@dataclass(frozen=True)
class Likelihoods:
    """Of looks, of aligned pictures, and of places that remember the goal.

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
