"""Where a lost robot is: its surroundings are compared with the whole map, again and again, until one pose has all the
mass of `PoseBelief`.

Single scans of a building that is not in the map fit somewhere in it, too. Rooms that are alike and not in the map
cannot be told by scans: there the pictures have a say. And as long as odometry may still be right, since robots are
seldom carried, another spot than where it has the robot begins with little mass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.background import finished
from ami_ros.core.geometry import Array, pose_gap, relative
from ami_ros.core.scan_matching import Match, Matcher, Window
from ami_ros.core.submaps import Submap
from ami_ros.memory.index import Latents
from ami_ros.memory.loop_closure import LoopCloser
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.pose_belief import BeliefConfig, PoseBelief, Spot, distinct

GRAIN = 0.8  # [m] side of the squares of which each gives one place to compare with ...
MOST = 300  # places that are compared at once, those that look most alike: half a second
NEAR, ASIDE = 1.2, 0.7  # [m], [rad] within which a place shows what the robot sees

Compare = Callable[[list[int]], Array | None]  # places -> probabilities (k,) that each sees what the robot sees


class Relocaliser:
    """Looks for lost robots.

    Args:
        places: the map.
        loop_closure: holds submaps, and says how likely fits are right.
        config: what looks are worth.

    Attributes:
        belief: where the robot may be.
    """

    def __init__(self, places: PlaceMap, loop_closure: LoopCloser, config: BeliefConfig) -> None:
        self.places, self.loop_closure = places, loop_closure
        self.belief = PoseBelief(config)

    def restart(self) -> None:
        """Odometry has a new origin, or nothing is open any more."""
        self.belief.restart()

    def look(
        self,
        submap: Submap,
        odometry: Array,
        compare: Compare,
        latent: Latents | None = None,
        expected: tuple[Array, float] | None = None,
    ) -> None:
        """Looks where the robot may be, and in the whole map.

        Args:
            submap: what is around the robot.
            odometry: (3,) of the robot, which has driven since the last time.
            compare: what pictures say; None where there are none.
            latent: of that moment, to choose among very many places; None: looks nowhere but where the robot may be.
            expected: (3,) where odometry has the robot in the map, if that may be right, and how far it errs [m].
        """
        index, matcher, at = self.places.index, Matcher(submap), self.belief.expected(odometry)
        rows = np.array([np.hypot(*(index.poses[:, :2] - where[:2]).T).argmin() for where in at], np.int64)
        # [m], [rad] around a pose
        windows = [Window(relative(where, index.poses[row]), 0.4, 0.15) for where, row in zip(at, rows, strict=True)]
        spots = self._spots(matcher, rows, windows)
        if latent is not None:
            rows = self._spread(latent)
            spots += self._spots(matcher, rows, [Window(np.zeros(3), 0.8, np.pi)] * len(rows))
            spots.sort(key=lambda spot: -spot.scan)
        for spot in distinct(spots)[:6]:
            spot.picture = self.shown(spot.where, compare)

        def prior(where: Array) -> float:
            is_there = expected is None or np.hypot(*(where - expected[0])[:2]) <= expected[1]
            return 0.0 if is_there else self.belief.config.carried

        self.belief.look(spots, odometry, prior)

    @property
    def found(self) -> tuple[int, Match] | None:
        """The place that the robot is near, and where that lies as seen from the robot; None: that cannot be told."""
        best, most = self.belief.best, self.loop_closure.config.looseness
        if best is None or best.spot is None or not self.belief.is_sure or best.spot.match.looseness > most:
            return None
        return int(self.places.index.ids[best.spot.row]), best.spot.match

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
        windows = [Window(relative(where, index.poses[row]), reach, turn) for row in rows]
        most = self.loop_closure.config.conflict
        found = (s for s in self._spots(Matcher(submap), rows, windows) if self.loop_closure.holds(s.match, most))
        return next(((int(index.ids[spot.row]), spot.match) for spot in found), None)

    def _spots(self, matcher: Matcher, rows: NDArray[np.int64], windows: Sequence[Window]) -> list[Spot]:
        return finished(self.loop_closure.spots(matcher, rows, windows, 16))

    def _spread(self, latent: Latents) -> NDArray[np.int64]:
        """Rows of one place in each square."""
        index = self.places.index
        rows = _one_each(index.poses[:, :2])
        if len(rows) > MOST:
            rows = rows[np.argsort(-index.scores(latent)[rows])[:MOST]]
        return rows

    def shown(self, where: Array, compare: Compare) -> float | None:
        """Log odds that what was seen before from near `where` (3,) is what is seen now; None: nothing was.

        The best of k comparisons is high by chance k times as often as one is.
        """
        index = self.places.index
        gap, turn = pose_gap(index.poses, where)
        near = np.flatnonzero((gap < NEAR) & (turn < ASIDE))
        near = near[np.argsort(gap[near] + turn[near])[:4]]
        same = compare(index.ids[near].tolist()) if len(near) else None
        if same is None:
            return None
        best = float(np.clip(same.max(), 1e-6, 1.0 - 1e-6))
        return float(np.log(best / (1.0 - best)) - np.log(len(same)))


def _one_each(points: Array) -> NDArray[np.int64]:
    """Rows of `points` (n, 2), one in each square."""
    return np.unique(np.floor(points / GRAIN).astype(np.int64), axis=0, return_index=True)[1]
