"""Where a lost robot is: the one spot of the whole map that its surroundings fit.

Single scans of a building that is not in the map fit somewhere in it, too. So the fit has to be as good as that of a
loop constraint (`loop_closure`), and no other spot may fit nearly as well; where rooms are alike, the robot stays lost
until it has seen more. Where one spot fits better than all others wherever the robot drives, less and less has to lie
between them: what is different in rooms that are alike is little, but it is seen again and again. Rooms that are alike
and not in the map cannot be told by scans: there the pictures have a say. And as long as odometry may still be right,
since robots are seldom carried, a spot elsewhere than where it has the robot counts only where pictures show it:
between shelves that are alike the one in the map fits, and the robot is in another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.background import finished
from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.places.place_map import PlaceMap
from ami_ros.scan_matching import Match, Matcher, Window
from ami_ros.slam.loop_closure import Fit, LoopCloser, is_apart
from ami_ros.submaps import Submap

GRAIN = 0.8  # [m] side of the squares of which each gives one place to compare with ...
REACH = 0.8  # [m] ... and around which the robot may be
MOST = 300  # places that are compared at once, those that look most alike: half a second
FOUND = 24  # poses that are looked at closely
NEAR, ASIDE = 1.2, 0.7  # [m], [rad] within which a place shows what the robot sees
PICTURES = 4  # that are compared
ALIKE = 0.5  # probability of seeing the same, at least, where there are pictures to compare ...
SHOWN = 0.9  # ... and from which they decide between spots whose scans are alike
BORNE = 0.12  # share of points where the other saw free space, at most, where pictures show it
MOST_RIVALS = 6  # such spots
LEADING = 2.0  # [m] driven while one spot fitted best, after which ...
LEAST = 0.25  # ... so much of the usual margin is enough; in between, the less the longer

Compare = Callable[[list[int]], Array | None]  # places -> probabilities (k,) that each sees what the robot sees


@dataclass
class Lead:
    """The spot that has fitted best for a while."""

    where: Array  # (3,) in the map ...
    odometry: Array  # ... when the robot was there (3,)
    way: float = 0.0  # [m] driven since it began to

    def goes_on(self, where: Array, odometry: Array) -> bool:
        """Whether the spot that fits best now (3,) is where the robot has come to from there."""
        motion = relative(self.odometry, odometry)
        if is_apart(compose(self.where, motion), where):
            return False
        self.where, self.odometry = where, odometry
        self.way += float(np.hypot(motion[0], motion[1]))
        return True


class Relocaliser:
    """Looks for lost robots.

    Args:
        places: the map.
        loop_closure: holds submaps, and says which fits are good enough.
    """

    def __init__(self, places: PlaceMap, loop_closure: LoopCloser) -> None:
        self.places, self.loop_closure = places, loop_closure
        self._lead: Lead | None = None

    def restart(self) -> None:
        """Odometry has a new origin, or the robot was found."""
        self._lead = None

    def find(
        self,
        submap: Submap,
        latent: NDArray[np.float32],
        odometry: Array,
        compare: Compare,
        expected: tuple[Array, float] | None = None,
    ) -> tuple[int, Match] | None:
        """The place that the robot is near, and where that lies as seen from the robot; None: that cannot be told.

        Args:
            submap: what is around the robot.
            latent: of that moment, to choose among very many places.
            odometry: (3,) of the robot, which has driven since the last time.
            compare: what pictures say; None where there are none.
            expected: (3,) where odometry has the robot in the map, if that may be right, and how far it errs [m].
        """
        rows = self._spread(latent)
        found = self._fits(submap, rows, [Window(np.zeros(3), REACH, np.pi)] * len(rows))
        if not found:
            self.restart()
            return None
        least = self.loop_closure.worth(found[0].match) - self._margin(found[0].where, odometry)
        rivals: list[Fit] = []  # spots that fit about as well, one fit for each
        for fit in found:
            if self.loop_closure.worth(fit.match) >= least and all(is_apart(fit.where, r.where) for r in rivals):
                rivals.append(fit)
        best = rivals[0] if len(rivals) == 1 else self._from_camera(rivals, compare)
        if best is None:
            return None
        said = self._likeness(best.where, compare)
        shown = said is not None and said >= SHOWN
        if expected is not None and not shown and self._is_elsewhere(best, expected, compare):
            return None
        most = BORNE if shown else self.loop_closure.config.conflict
        if (said is not None and said < ALIKE) or not self.loop_closure.holds(best.match, most):
            return None
        return best.place_id, best.match

    def find_near(self, submap: Submap, where: Array, reach: float, turn: float) -> tuple[int, Match] | None:
        """The place that the robot is near that is said to be at `where` (3,), and where that lies as seen from it.

        Args:
            submap: what is around the robot.
            where: in the map.
            reach: [m] that it may be off, to each side.
            turn: [rad] likewise.

        Returns:
            None: scans do not show what is remembered there.
        """
        index = self.places.index
        around = np.flatnonzero(np.hypot(*(index.poses[:, :2] - where[:2]).T) < reach + NEAR)
        rows = around[_one_each(index.poses[around, :2])]
        found = self._fits(submap, rows, [Window(relative(where, index.poses[row]), reach, turn) for row in rows])
        most = self.loop_closure.config.conflict
        return next(((fit.place_id, fit.match) for fit in found if self.loop_closure.holds(fit.match, most)), None)

    def _margin(self, where: Array, odometry: Array) -> float:
        """By how much the spot that fits best (3,) has to fit better than others."""
        if self._lead is None or not self._lead.goes_on(where, odometry):
            self._lead = Lead(where, np.array(odometry))
        return self.loop_closure.config.margin * (1.0 - (1.0 - LEAST) * min(1.0, self._lead.way / LEADING))

    def _is_elsewhere(self, spot: Fit, expected: tuple[Array, float], compare: Compare) -> bool:
        """Whether a spot is not where odometry has the robot, in a memory that has pictures to tell."""
        far = float(np.hypot(*(spot.where - expected[0])[:2])) > expected[1]
        return far and compare([spot.place_id]) is not None

    def _from_camera(self, rivals: list[Fit], compare: Compare) -> Fit | None:
        """The only one of several spots from near which the same was seen; None: that cannot be told."""
        if len(rivals) > MOST_RIVALS:
            return None
        said = [self._likeness(fit.where, compare) for fit in rivals]
        shown = [k for k, same in enumerate(said) if same is not None and same >= SHOWN]
        unknown = [k for k, same in enumerate(said) if same is None or ALIKE <= same < SHOWN]
        return rivals[shown[0]] if len(shown) == 1 and not unknown else None

    def _fits(self, submap: Submap, rows: NDArray[np.int64], windows: Sequence[Window]) -> list[Fit]:
        """See `LoopCloser.fits`; best first."""
        found = finished(self.loop_closure.fits(Matcher(submap), rows, windows, FOUND))
        return sorted(found, key=lambda fit: -self.loop_closure.worth(fit.match))

    def _spread(self, latent: NDArray[np.float32]) -> NDArray[np.int64]:
        """Rows of one place in each square."""
        index = self.places.index
        rows = _one_each(index.poses[:, :2])
        if len(rows) > MOST:
            rows = rows[np.argsort(-index.scores(latent)[rows])[:MOST]]
        return rows

    def _likeness(self, where: Array, compare: Compare) -> float | None:
        """Probability that what was seen before from near `where` (3,) is what is seen now; None: nothing was."""
        index = self.places.index
        gap, turn = pose_gap(index.poses, where)
        near = np.flatnonzero((gap < NEAR) & (turn < ASIDE))
        if not len(near):
            return None
        near = near[np.argsort(gap[near] + turn[near])[:PICTURES]]
        same = compare(index.ids[near].tolist())
        return None if same is None else float(same.max(initial=0.0))


def _one_each(points: Array) -> NDArray[np.int64]:
    """Rows of `points` (n, 2), one in each square."""
    return np.unique(np.floor(points / GRAIN).astype(np.int64), axis=0, return_index=True)[1]
