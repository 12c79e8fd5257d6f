"""What is left to explore: spots that are new, and spots from near which too little was seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.task import WorldState
from ami_ros.behaviour.ways import Ways
from ami_ros.core.geometry import Array, relative
from ami_ros.memory.coverage import gaps, missing_views, rough_gaps, rough_missing_views, shortest_sweep


@dataclass(frozen=True)
class ExplorationConfig:
    """Which spots are new or in doubt, how far to look, and when to go on."""

    known: float = 0.9  # [m] from a place within which a spot counts as known; smaller explores more finely
    newest: float = 2.0  # [m] from all places beyond which a spot is no newer; larger leads away sooner
    news_worth: float = 1.5  # [m/m] worth of a spot that is farther from all places; larger: longer legs
    look_apart: float = 1.5  # [m] between spots from which it looks all round; larger: faster, fewer views; 0: never
    coarse: float = 2.0  # factor on `known` and `look_apart` at first, so that it sees all rooms; 1: no such pass
    fine: float = 0.6  # factor on them at last, while there is time; 1: no such pass
    unseen: float = 0.35  # share of unseen directions nearby at which it looks around; larger: less often
    sight: float = 2.4  # [m] of a leg, at most; larger stops less often, and replans less
    measured: bool = True  # a sensor measures scans; false: guessed from pictures, and what is far counts for less
    robot_radius: float = 0.18  # [m] of the disc that holds the robot; larger: wider gaps
    turn_cost: float = 0.5  # [m/rad] of turning towards a spot; larger goes straight on
    doubt_worth: float = 2.0  # [m] of detour for a spot where the model is twice as unsure as usual; 0: none
    doubtful: float = 1.5  # relative doubt at which a known place is visited again; larger: fewer visits
    doubt_apart: float = 1.5  # [m] between such visits; larger: fewer
    coast: float = 0.0  # [s] times the speed is where it looks around, ahead: larger: it does not roll past that
    replan_period: float = 1.5  # [s] between looks for the way on the newest map; larger: less work
    stuck: float = 12.0  # [s] without getting nearer to a spot, after which it is left for another one
    passed: float = 0.5  # [m] from the end of a leg at which the next leg begins; larger cuts corners
    same: float = 0.3  # [m] between the ends of two legs that count as one; larger changes its mind less often
    apart: float = 0.5  # [m] around a spot that was not reached within which no other is tried; larger: fewer tries
    leg_seconds: float = 25.0  # [s] for a leg, at most
    far_seconds: float = 90.0  # [s] to reach a remembered place, or the way back, at most
    patience: float = 60.0  # [s] for memory to localise the robot before exploring ends
    stay: float = 2.0  # [s] of being lost until it drives on to where it can see more
    home_tries: int = 3  # attempts to return before it reports that it did not
    battery_low: float = 0.2  # charge [0, 1] below which it returns; larger returns earlier


NEW, UNSEEN = "to free space that is not in memory", "to look around where few views are remembered"
NEARBY = 4000  # points that are looked at before all others: some 150 m²
SAME_GAP = 0.3  # [m] within which two points are in one gap


class Unexplored:
    """Remembers where it was tried in vain, and where the robot looked all round.

    It goes over a building twice: first from far apart, so that all rooms are seen before any is seen closely. If it
    has a time for it, what is left of that goes into a third pass: a picture is recognised from where one was taken
    close by.

    Args:
        config: see there.
        closely: whether there is a third pass.

    Attributes:
        shut: (2,) each, in the map frame: gaps that it does not get through.
        vain: likewise: spots that could not be reached.
        passes: of each pass that is left, times the distances of the second one.
    """

    def __init__(self, config: ExplorationConfig, closely: bool = False) -> None:
        self.config = config
        self.shut: list[Array] = []
        self.vain: list[Array] = []
        self._tried: list[Array] = []  # (2,) likewise: gaps that it did not get through once
        self._looked: list[Array] = []  # (2,) each, in the map frame
        self._sought: Array | None = None  # (2,) likewise: where it drives to look around
        self.passes = [max(1.0, config.coarse), 1.0, *([min(1.0, config.fine)] if closely else [])]

    def not_reached(self, spot: Array, gap: Array | None = None) -> None:
        """It did not get to a `spot` (2,), or through a `gap` (2,) on the way there; that is tried once more."""
        if gap is None:
            self.vain.append(spot)
        elif self._tried and gaps(gap[None], np.stack(self._tried))[0] < SAME_GAP:
            self.shut.append(gap)
        else:
            self._tried.append(gap)

    def looks_around(self, pose: Array, places: Array) -> float:
        """By how much [rad] to turn at `pose` (3,), to the left if positive, for too little was seen from near here;
        counts as done. 0: enough was seen.

        A spot that it came to for that is done with, turned or not: else it would be chosen again and again.
        """
        misses = self._reach and missing_views(pose[None, :2], places, self._reach)[0] >= self.config.unseen
        if misses and self._looked:  # where it has looked, something is in the way of turning
            misses = gaps(pose[None, :2], np.stack(self._looked))[0] >= self._reach / 2
        sweep = shortest_sweep(pose, places, self._reach) if misses else 0.0
        if self._sought is not None and np.hypot(*(self._sought - pose[:2])) < self.config.passed:
            self._looked.append(self._sought)
            self._sought = None
        if sweep:
            self._looked.append(pose[:2])
        return sweep

    @property
    def _reach(self) -> float:
        """[m] from a spot within which a place shows what can be seen from there."""
        return self.passes[0] * self.config.look_apart

    def choose(self, state: WorldState, pose: Array, ways: Ways) -> tuple[Array, str] | None:
        """The best spot (2,) in the map frame, and why; None: nothing is left in reach.

        Args:
            state: with places.
            pose: (3,) of the robot in the map frame.
            ways: from there.
        """
        assert state.places is not None
        self._sought = None
        while True:
            points, way = self.candidates(ways)
            if (best := self._new(state, pose, points, way)) is not None:
                return best, NEW
            if (best := self._unseen(state.places, points, way)) is not None:
                self._sought = best
                return best, UNSEEN
            if len(self.passes) == 1:
                return None
            self.passes.pop(0)

    def wants(self, spot: Array, places: Array, ways: Ways) -> str:
        """Why to drive on to the `spot` (2,) that was chosen; "": there is no way, or no reason any more."""
        if not np.isfinite(ways.lengths(spot[None]))[0]:
            return ""
        if self._sought is not None:
            return UNSEEN if self._few_views(spot[None], places)[0] else ""
        return NEW if gaps(spot[None], places[:, :2])[0] > self.passes[0] * self.config.known else ""

    def _new(self, state: WorldState, pose: Array, points: Array, way: Array) -> Array | None:
        """Of `points` (n, 2) with ways (n,) [m] the one that is far from all places and near the robot."""
        assert state.places is not None
        config, apart = self.config, self.passes[0]
        new = rough_gaps(points, state.places[:, :2])
        points, way, new = (values[new > apart * config.known] for values in (points, way, new))
        if not len(points):
            return None
        bearing = np.abs(relative(pose, np.column_stack([points, np.arctan2(*(points - pose[:2]).T[::-1])]))[:, 2])
        cost = way + config.turn_cost * bearing - config.news_worth * np.minimum(new, apart * config.newest)
        return np.asarray(points[int(np.argmin(cost - worth(config, state, points)))])

    def _unseen(self, places: Array, points: Array, way: Array) -> Array | None:
        """The nearest one from near which too little was seen. There mostly is one nearby, so it looks there first."""
        nearest = np.argsort(way)
        for part in np.split(nearest, [NEARBY]):
            wanted = self._few_views(points[part], places)
            if wanted.any():
                return np.asarray(points[part[int(wanted.argmax())]])
        return None

    def _few_views(self, points: Array, places: Array) -> NDArray[np.bool_]:
        """From near which of `points` (n, 2) too little was seen: (n,)."""
        if not self._reach:
            return np.zeros(len(points), bool)
        wanted: NDArray[np.bool_] = rough_missing_views(points, places, self._reach) > self.config.unseen
        if self._looked:
            wanted &= rough_gaps(points, np.stack(self._looked)) > self._reach / 2
        return wanted

    def candidates(self, ways: Ways) -> tuple[Array, Array]:
        """Points (n, 2) that can be reached and were not tried in vain, with the lengths (n,) of the ways."""
        points, way = ways.reached()
        if self.vain and len(points):
            keep = rough_gaps(points, np.stack(self.vain)) > self.config.apart
            points, way = points[keep], way[keep]
        return points, way


def worth(config: ExplorationConfig, state: WorldState, points: Array) -> Array:
    """[m] of detour that points (k, 2) in the map frame are worth (k,), by the doubt expected there."""
    if not config.doubt_worth or state.doubts is None:
        return np.zeros(len(points))
    return config.doubt_worth * (state.doubts.near(points) - 1.0)
