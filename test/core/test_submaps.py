"""Outlines: what a laser saw, and what is left of it in a few bytes."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.scan import Scan
from ami_ros.core.submaps import MOST_POINTS, RAYS, Submap, free_distance, points_of, scan_of, submap_of
from harness.carmen import RING, scan_at

POSE = np.array([3.0, 1.0, 0.1])


def seen(pose: np.ndarray = POSE) -> Submap:
    scan = scan_at(RING, pose)
    return submap_of(points_of(scan), free_distance(scan))


def test_an_outline_stays_the_same_when_it_is_packed() -> None:
    submap = seen()
    content = submap.pack()
    again = Submap.unpack(content)
    assert again is not None and len(content) < 4 * len(submap) + RAYS + 8
    assert np.abs(again.points - submap.points).max() < 0.002
    assert np.array_equal(np.isnan(again.free), np.isnan(submap.free))
    assert np.nanmax(np.abs(again.free - submap.free)) < 0.04


def test_an_outline_reaches_as_far_as_what_is_around() -> None:
    """Twice as far as the median; where most is near the rest is another place's."""
    rng = np.random.default_rng(0)
    angle = rng.uniform(-np.pi, np.pi, 500)
    around = np.column_stack([np.cos(angle), np.sin(angle)])
    for distance, reach in ((4.0, 12.0), (11.0, 22.0), (30.0, 40.0)):
        points = distance * rng.uniform(0.8, 1.2, 500)[:, None] * around
        submap = submap_of(np.concatenate([points, 90.0 * around]), np.linspace(0.1, reach, RAYS))
        if distance < 30.0:
            submap = submap_of(np.concatenate([points, [[reach + 1.0, 0.0]]]), submap.free)
        again = Submap.unpack(submap.pack())
        assert again is not None and submap.reach <= reach
        assert abs(again.reach - submap.reach) < 0.01 and np.abs(again.free - submap.free).max() < 0.3


def test_bytes_that_make_no_sense_are_no_outline() -> None:
    content = seen().pack()
    for broken in (b"", b"x", content[:-1], content + b"1", b"\xff" + content[1:]):
        assert Submap.unpack(broken) is None


def test_normals_stand_across_walls() -> None:
    submap = seen(np.array([7.0, 1.0, 0.0]))
    side = (np.abs(submap.points[:, 1] - 1.0) < 0.05) & (np.abs(submap.points[:, 0]) < 2.0)
    assert side.sum() > 10 and (np.abs(submap.normals[side, 1]) > 0.98).all()


def test_beams_without_a_reading_say_nothing_of_free_space_and_those_without_return_do() -> None:
    free = free_distance(Scan(np.array([np.nan, np.inf, 2.0], np.float32), 0.0, np.pi / 2))
    assert np.isnan(free[0]) and free[RAYS // 4] > 10.0 and free[RAYS // 2] == 2.0


def test_a_beam_without_return_says_nothing_of_what_lies_beyond_the_laser_s_range() -> None:
    """It was taken for free up to 12 m, which contradicted what had been seen there from elsewhere: robots with
    lasers of 3.5 m seemed to be carried away in large rooms."""
    short = Scan(np.array([np.inf, 2.0], np.float32), 0.0, np.pi / 2, max_range=3.5)
    assert free_distance(short)[[0, RAYS // 4]].tolist() == [3.5, 2.0]


def test_however_much_was_seen_an_outline_is_small() -> None:
    rng = np.random.default_rng(0)
    assert len(submap_of(rng.uniform(-8, 8, (20_000, 2)), np.full(RAYS, np.nan))) <= MOST_POINTS


def test_an_outline_of_nothing_is_empty() -> None:
    empty = submap_of(np.zeros((0, 2)), np.full(RAYS, np.nan))
    assert len(empty) == 0 and Submap.unpack(empty.pack()) is not None


def test_what_was_free_is_a_scan_again() -> None:
    """Where it was as free as the laser reaches, nothing returned; where no beam looked, nothing is known."""
    ranges = np.full(91, 2.0, np.float32)  # of a laser that looks to the left half alone
    ranges[60:] = np.inf
    found = scan_of(free_distance(Scan(ranges, 0.0, np.radians(2.0), max_range=3.5)))
    assert found.max_range == pytest.approx(3.5) and len(found.ranges) == RAYS
    assert found.ranges[30] == 2.0 and np.isinf(found.ranges[70]) and np.isnan(found.ranges[135])
    assert np.isnan(scan_of(np.full(RAYS, np.nan)).ranges).all()
    ranges[:30] = 25.0
    outdoors = scan_of(free_distance(Scan(ranges, 0.0, np.radians(2.0), max_range=80.0))).ranges
    assert outdoors[10] == 25.0 and outdoors[40] == 2.0 and np.isinf(outdoors[70])
