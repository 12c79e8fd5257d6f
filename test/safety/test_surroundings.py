"""What is known of the ground around the robot: by the newest scan that looked there."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from ami_ros.core.geometry import transform_points
from ami_ros.core.scan import Scan
from ami_ros.safety.config import Footprint, SafetyConfig
from ami_ros.safety.observations import Snapshot
from ami_ros.safety.surroundings import Surroundings

ALL = range(120)
WALL = dict.fromkeys(range(28, 33), 2.0)


def around(**config: Any) -> Surroundings:
    given = SafetyConfig(**config)
    return Surroundings(given, Footprint(given))


def scan(ranges: dict[int, float] | None = None, stamp: float = 0.0, *pose: float, other: float = math.inf) -> Snapshot:
    """120 beams from straight ahead on, of a laser that reaches 8 m."""
    read = np.full(120, other, np.float32)
    for beam, reads in (ranges or {}).items():
        read[beam] = reads
    return Snapshot.of(Scan(read, 0.0, math.pi / 60, max_range=8.0), np.array(pose or (0.0, 0.0, 0.0)), 0.0, stamp)


def free(known: Surroundings, *points: tuple[float, float]) -> list[bool]:
    return known.free(np.array(points)).tolist()


def test_a_scan_without_a_reading_is_not_taken() -> None:
    known = around()
    assert known.newest is None and known.add(scan(other=math.nan)) == "scan without a reading"
    assert known.newest is None and len(known.gone) == 0
    nowhere = Scan(np.ones(120, np.float32), 0.0, math.pi / 60, max_range=0.0)
    assert known.add(Snapshot.of(nowhere, np.zeros(3), 0.0, 0.0)) == "scan without a reading", "it reaches nothing"
    first = scan()
    assert known.add(first) == "" and known.newest is first


def test_the_newest_scan_that_looked_there_says_what_is_free() -> None:
    known = around()
    known.add(scan())
    known.add(scan(dict.fromkeys(range(-10, 11), 1.0), 1.0, 1.0, 0.0, 0.0, other=math.nan))
    points = [(1.9, 0.0), (2.1, 0.0), (-3.0, 0.0), (0.0, 7.9), (0.0, 8.1)]
    assert free(known, *points) == [True, False, True, True, False]
    assert known.free(np.zeros((0, 2))).shape == (0,)


def test_what_the_robot_has_stood_on_is_free_unless_a_newer_scan_looked_there() -> None:
    known = around()
    ahead = dict.fromkeys(range(-5, 6), 3.0)
    known.add(scan(ahead, 0.0, other=math.nan))
    assert free(known, (-0.17, 0.0), (-0.19, 0.0), (0.0, 0.1)) == [True, False, True]
    known.add(scan(ahead, 1.0, 1.0, 0.0, 0.0, other=math.nan))
    assert free(known, (-0.17, 0.0), (0.9, 0.0), (1.0, 0.17), (0.9, 0.17)) == [True, True, True, True]
    assert free(known, (0.9, 0.3)) == [False]
    known.add(scan({60: 0.5}, 2.0, 0.3, 0.0, 0.0, other=math.nan))
    assert free(known, (-0.17, 0.0), (-0.25, 0.0)) == [True, False], "seen up to 0.5 m behind, and stood on there"


@pytest.mark.parametrize(
    ("pose", "stamp", "kept"),
    [
        ((0.09, 0.0, 0.0), 1.2, 1),
        ((0.0, -0.09, 0.0), 1.2, 1),
        ((0.11, 0.0, 0.0), 1.2, 2),
        ((0.0, -0.11, 0.0), 1.2, 2),
        ((0.0, 0.0, -0.19), 1.2, 1),
        ((0.0, 0.0, 0.21), 1.2, 2),
        ((0.0, 0.0, 0.0), 1.29, 1),
        ((0.0, 0.0, 0.0), 1.31, 2),
    ],
)
def test_a_scan_close_to_the_one_before_takes_its_place(pose: tuple[float, ...], stamp: float, kept: int) -> None:
    """The first of all remains, and the newest is always taken."""
    known = around()
    known.add(scan(None, 1.0))
    known.add(scan(None, stamp, *pose))
    assert len(known._seen) == 2
    known.add(scan(None, stamp + 0.01, *pose))
    assert len(known._seen) == 1 + kept
    assert known.newest is not None and known.newest.stamp == stamp + 0.01


def test_scans_count_for_memory() -> None:
    for stamp, still in ((3.0, True), (3.01, False)):
        known = around()
        known.add(scan())
        known.add(scan(dict.fromkeys(range(10), 8.0), stamp, other=math.nan))
        assert free(known, (-3.0, 0.0)) == [still]


def test_a_scan_in_which_all_has_gone_that_stood_is_not_taken() -> None:
    known = around()
    known.add(scan(WALL))
    assert known.add(scan(None, 0.1)) == "scan without what stood there"
    assert known.newest is not None and known.newest.stamp == 0.0
    assert known.add(scan({90: 3.0}, 0.1)) == ""
    assert len(known.gone) == 5
    thin = around()
    thin.add(scan({30: 2.0, 31: 2.0}))
    assert thin.add(scan(None, 0.1)) == "", "between two beams it may have been missed"
    guessed = around(measured=False)
    guessed.add(scan(WALL))
    assert guessed.add(scan(None, 0.1)) == "" and len(guessed.gone) == 0, "guesses come and go"


@pytest.mark.parametrize(
    ("distance", "moved", "taken"), [(6.3, 0.0, False), (6.5, 0.0, True), (6.3, 0.5, True), (6.5, -0.5, False)]
)
def test_what_is_out_of_reach_may_go_unseen(distance: float, moved: float, taken: bool) -> None:
    """Four fifths of the range from where the robot is now."""
    known = around()
    known.add(scan(dict.fromkeys([118, 119, 0, 1, 2], distance)))
    assert (known.add(scan(None, 1.0, -moved, 0.0, 0.0)) == "") == taken


def test_without_odometry_what_a_beam_looks_at_is_not_kept() -> None:
    known = around()
    known.add(scan(WALL))
    assert known.add(scan({90: 3.0}, 0.1), measured=False) == "" and len(known.gone) == 0
    there = around()
    seen = scan(WALL, 0.0, 1.0, 2.0, 0.5)
    there.add(seen)
    there.add(scan({90: 3.0}, 0.1, 1.0, 2.0, 0.5))
    assert there.gone == pytest.approx(transform_points(seen.pose, seen.points))


def test_a_late_scan_that_the_newest_repeats_is_what_was_measured() -> None:
    known = around()
    known.add(scan(WALL, 0.0))
    known.add(scan(WALL, 1.0, 0.5, 0.0, 0.0))
    late = scan(WALL, 0.9, 0.4, 0.0, 0.0)
    assert known.came_late(late) and known.newest is late
    assert not known.came_late(scan({30: 2.0}, 0.8)) and known.newest is late
    empty = around()
    empty.add(scan(None, 1.0))
    assert not empty.came_late(scan(None, 0.9)), "of nothing it cannot be told"


def test_of_several_scans_the_newest_says_what_has_to_be_seen_again() -> None:
    known = around()
    for stamp, ranges in ((0.0, None), (0.5, {60: 3.0}), (1.0, WALL)):
        assert known.add(scan(ranges, stamp)) == ""
    assert known.add(scan(None, 1.1)) == "scan without what stood there"
    known = around()
    for stamp, ranges in ((0.0, WALL), (0.5, WALL | {60: 3.0}), (1.0, {60: 3.0, 90: 3.0})):
        assert known.add(scan(ranges, stamp)) == ""
    assert known.add(scan(None, 1.1)) == ""


def test_of_several_scans_the_newest_two_are_close_or_not() -> None:
    known = around()
    for stamp in (0.0, 1.0, 2.0, 2.1, 2.2):
        known.add(scan(WALL, stamp))
    assert [each.stamp for each in known._seen] == [0.0, 1.0, 2.0, 2.2]


def test_of_several_scans_a_late_one_is_compared_with_the_newest() -> None:
    known = around()
    for stamp, distance in ((0.0, 2.0), (1.0, 3.0), (2.0, 4.0)):
        known.add(scan(dict.fromkeys(WALL, distance), stamp))
    assert not known.came_late(scan(dict.fromkeys(WALL, 2.0), 1.9))
    assert not known.came_late(scan(dict.fromkeys(WALL, 3.0), 1.9))
    late = scan(dict.fromkeys(WALL, 4.0), 1.9)
    assert known.came_late(late) and known.newest is late
    assert [each.stamp for each in known._seen] == [0.0, 1.0, 1.9]
