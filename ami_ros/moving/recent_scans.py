"""Scans of the last seconds, in odom: what was free where something is now, and what still stands where it stood.

A point moves if scans from before looked past it (Wang, Thorpe, Thrun et al. 2007, "Simultaneous localization, mapping
and moving object tracking"). What nobody has looked at was not free: walls that come into sight of a robot do not move.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, pose_gap
from ami_ros.moving.config import TrackerConfig
from ami_ros.scan import Scan

SLANT = 0.4  # [m] by which two beams that lie side by side may differ on one wall
SAMPLES = np.linspace(-1.0, 1.0, 11)  # across what a bearing may be off


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
    offset = (np.arctan2(y, x) - scan.angle_min) * np.sign(step)
    beam = np.rint((offset[:, None] + aside[:, None] * SAMPLES) % (2 * np.pi) / abs(step)).astype(np.intp)
    turn = round(2 * np.pi / abs(step))
    beam = np.where((beam >= beams) & (beams >= turn - 1), beam % beams, beam)
    looks = beam < beams
    ranges = scan.ranges[np.where(looks, beam, 0)].astype(np.float64)
    ranges = np.where(looks & (ranges > 0), np.minimum(ranges, scan.max_range), np.nan)
    depth = (slack.depth + depth_share * distance)[:, None]
    valid = ~np.isnan(ranges)
    behind = (ranges > distance[:, None] + depth) | (~valid & looks)
    through = behind.all(1) & (valid.sum(1) * 2 > len(SAMPLES))
    first, second = ranges[:, :-1], ranges[:, 1:]
    between = (np.minimum(first, second) - depth <= distance[:, None]) & (
        np.maximum(first, second) + depth >= distance[:, None]
    )
    with np.errstate(invalid="ignore"):  # inf - inf
        one_surface = np.abs(first - second) < SLANT
    hit = (np.abs(ranges - distance[:, None]) <= depth).any(1) | (between & one_surface).any(1)
    return through, hit
