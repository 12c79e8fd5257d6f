"""Where a lost robot is: its surroundings are compared with the whole map, again and again, until one pose has all the
mass of `PoseBelief`.

Single scans of a building that is not in the map fit somewhere in it, too. Rooms that are alike and not in the map
cannot be told by scans: there the pictures have a say. And as long as odometry may still be right, since robots are
seldom carried, another spot than where it has the robot begins with little mass.

`PoseBelief` holds weighted poses of the map, and elsewhere; each look of the robot is an observation.
Bayes' rule for a set of hypotheses (Jensfelt and Kristensen, "Active global localization for a mobile robot using
multiple hypothesis tracking", IEEE Transactions on Robotics and Automation 17(5), 2001). One of them is that the robot
is elsewhere, where the map ends: what it sees there fits in the map by chance only.

Looks are not independent. A scan shows all walls of the last metres of way, and a picture much of what the last one
showed, so a mean of the looks at what is in sight counts once. Their evidence stays as far as other things have come
into sight since: by driving for scans, by driving or turning for pictures. Nor are poses: rooms may be alike. Then what
their scans differ by is noise, whose sum grows on the way as that of a random walk. `PoseBelief.masses` allows for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.background import finished
from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.core.scan_matching import Match, Matcher, Window
from ami_ros.core.submaps import Submap
from ami_ros.memory.coverage import one_a_square
from ami_ros.memory.index import Latents
from ami_ros.memory.loop_closure import LoopCloser, Spot, distinct, is_apart
from ami_ros.memory.place_map import PlaceMap


@dataclass(frozen=True)
class BeliefConfig:
    """What looks are worth. Log odds are those of being there, against elsewhere; scan and picture say theirs by
    calibrated networks (`LoopCloser.spots`, `Relocaliser.shown`)."""

    sure: float = 0.99  # mass of the best pose from which a lost robot is found; larger: later, safer
    lost: float = 0.9  # mass below which one that was found is lost again: looks differ, and it should not stop at each
    settled: float = 0.001  # mass of all other poses below which they are thought of no more, and the map grows again
    renewed: float = 3.0  # [m] of way after which a look shows other walls: half of what scan odometry keeps
    turned: float = 1.5  # [rad] of turning after which a picture shows other things: what a camera sees across
    most_scan: float = 6.0  # log odds of fits, at most: a room that is built alike and not in the map fits, too
    most_picture: float = 3.0  # log odds of one comparison of pictures, at most
    missed: float = -3.0  # log odds of a look that does not fit where the robot should be
    carried: float = -2.0  # log odds that a robot that got lost is elsewhere than odometry has it
    noise: float = 1.0  # variance of the difference of log odds of twin rooms in one look; larger: later among them


@dataclass(frozen=True)
class ModeConfig:
    """How many hypotheses there are, and how their looks add up."""

    kept: int = 16  # hypotheses
    older: float = 0.5  # of what the newest look counts each one before it does: scans before are a part of it
    goes_on: float = (
        0.5  # share of rooms elsewhere that are alike and go on to be, in the next look that is independent
    )
    behind: float = 12.0  # log odds behind the best from which one is dropped


MODES = ModeConfig()


@dataclass
class Evidence:
    """Log odds against elsewhere by looks, of which the newest show about the same."""

    past: float = 0.0  # of what is not in sight any more
    total: float = 0.0  # of the looks at what is in sight, added up
    looks: float = 0.0  # how many; fewer as other things come into sight
    share: float = 1.0  # of what the newest one showed that is still in sight

    @property
    def weight(self) -> float:
        """Of all of them."""
        return self.past + self._newest

    @property
    def _newest(self) -> float:
        return self.share * self.total / self.looks if self.looks else 0.0

    def add(self, odds: float) -> None:
        """Another look, with such log odds."""
        self.total, self.looks, self.share = MODES.older * self.total + odds, MODES.older * self.looks + 1.0, 1.0

    def leave(self, share: float) -> None:
        """A share [0, 1] of it has gone out of sight."""
        self.past += share * self._newest
        left = 1.0 - share
        self.total, self.looks, self.share = left * self.total, left * self.looks, left * self.share


@dataclass
class Mode:
    """One hypothesis."""

    where: Array  # (3,) of the robot in the map
    prior: float = 0.0  # log odds
    scans: Evidence = field(default_factory=Evidence)
    pictures: Evidence = field(default_factory=Evidence)  # those that could be compared there
    spot: Spot | None = None  # the newest look, if it fits there

    @property
    def weight(self) -> float:
        """Log odds against elsewhere."""
        return self.prior + self.scans.weight + self.pictures.weight


class PoseBelief:
    """Of one lost robot.

    Args:
        config: see there.

    Attributes:
        modes: the poses, likeliest first.
    """

    def __init__(self, config: BeliefConfig) -> None:
        self.config = config
        self.restart()

    def restart(self) -> None:
        """Nothing is known."""
        self.modes: list[Mode] = []
        self._odometry: Array | None = None
        self._views = 1.0  # looks so far that count as independent

    def look(self, spots: Sequence[Spot], odometry: Array, prior: Callable[[Array], float] = lambda where: 0.0) -> None:
        """The robot at `odometry` (3,) looked around, and what it sees fits `spots`, best first.

        Args:
            spots: all that were found; several may be of one pose.
            odometry: of the robot, which has driven since the last look.
            prior: log odds of a pose (3,) that was not thought of before.
        """
        self._move(odometry)
        apart = [*spots]
        for mode in self.modes:
            mode.spot = next((spot for spot in apart if not is_apart(spot.where, mode.where)), None)
            if mode.spot is not None:
                mode.where = mode.spot.where
                apart = [spot for spot in apart if is_apart(spot.where, mode.where)]
        self.modes += [Mode(spot.where, prior(spot.where), spot=spot) for spot in distinct(apart)]
        for mode in self.modes:
            self._weigh(mode)
        self.modes.sort(key=lambda mode: -mode.weight)
        least = max([0.0, *(mode.weight for mode in self.modes[:1])]) - MODES.behind
        self.modes = [mode for mode in self.modes[: MODES.kept] if mode.weight > least]

    def expected(self, odometry: Array) -> list[Array]:
        """Where (3,) the hypotheses have the robot that is at `odometry` (3,) now."""
        motion = np.zeros(3) if self._odometry is None else relative(self._odometry, odometry)
        return [compose(mode.where, motion) for mode in self.modes]

    def _move(self, odometry: Array) -> None:
        moved, before = self.expected(odometry), self._odometry
        self._odometry = np.array(odometry, np.float64)
        way, turn = (0.0, 0.0) if before is None else map(float, pose_gap(before, self._odometry))
        other_walls = min(1.0, way / self.config.renewed)
        other_things = min(1.0, other_walls + turn / self.config.turned)
        self._views += other_walls
        for mode, where in zip(self.modes, moved, strict=True):
            mode.where = where
            mode.scans.leave(other_walls)
            mode.pictures.leave(other_things)

    def _weigh(self, mode: Mode) -> None:
        """A look may miss what is there, whatever it shows: then its picture says nothing, either."""
        config, spot = self.config, mode.spot
        scan = -np.inf if spot is None else -np.logaddexp(-spot.scan, -config.most_scan)
        by_scan = float(np.logaddexp(scan, config.missed))
        mode.scans.add(by_scan)
        if spot is not None and spot.picture is not None:
            picture = np.clip(spot.picture, -config.most_picture, config.most_picture)
            mode.pictures.add(float(np.logaddexp(scan + picture, config.missed)) - by_scan)

    @property
    def best(self) -> Mode | None:
        """The likeliest pose; None: there is none."""
        return self.modes[0] if self.modes else None

    @property
    def mass(self) -> float:
        """Of the best pose [0, 1]."""
        return float(self.masses()[1]) if self.modes else 0.0

    @property
    def is_sure(self) -> bool:
        """Whether one pose has nearly all of the mass."""
        return self.mass >= self.config.sure

    @property
    def is_settled(self) -> bool:
        """Whether all other poses of the map are refuted."""
        return self.is_sure and float(self.masses()[2:].sum()) < self.config.settled

    def masses(self) -> Array:
        """Of being elsewhere, and of each pose (1 + k,); they sum up to 1.

        Poses that are alike differ by noise. Over n independent looks of variance v it makes the factor exp(d - n v/2)
        of their difference d in log odds, whose mean is 1 and which is rarely ever large. That they are alike is taken
        to be as likely as that they are not. Elsewhere may be alike, too: there scans say little by going on to fit.
        """
        if self.best is None:
            return np.ones(1)
        best, noise = self.best, 0.5 * self.config.noise * self._views
        ahead = best.scans.weight - np.array([mode.scans.weight for mode in self.modes])
        ahead = np.logaddexp(0.0, ahead - noise) - np.logaddexp(0.0, -ahead - noise)
        others = np.array([mode.weight - mode.scans.weight for mode in self.modes])
        most = self.config.most_scan - np.log(MODES.goes_on) * (self._views - 1.0)
        log = np.append(-min(best.scans.weight, most), others - ahead)
        mass: Array = np.exp(log - log.max())
        return mass / mass.sum()


Compare = Callable[[list[int]], Array | None]  # places -> probabilities (k,) that each sees what the robot sees


@dataclass(frozen=True)
class SearchConfig:
    """Where a lost robot is looked for, and how closely."""

    grain: float = 0.8  # [m] side of the squares of which each gives one place to compare with ...
    reach: float = 0.8  # [m] ... and around which the robot may be
    most: int = 300  # places that are compared at once, those that look most alike: half a second
    found: int = 16  # poses that are looked at closely
    narrow: tuple[float, float] = (0.4, 0.15)  # [m], [rad] around a pose where the robot may be
    near: float = 1.2  # [m] ...
    aside: float = 0.7  # ... and [rad] within which a place shows what the robot sees
    pictures: int = 4  # that are compared with those of one spot ...
    spots: int = 6  # ... of the best ones


SEARCH = SearchConfig()


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
        windows = [
            Window(relative(where, index.poses[row]), *SEARCH.narrow) for where, row in zip(at, rows, strict=True)
        ]
        spots = self._spots(matcher, rows, windows)
        if latent is not None:
            rows = one_a_square(index.poses, SEARCH.grain)
            if len(rows) > SEARCH.most:
                rows = rows[np.argsort(-index.scores(latent)[rows])[: SEARCH.most]]
            spots += self._spots(matcher, rows, [Window(np.zeros(3), SEARCH.reach, np.pi)] * len(rows))
            spots.sort(key=lambda spot: -spot.scan)
        for spot in distinct(spots)[: SEARCH.spots]:
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
        around = np.flatnonzero(np.hypot(*(index.poses[:, :2] - where[:2]).T) < reach + SEARCH.near)
        rows = around[one_a_square(index.poses[around], SEARCH.grain)]
        windows = [Window(relative(where, index.poses[row]), reach, turn) for row in rows]
        most = self.loop_closure.config.conflict
        found = (s for s in self._spots(Matcher(submap), rows, windows) if self.loop_closure.holds(s.match, most))
        return next(((int(index.ids[spot.row]), spot.match) for spot in found), None)

    def _spots(self, matcher: Matcher, rows: NDArray[np.int64], windows: Sequence[Window]) -> list[Spot]:
        return finished(self.loop_closure.spots(matcher, rows, windows, SEARCH.found))

    def shown(self, where: Array, compare: Compare) -> float | None:
        """Log odds that what was seen before from near `where` (3,) is what is seen now; None: nothing was.

        The best of k comparisons is high by chance k times as often as one is.
        """
        index = self.places.index
        gap, turn = pose_gap(index.poses, where)
        near = np.flatnonzero((gap < SEARCH.near) & (turn < SEARCH.aside))
        near = near[np.argsort(gap[near] + turn[near])[: SEARCH.pictures]]
        same = compare(index.ids[near].tolist()) if len(near) else None
        if same is None:
            return None
        best = float(np.clip(same.max(), 1e-6, 1.0 - 1e-6))
        return float(np.log(best / (1.0 - best)) - np.log(len(same)))
