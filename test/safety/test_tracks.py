"""Scans in pieces."""

from __future__ import annotations

import numpy as np

from ami_ros.core.scan import Scan, is_full_turn
from ami_ros.safety.tracks import Segments, TrackerConfig, ends_of, segments_of
from harness.walked_room import legs, room, scan_at

CONFIG = TrackerConfig()


def cut(scan: Scan, stands: np.ndarray | None = None) -> Segments:
    ends = ends_of(scan, CONFIG)
    stands = np.zeros(len(ends.points), bool) if stands is None else stands
    return segments_of(ends, stands, is_full_turn(scan), CONFIG)


def test_two_legs_are_two_segments() -> None:
    found = cut(scan_at(legs(np.array([2.0, 0.0]), 0.0, 0.0), np.zeros(3)))
    assert len(found.count) == 2 and (found.width < 0.15).all()
    assert np.allclose(np.sort(found.centre[:, 1]), [-0.1, 0.1], atol=0.03)
    assert found.count.sum() == len(found.points) == len(found.order)


def test_what_the_first_and_the_last_beam_meet_is_one_thing() -> None:
    behind = legs(np.array([-2.0, 0.1]), 0.0, 0.0)[1:]  # one leg, where a turn ends and begins
    scan = scan_at(behind, np.zeros(3))
    (count,) = cut(scan).count
    assert count >= 3
    part = Scan(scan.ranges[:-1], scan.angle_min, 1.001 * scan.angle_increment)
    assert cut(part).count.tolist() != [count]


def test_a_leg_beside_a_wall_is_cut_off_by_what_stood_there() -> None:
    scan = scan_at([*room(), *legs(np.array([3.8, 0.0]), 0.0, 0.0)], np.zeros(3), noise=0.0)
    ends = ends_of(scan, CONFIG)
    new = (np.abs(ends.points[:, 1]) < 0.17) & (ends.points[:, 0] > 3.0) & (ends.points[:, 0] < 3.88)
    together, apart = cut(scan), cut(scan, ~new)
    legs_of = [c for c, w in zip(apart.centre, apart.width, strict=True) if w < 0.15 and c[0] > 3.5]
    assert len(legs_of) >= 2 and len(apart.count) > len(together.count)


def test_a_mean_over_segments_is_of_their_own_points() -> None:
    found = cut(scan_at(legs(np.array([2.0, 0.0]), 0.0, 0.0), np.zeros(3)))
    ends = ends_of(scan_at(legs(np.array([2.0, 0.0]), 0.0, 0.0), np.zeros(3)), CONFIG)
    assert np.allclose(found.mean(ends.points[:, 1]), found.centre[:, 1])


def test_a_scan_without_a_return_has_no_segments() -> None:
    scan = Scan(np.full(90, np.nan, np.float32), 0.0, 0.01)
    assert len(cut(scan).count) == 0
