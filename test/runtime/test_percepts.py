"""What the planner gets to look at."""

from __future__ import annotations

import numpy as np

from ami_ros.core.commands import STILL
from ami_ros.core.robots.derived import measures
from ami_ros.core.robots.description import load_robot
from ami_ros.core.scan import Scan
from ami_ros.runtime.perception import LatentFrame
from ami_ros.runtime.planner import Percepts


def front(yaw: float, wall: float = 1.0) -> Scan:
    """60 degrees to the front of a robot that is turned by `yaw`: a wall 1 m ahead of where it looked first."""
    angles = np.radians(np.arange(-30.0, 31.0, 2.0))
    ranges = np.where(np.cos(yaw + angles) > 0.95, wall, np.inf).astype(np.float32)
    return Scan(ranges, float(angles[0]), np.radians(2.0), max_range=8.0)


def turned_away(percepts: Percepts) -> float:
    """A robot that saw a wall, and has turned round since; the stamp of that moment."""
    for k in range(11):
        stamp, yaw = 0.1 * k, np.pi * k / 10
        percepts.take_odometry(stamp, np.array([0.0, 0.0, yaw]), STILL, stamp)
        percepts.take_scan(stamp, front(yaw))
    return stamp


def frame(stamp: float) -> LatentFrame:
    return LatentFrame(stamp, np.zeros(4, np.float32))


def test_what_a_front_laser_sees_no_more_stands_on() -> None:
    percepts = Percepts()
    percept = percepts.at(frame(turned_away(percepts)))
    assert percept.scan is not None and len(percept.scan.ranges) == 31
    assert percept.standing is percept.around and percept.around is not None
    behind = np.abs(np.angle(np.exp(1j * (percept.around.angles - np.pi)))).argmin()
    assert np.isclose(percept.around.ranges[behind], 1.0, atol=0.02)


def test_where_odometry_began_anew_nothing_stands_that_was_seen_before() -> None:
    percepts = Percepts()
    stamp = turned_away(percepts)
    percepts.take_odometry(stamp + 0.1, np.array([5.0, 5.0, 0.0]), STILL, stamp + 0.1)
    percepts.take_scan(stamp + 0.1, front(np.pi))
    around = percepts.at(frame(stamp + 0.1)).around
    assert around is not None and not np.isfinite(around.ranges).any()


def test_without_odometry_of_its_time_a_scan_is_all_that_is_known() -> None:
    percepts = Percepts()
    percepts.take_odometry(1.0, np.zeros(3), STILL, 1.0)
    percepts.take_scan(0.6, front(0.0))
    percept = percepts.at(frame(1.0))
    assert percept.around is None and percept.standing is percept.scan


def test_errors_of_scans_that_are_guessed_from_pictures_are_nobody_who_moves() -> None:
    """A robot without a laser explored a tenth of a home: it waited for people who were errors of its scans."""

    def seen(robot: str) -> int:
        percepts, count = Percepts(measures(load_robot(robot))), 0
        for k in range(40):
            stamp, guessed = 0.1 * k, front(0.0, 1.0)
            guessed.ranges[4 + k : 9 + k] = 0.7  # a dent that goes along the wall
            percepts.take_odometry(stamp, np.zeros(3), STILL, stamp)
            things = percepts.take_scan(stamp, guessed)
            count += 0 if things is None else len(things.things)
        return count

    assert seen("ami_bot") > 10 and seen("ami_bot_camera") == 0
