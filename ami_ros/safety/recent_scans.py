"""Scans of the last seconds, in odom: what was free where something is now, and what still stands where it stood.

A point moves if scans from before looked past it (Wang, Thorpe, Thrun et al. 2007, "Simultaneous localization, mapping
and moving object tracking"). What nobody has looked at was not free: walls that come into sight of a robot do not move.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, pose_gap
from ami_ros.core.scan import Scan
from ami_ros.safety.tracks import TrackerConfig


class _Seen(NamedTuple):
    stamp: float  # [s]
    scan: Scan  # in odom
    way: Array  # (2,) that the robot had gone and turned when it was taken [m, rad]
    turning: float  # [rad/s]


class Slack(NamedTuple):
    """By how much two scans may differ though nothing has moved."""

    depth: float  # [m]
    aside: float  # [m]
    turn: float  # [rad]


class RecentScans:
    """The scans that new ones are compared with; `config` says for how long, and how far poses may be off."""

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self._seen: deque[_Seen] = deque()
        self._way: Array = np.zeros(2)
        self._pose: Array | None = None
        self._turning = 0.0

    def clear(self) -> None:
        """Forgets all: odometry begins anew, or has been off."""
        self._seen.clear()
        self._pose = None

    def go(self, pose: Array, elapsed: float) -> None:
        """The robot is at `pose` (3,) in odom, `elapsed` [s] after the last one."""
        if self._pose is not None:
            distance, turn = pose_gap(self._pose, pose)
            self._way = self._way + [float(distance), float(turn)]
            self._turning = float(turn) / elapsed
        self._pose = pose

    def add(self, stamp: float, scan: Scan) -> None:
        """A `scan` in odom; kept, if the one before is old enough."""
        config = self._config
        while self._seen and stamp - self._seen[0].stamp > config.remembered:
            self._seen.popleft()
        if not self._seen or stamp - self._seen[-1].stamp > 0.99 * config.spacing:
            self._seen.append(_Seen(stamp, scan, self._way, self._turning))

    @property
    def slack(self) -> Slack:
        """Of the newest scan."""
        return self._slack(self._way, self._turning)

    def _slack(self, since: Array, turning: float) -> Slack:
        config = self._config
        way, turn = self._way - since
        late = config.late * max(turning, self._turning)
        return Slack(
            config.depth + config.drift * way, config.aside + config.drift * way,
            config.turn + config.turn_drift * turn + late,
        )  # fmt: skip

    def compare(self, stamp: float, points: Array) -> tuple[Array, Array]:
        """What scans from before say of `points` (n, 2) in odom [m].

        Returns:
            free: (n,) 1 where at least half of the scans that know, and two if there are two, looked past it, else 0.
            still: (n,) 1 where most of those older than twice the spacing saw something right there, else 0.
        """
        config, count = self._config, len(points)
        past, known, there, old = (np.zeros(count) for _ in range(4))
        for seen in self._seen:
            age = stamp - seen.stamp
            if age < 0.5 * config.spacing:
                continue
            through, hit = looked(seen.scan, points, self._slack(seen.way, seen.turning), config.depth_share)
            past += through
            known += through | hit
            if age > 2 * config.spacing:
                there += hit
                old += through | hit
        free = (past >= np.minimum(2, np.maximum(known, 1))) & (past >= 0.5 * known)
        still = (there > 0.5 * old) & (old > 0)
        return free.astype(np.float64), still.astype(np.float64)


def looked(scan: Scan, points: Array, slack: Slack, depth_share: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What one `scan` says of `points` (n, 2) in its frame [m].

    Returns:
        through: (n,) all its beams that may have met the point ended behind it, or nowhere.
        hit: (n,) one of them ended there, or two on a wall that slants and passes through it.
    """
    x, y = (points - scan.origin).T
    distance = np.maximum(np.hypot(x, y), 0.05)
    aside = np.maximum(slack.turn + slack.aside / distance, abs(scan.angle_increment))
    step, beams = scan.angle_increment, len(scan.ranges)
    across = np.linspace(-1.0, 1.0, 11)  # what a bearing may be off
    offset = (np.arctan2(y, x) - scan.angle_min) * np.sign(step)
    beam = np.rint((offset[:, None] + aside[:, None] * across) % (2 * np.pi) / abs(step)).astype(np.intp)
    turn = round(2 * np.pi / abs(step))
    beam = np.where((beam >= beams) & (beams >= turn - 1), beam % beams, beam)
    looks = beam < beams
    ranges = scan.ranges[np.where(looks, beam, 0)].astype(np.float64)
    ranges = np.where(looks & (ranges > 0), np.minimum(ranges, scan.max_range), np.nan)
    depth = (slack.depth + depth_share * distance)[:, None]
    valid = ~np.isnan(ranges)
    behind = (ranges > distance[:, None] + depth) | (~valid & looks)
    through = behind.all(1) & (valid.sum(1) * 2 > len(across))
    first, second = ranges[:, :-1], ranges[:, 1:]
    between = (np.minimum(first, second) - depth <= distance[:, None]) & (
        np.maximum(first, second) + depth >= distance[:, None]
    )
    with np.errstate(invalid="ignore"):  # inf - inf
        one_surface = np.abs(first - second) < 0.4  # [m] by which two beams side by side may differ on one wall
    hit = (np.abs(ranges - distance[:, None]) <= depth).any(1) | (between & one_surface).any(1)
    return through, hit


@dataclass(frozen=True)
class SpotsConfig:
    """When something thin stands on a spot."""

    width: float = 0.03  # [m] of the leg of a chair
    met_least: float = 0.1  # probability of a return from one in a look ...
    met_most: float = 0.98
    together: float = 0.6  # [s] of looks that tell one thing: a foot stands as long (Perry and Burnfield 2010: 62 %)
    seldom: float = 0.03  # probability that somebody's foot is on a spot in such a time
    near: float = 0.08  # [m] from a spot within which a return is of it
    follows: float = 0.2  # share of the way to such a return by which a spot follows it: odometry drifts
    first: float = -1.0  # log-odds of a spot at its first return
    stands: float = 3.0  # from which something stands there
    least: float = -3.0  # from which a spot is dropped
    most: float = 6.0  # beyond which nothing makes it surer
    remembered: float = 20.0  # [s] since the last return; longer: odometry has drifted by a spot
    far: float = 6.0  # [m] from the scanner beyond which no spot begins
    many: int = 600  # spots at most, the newest


@dataclass
class _Spots:
    """Columns of n spots."""

    at: Array  # (n, 2) in odom [m]
    odds: Array  # (n,) that something stands there
    last: Array  # (n,) [s] of the last return
    since: Array  # (n,) [s] from which on the looks below count
    missed: Array  # (n,) probability that all of them would have missed a leg
    met: NDArray[np.bool_]  # (n,) one of them did not

    @classmethod
    def begin(cls, at: Array, stamp: float, odds: float) -> _Spots:
        """New ones, with their first return, and the log-odds of that."""
        n = len(at)
        now = np.full(n, stamp)
        return cls(at, np.full(n, odds), now, now.copy(), np.ones(n), np.ones(n, bool))

    def where(self, which: NDArray[np.bool_]) -> _Spots:
        """Those of a mask."""
        return _Spots(*(getattr(self, column.name)[which] for column in fields(self)))

    def and_then(self, more: _Spots) -> _Spots:
        """Both."""
        return _Spots(*(np.concatenate([getattr(self, c.name), getattr(more, c.name)]) for c in fields(self)))


class StandingSpots:
    """Spots of odom from which returns came: more often than people set a foot there, where something thin stands.

    Beams that are farther apart than the leg of a table miss it more often than not, so `RecentScans` say that it was
    free there. How often they miss it is known from how far apart they are. Somebody who walks sets a foot there once,
    and goes on. So each spot with returns has log-odds that something stands there, as a cell of an occupancy grid has
    (Moravec and Elfes 1985), with the probability of a return by the distance of each look.
    """

    def __init__(self, config: SpotsConfig | None = None) -> None:
        self.config = config or SpotsConfig()
        self.clear()

    def clear(self) -> None:
        """Forgets all."""
        self._spots = _Spots.begin(np.zeros((0, 2)), 0.0, 0.0)

    def add(self, stamp: float, scan: Scan, points: Array, slack: Slack, depth_share: float) -> None:
        """A `scan` in odom met things at `points` (n, 2) [m]; for the rest see `recent_scans.looked`."""
        spots, config = self._spots, self.config
        points = points[np.hypot(*(points - scan.origin).T) < config.far]
        apart = np.hypot(*(points[:, None] - spots.at[None]).transpose(2, 0, 1))
        near = apart < config.near
        hit = near.any(0)
        if hit.any():
            spots.at[hit] += config.follows * (points[apart[:, hit].argmin(0)] - spots.at[hit])
        if len(spots.at):
            through = looked(scan, spots.at, slack, depth_share)[0]
            spacing = np.hypot(*(spots.at - scan.origin).T) * abs(scan.angle_increment)
            misses = 1.0 - (config.width / np.maximum(spacing, 1e-3)).clip(config.met_least, config.met_most)
            over = stamp - spots.since >= config.together
            self._close(stamp, over | (hit & ~spots.met))  # a foot falls into one such time
            spots.missed *= np.where(through | hit, misses, 1.0)
            spots.met |= hit
            spots.last[hit] = stamp
        new = points[~near.any(1)]
        new = new[np.unique(np.floor(new / config.near), axis=0, return_index=True)[1]]
        spots = spots.and_then(_Spots.begin(new, stamp, config.first))
        keep = (stamp - spots.last < config.remembered) & (spots.odds > config.least)
        keep[: -config.many] = False
        self._spots = spots.where(keep)

    def odds(self, points: Array) -> tuple[Array, Array]:
        """The log-odds that something stands at `points` (n, 2) in odom [m], or beside them; -inf: nothing returned.

        Returns:
            stood: (n,) by looks whose time is over.
            stands: (n,) with the looks under way counted as if theirs were, too.
        """
        spots = self._spots
        dx, dy = (points[:, axis, None] - spots.at[:, axis] for axis in (0, 1))
        point, spot = np.nonzero(dx * dx + dy * dy < (1.5 * self.config.near) ** 2)  # few pairs of many
        under_way = spots.odds + np.where(spots.met, self._met, 0.0)
        stood, stands = np.full((2, len(points)), -np.inf)
        np.maximum.at(stood, point, spots.odds[spot])
        np.maximum.at(stands, point, under_way[spot])
        return stood, stands

    @property
    def _met(self) -> Array:
        """What a return among the looks under way says (n,), in log-odds."""
        return np.asarray(np.log(np.maximum(1.0 - self._spots.missed, self.config.seldom) / self.config.seldom))

    def _close(self, stamp: float, over: NDArray[np.bool_]) -> None:
        """Counts the looks at spots whose time is `over` (n,), and begins anew."""
        spots, seldom = self._spots, self.config.seldom
        missed = np.log(np.maximum(spots.missed, seldom) / (1.0 - seldom)).clip(None, 0.0)
        spots.odds[over] = (spots.odds + np.where(spots.met, self._met, missed))[over].clip(None, self.config.most)
        spots.since[over], spots.missed[over], spots.met[over] = stamp, 1.0, False
