"""Where something thin stands: returns come from there more often than people set a foot there.

Beams that are farther apart than the leg of a table miss it more often than not, so `RecentScans` say that it was free
there. How often they miss it is known from how far apart they are. Somebody who walks sets a foot there once, and goes
on. So each spot with returns has log-odds that something stands there, as a cell of an occupancy grid has (Moravec and
Elfes 1985), with the probability of a return by the distance of each look.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.moving.recent_scans import Slack, looked
from ami_ros.scan import Scan

WIDTH = 0.03  # [m] of the leg of a chair
METS = (0.1, 0.98)  # probability of a return from one in a look, least and most
BIN = 0.6  # [s] of looks that tell one thing: a foot stands for as long (Perry and Burnfield 2010: 62 % of a stride)
SELDOM = 0.03  # probability that somebody's foot is on a spot in such a time
NEAR = 0.08  # [m] from a spot within which a return is of it
FOLLOWS = 0.2  # share of the way to such a return by which a spot follows it: odometry drifts
FIRST, STANDS = -1.0, 3.0  # log-odds of a spot at its first return, and from which something stands there
LEAST, MOST = -3.0, 6.0  # from which a spot is dropped, and beyond which nothing makes it surer
REMEMBERED = 20.0  # [s] since the last return; longer: odometry has drifted by a spot
FAR = 6.0  # [m] from the scanner beyond which no spot begins
MANY = 600  # spots at most, the newest


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
    def begin(cls, at: Array, stamp: float) -> _Spots:
        """New ones, with their first return."""
        n = len(at)
        now = np.full(n, stamp)
        return cls(at, np.full(n, FIRST), now, now.copy(), np.ones(n), np.ones(n, bool))

    def where(self, which: NDArray[np.bool_]) -> _Spots:
        """Those of a mask."""
        return _Spots(*(getattr(self, column.name)[which] for column in fields(self)))

    def and_then(self, more: _Spots) -> _Spots:
        """Both."""
        return _Spots(*(np.concatenate([getattr(self, c.name), getattr(more, c.name)]) for c in fields(self)))


class StandingSpots:
    """Spots of odom from which returns came."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forgets all."""
        self._spots = _Spots.begin(np.zeros((0, 2)), 0.0)

    def add(self, stamp: float, scan: Scan, points: Array, slack: Slack, depth_share: float) -> None:
        """A `scan` in odom met things at `points` (n, 2) [m]; for the rest see `recent_scans.looked`."""
        spots = self._spots
        points = points[np.hypot(*(points - scan.origin).T) < FAR]
        apart = np.hypot(*(points[:, None] - spots.at[None]).transpose(2, 0, 1))
        near = apart < NEAR
        hit = near.any(0)
        if hit.any():
            spots.at[hit] += FOLLOWS * (points[apart[:, hit].argmin(0)] - spots.at[hit])
        if len(spots.at):
            through = looked(scan, spots.at, slack, depth_share)[0]
            spacing = np.hypot(*(spots.at - scan.origin).T) * abs(scan.angle_increment)
            misses = 1.0 - (WIDTH / np.maximum(spacing, 1e-3)).clip(*METS)
            self._close(stamp, (stamp - spots.since >= BIN) | (hit & ~spots.met))  # a foot falls into one bin
            spots.missed *= np.where(through | hit, misses, 1.0)
            spots.met |= hit
            spots.last[hit] = stamp
        new = points[~near.any(1)]
        new = new[np.unique(np.floor(new / NEAR), axis=0, return_index=True)[1]]
        spots = spots.and_then(_Spots.begin(new, stamp))
        keep = (stamp - spots.last < REMEMBERED) & (spots.odds > LEAST)
        keep[:-MANY] = False
        self._spots = spots.where(keep)

    def odds(self, points: Array) -> tuple[Array, Array]:
        """The log-odds that something stands at `points` (n, 2) in odom [m], or beside them; -inf: nothing returned.

        Returns:
            stood: (n,) by looks whose time is over.
            stands: (n,) with the looks under way counted as if theirs were, too.
        """
        spots = self._spots
        dx, dy = (points[:, axis, None] - spots.at[:, axis] for axis in (0, 1))
        point, spot = np.nonzero(dx * dx + dy * dy < (1.5 * NEAR) ** 2)  # few pairs of many
        under_way = spots.odds + np.where(spots.met, self._met, 0.0)
        stood, stands = np.full((2, len(points)), -np.inf)
        np.maximum.at(stood, point, spots.odds[spot])
        np.maximum.at(stands, point, under_way[spot])
        return stood, stands

    @property
    def _met(self) -> Array:
        """What a return among the looks under way says (n,), in log-odds."""
        return np.asarray(np.log(np.maximum(1.0 - self._spots.missed, SELDOM) / SELDOM))

    def _close(self, stamp: float, over: NDArray[np.bool_]) -> None:
        """Counts the looks at spots whose time is `over` (n,), and begins anew."""
        spots = self._spots
        missed = np.log(np.maximum(spots.missed, SELDOM) / (1.0 - SELDOM)).clip(None, 0.0)
        spots.odds[over] = (spots.odds + np.where(spots.met, self._met, missed))[over].clip(None, MOST)
        spots.since[over], spots.missed[over], spots.met[over] = stamp, 1.0, False
