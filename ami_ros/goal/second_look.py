"""A second look at what was recognised from one spot only: the robot goes a little away, and comes again."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.disc import Disc
from ami_ros.geometry import Array, compose
from ami_ros.goal.posterior import APART
from ami_ros.planning.final_approach import ROOM
from ami_ros.planning.scan_geometry import free_range, sees
from ami_ros.planning.types import Percept
from ami_ros.scan import Scan

OFF, OFF_SECONDS = 0.3, 5.0  # [m] that the robot goes away to look again from there, and [s] that it may take
ARRIVED = 0.02  # [m] from the end of the way there
FREE = OFF + ARRIVED  # [m] that should be free of anything there
WAYS_OFF = (math.pi, 0.0, *(s * math.radians(a) for a in (135, 45, 90) for s in (1, -1)))  # [rad] best first
AGAIN = 2  # times for one place


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
