"""Where a lost robot may be: weighted poses of the map, and elsewhere; each look of the robot is an observation.

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

from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.core.scan_matching import Match


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


APART = (0.7, 0.2)  # [m], [rad] from which poses are not the same
OLDER = (
    0.5  # of what the newest look counts each one before it does: it shows more, as the scans before are a part of it
)


@dataclass
class Spot:
    """Where one look fits."""

    row: int  # of the place that it was compared with
    match: Match
    where: Array  # (3,) of the robot in the map
    scan: float  # log odds that the scan is right there
    picture: float | None = None  # log odds by what was seen from there, and is seen now; None: nothing was


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
        self.total, self.looks, self.share = OLDER * self.total + odds, OLDER * self.looks + 1.0, 1.0

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

    def look(
        self,
        spots: Sequence[Spot],
        odometry: Array,
        prior: Callable[[Array], float] = lambda where: 0.0,
    ) -> None:
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
        least = max([0.0, *(mode.weight for mode in self.modes[:1])]) - 12.0
        self.modes = [mode for mode in self.modes[:16] if mode.weight > least]

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
        # half of the rooms elsewhere that are alike go on to be
        most = self.config.most_scan - np.log(0.5) * (self._views - 1.0)
        log = np.append(-min(best.scans.weight, most), others - ahead)
        mass: Array = np.exp(log - log.max())
        return mass / mass.sum()


def is_apart(a: Array, b: Array) -> bool:
    """Whether two poses (3,) are not the same."""
    return bool(np.greater(pose_gap(a, b), APART).any())


def distinct(spots: Sequence[Spot]) -> list[Spot]:
    """The first one of each pose."""
    found: list[Spot] = []
    for spot in spots:
        if all(is_apart(spot.where, other.where) for other in found):
            found.append(spot)
    return found
