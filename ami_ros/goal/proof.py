"""Proof of an arrival: the goal was recognised from two poses, one of which may be that of a remembered place."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from ami_ros.disc import Disc
from ami_ros.geometry import Array, compose, pose_gap
from ami_ros.places.types import ALONE
from ami_ros.planning.final_approach import ROOM
from ami_ros.planning.scan_geometry import free_range, sees
from ami_ros.planning.types import Percept
from ami_ros.scan import Scan

AGREE = 0.12, 0.25  # [m], [rad] between a look and what is believed, that tell of one place ...
SLACK = 0.35  # [m per m] ... and the more between poses farther apart: who sees all things here sees no distances
APART = 0.25  # [m] between two poses of which each tells how far off the goal is; a turn changes no distances
HERE = 0.15, 0.3  # [m], [rad] within which a look is one from here
OFF, OFF_SECONDS = 0.3, 5.0  # [m] that the robot goes away to look again from there, and [s] that it may take
ARRIVED = 0.02  # [m] from the end of the way there
FREE = OFF + ARRIVED  # [m] that should be free of anything there
WAYS_OFF = (math.pi, 0.0, *(s * math.radians(a) for a in (135, 45, 90) for s in (1, -1)))  # [rad] best first
AGAIN = 2  # times for one place
PROOF_SECONDS = 20.0  # [s] for which a look counts
RECENT = 1.5  # [s] the same of that from here
LIKELY = 0.2  # memory's confidence in where the goal is, from which its places count as one look, and below which the
# robot first looks whether the goal is not near by
SPLIT = ALONE  # the same, below which it may as well be elsewhere: alike there, or seen from one spot only
REMEMBERED = 0.35, 0.35  # [m], [rad] between where they have it and where it is believed to be


class Proof:
    """That the goal was recognised where it is believed to be: twice, from two poses, and both times at one place; and
    that from where the robot stands the pictures themselves are alike.

    One look may be mistaken, and the same look again is mistaken likewise; another pose changes what is seen.
    """

    def __init__(self) -> None:
        # Stamp, robot and goal in odom, and whether it is certain.
        self._looks: deque[tuple[float, Array, Array, bool]] = deque()

    def add(self, stamp: float, odometry: Array, pose: Array, certain: bool = True) -> None:
        """The goal was recognised at `pose` (3,) in base_link, from `odometry` (3,); `certain`: it cannot be a place
        that is alike, as far as one look tells."""
        self._looks.append((stamp, np.asarray(odometry), compose(odometry, pose), certain))
        while self._looks and stamp - self._looks[0][0] > PROOF_SECONDS:
            self._looks.popleft()

    def forget(self) -> None:
        """The goal turned out to be elsewhere."""
        self._looks.clear()

    def newest(self, stamp: float) -> float:
        """How long ago the goal was recognised [s]; inf if never."""
        return stamp - self._looks[-1][0] if self._looks else math.inf

    def holds(self, stamp: float, odometry: Array, pose: Array, remembered: Array | None = None) -> bool:
        """Whether looks from here and from elsewhere agree on where the goal is; see `halves`."""
        return all(self.halves(stamp, odometry, pose, remembered))

    def halves(self, stamp: float, odometry: Array, pose: Array, remembered: Array | None = None) -> tuple[bool, bool]:
        """Whether a look from here, and whether one from elsewhere, agrees on where the goal is.

        Args:
            stamp: now [s].
            odometry: (3,) of the robot.
            pose: (3,) in base_link, where the goal is believed to be.
            remembered: (3,) in odom, where remembered places show it for certain; None: none do.
        """
        believed = compose(odometry, pose)
        here = elsewhere = False
        if remembered is not None:
            elsewhere = bool(np.less(pose_gap(remembered, believed), REMEMBERED).all())
        for seen, robot, goal, certain in self._looks:
            distance, turn = pose_gap(goal, believed)
            moved, turned = pose_gap(robot, odometry)
            if distance > AGREE[0] + SLACK * moved or turn > AGREE[1]:
                continue
            elsewhere |= bool(moved > APART)
            here |= certain and bool(moved < HERE[0] and turned < HERE[1]) and stamp - seen < RECENT
        return here, elsewhere


class SecondLook:
    """Goes a little away, where a goal was recognised from one pose only; the robot then comes again by itself."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """At another place."""
        self._begun: tuple[float, Array, Array] | None = None  # when, where, and to where (3,) in odom
        self._taken = 0

    def begin(self, percept: Percept, disc: Disc) -> bool:
        """Begins where a robot is that fills a `disc`; False: it has looked often enough at this place, or there is no
        way from it."""
        away = _way_off(percept, disc)
        if self._taken >= AGAIN or away is None:
            return False
        self._taken += 1
        self._begun = (percept.stamp, percept.odometry, compose(percept.odometry, away))
        return True

    def spot(self, stamp: float, odometry: Array) -> Array | None:
        """Where the robot is to go now (3,) in odom; None: it is not under way, or any more."""
        if self._begun is None:
            return None
        since, start, spot = self._begun
        gone = float(np.hypot(*(odometry - start)[:2]))
        if stamp - since > OFF_SECONDS or gone > OFF or np.hypot(*(spot - start)[:2]) - gone < ARRIVED:
            self._begun = None
            return None
        return spot


def _way_off(percept: Percept, disc: Disc) -> Array | None:
    """Pose (3,) in base_link a little away, where the robot can get: backwards, where it sees that to be free, else
    with as little turning as may be."""
    scan = percept.standing
    ways = WAYS_OFF if sees(percept.scan, math.pi) else sorted(WAYS_OFF, key=abs)
    rooms = [FREE if scan is None else _room(scan, bearing, disc) for bearing in ways]
    best = next((k for k, room in enumerate(rooms) if room >= FREE), int(np.argmax(rooms)))
    bearing, reach = ways[best], min(rooms[best], FREE)
    if reach < APART:
        return None
    return np.array([reach * math.cos(bearing), reach * math.sin(bearing), bearing])


def _room(scan: Scan, bearing: float, disc: Disc) -> float:
    """How far [m] the robot can go along a `bearing` [rad]."""
    return free_range(scan, bearing, disc.radius + ROOM) - disc.reach(bearing) - ROOM
