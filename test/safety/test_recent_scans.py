"""What was free before, and what still stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.core.scan import moved
from ami_ros.safety.recent_scans import RecentScans
from ami_ros.safety.tracks import TrackerConfig
from harness.walked_room import legs, room, scan_at

CONFIG = TrackerConfig()
PILLAR = np.array([[-1.85, 1.38]])  # on the side that the robot sees


def looked_for_two_seconds(pose: np.ndarray, people: list[object] | None = None) -> RecentScans:
    recent = RecentScans(CONFIG)
    for k in range(20):
        recent.go(pose, 0.1)
        recent.add(0.1 * k, moved(scan_at([*room(), *(people or [])], pose, seed=k), pose))  # type: ignore[list-item]
    return recent


def test_free_floor_was_free_and_a_pillar_stands() -> None:
    recent = looked_for_two_seconds(np.zeros(3))
    free, still = recent.compare(2.0, np.array([[1.5, 0.5], *PILLAR]))
    assert free.tolist() == [1.0, 0.0] and still.tolist() == [0.0, 1.0]


def test_what_nobody_has_looked_at_was_not_free() -> None:
    recent = looked_for_two_seconds(np.zeros(3))
    behind_the_pillar, outside = [-2.6, 1.95], [5.0, 0.0]
    free, still = recent.compare(2.0, np.array([behind_the_pillar, outside]))
    assert not free.any() and not still.any()


def test_a_person_who_has_just_come_neither_stood_there_nor_was_the_floor_taken() -> None:
    recent = looked_for_two_seconds(np.zeros(3))
    (leg, _) = legs(np.array([1.5, 0.5]), 0.0, 0.0)
    free, still = recent.compare(2.0, np.array([leg.center]))
    assert free[0] == 1.0 and still[0] == 0.0


def test_a_pillar_stands_though_odometry_is_a_little_off() -> None:
    recent = looked_for_two_seconds(np.zeros(3))
    recent.go(np.array([0.6, 0.0, 0.3]), 1.0)  # it has driven, and wheels slip
    free, still = recent.compare(2.0, PILLAR + 0.04)
    assert free[0] == 0.0 and still[0] == 1.0


def test_nothing_is_known_after_clear_or_long_after() -> None:
    recent = looked_for_two_seconds(np.zeros(3))
    recent.add(9.0, moved(scan_at(room(), np.zeros(3)), np.zeros(3)))
    assert not recent.compare(9.1, np.array([[1.5, 0.5]]))[0].any()
    recent = looked_for_two_seconds(np.zeros(3))
    recent.clear()
    assert not recent.compare(2.0, np.array([[1.5, 0.5]]))[0].any()


def test_readings_that_are_none_do_not_make_free() -> None:
    recent, blind = RecentScans(CONFIG), scan_at(room(), np.zeros(3))
    blind = replace(blind, ranges=np.full(len(blind.ranges), np.nan, np.float32))
    for k in range(10):
        recent.add(0.3 * k, blind)
    free, still = recent.compare(3.0, np.array([[1.5, 0.5]]))
    assert not free.any() and not still.any()
