"""What moves reaches the planner, and does not reach the map."""

from __future__ import annotations

import numpy as np

from ami_ros.core.commands import STILL
from ami_ros.runtime.memory import MemoryFeed
from ami_ros.runtime.perception import LatentFrame
from ami_ros.runtime.planner import Percepts
from ami_ros.safety.moving_things import MovingThings
from harness.walked_room import legs, room, scan_at

PERIOD = 0.1  # [s]


def watched(percepts: Percepts, moments: int, begin: int = 0) -> float:
    """Scans of a room in which somebody walks; the stamp of the last."""
    for k in range(begin, begin + moments):
        now, here = k * PERIOD, np.array([1.5, -1.5 + 0.1 * k])
        percepts.take_odometry(now, np.zeros(3), STILL, now)
        percepts.take_scan(now, scan_at([*room(), *legs(here, np.pi / 2, 0.1 * k)], np.zeros(3), seed=k))
    return now


def at(percepts: Percepts, stamp: float) -> MovingThings | None:
    return percepts.at(LatentFrame(stamp, np.zeros(4, np.float32))).things


def test_who_walks_is_in_the_percept_of_that_moment_and_not_in_one_long_after() -> None:
    percepts = Percepts()
    now = watched(percepts, 20)
    things = at(percepts, now)
    assert things is not None and len(things.things) == 1 and things.things[0].velocity[1] > 0.6
    percepts.take_odometry(now + 1.0, np.zeros(3), STILL, now + 1.0)
    assert at(percepts, now + 1.0) is None


def test_where_odometry_began_anew_tracks_from_before_are_forgotten() -> None:
    percepts = Percepts()
    now = watched(percepts, 20)
    percepts.take_odometry(now + 0.1, np.array([7.0, 7.0, 1.0]), STILL, now + 0.1)
    assert at(percepts, now + 0.1) is None


def test_memory_gets_scans_without_who_walks() -> None:
    """Beams on them tell nothing: neither that something stands there, nor that it is free."""
    percepts, feed = Percepts(), MemoryFeed(2, 0.2)
    now = watched(percepts, 20)
    scan = scan_at([*room(), *legs(np.array([1.5, 0.4]), np.pi / 2, 1.9)], np.zeros(3))
    for k, things in ((1, None), (2, percepts.things)):
        stamp = now + 0.25 * (k - 1)
        feed.take_odometry(stamp, np.zeros(3), STILL, stamp)
        feed.take_scan(stamp, scan)
        if things is not None:
            feed.take_things(things)
        moment = feed.take_latent(LatentFrame(stamp, np.zeros(4, np.float32)))
        assert moment is not None and moment.scan is not None
        assert bool(np.isnan(moment.scan.ranges).any()) is (things is not None)
