"""What was free before, and what still stands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan, moved
from ami_ros.safety.recent_scans import RecentScans, Slack, SpotsConfig, StandingSpots
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


SPOTS = SpotsConfig()

SLACK = Slack(0.08, 0.015, 0.004)
LEG, FOOT = 0.015, 0.05  # [m], radius
PERIOD = 0.1  # [s]
WALL = 6.5  # [m]


class Look:
    """A laser that goes along the x axis at 0.4 m/s, and what it tells."""

    def __init__(self, beams: int = 72) -> None:
        self.spots, self.stamp, self._beams, self._x = StandingSpots(), 0.0, beams, 0.0

    def at(self, *things: tuple[float, float, float]) -> None:
        """One scan of discs x, y, radius [m]."""
        origin = np.array([self._x, 0.0])
        step = 2 * np.pi / self._beams
        angles = -np.pi + step * np.arange(self._beams)
        ranges = np.full(self._beams, WALL)
        for x, y, radius in things:
            away = np.array([x, y]) - origin
            along = away[0] * np.cos(angles) + away[1] * np.sin(angles)
            beside = np.abs(away[0] * np.sin(angles) - away[1] * np.cos(angles))
            ranges = np.where((along > 0) & (beside < radius), np.minimum(ranges, along), ranges)
        scan = Scan(ranges.astype(np.float32), -np.pi, step, (float(origin[0]), 0.0), 8.0)
        met = ranges < WALL
        points = origin + (ranges * np.stack([np.cos(angles), np.sin(angles)])).T[met]
        self.spots.add(self.stamp, scan, points, SLACK, 0.01)
        self.stamp += PERIOD
        self._x += 0.04

    def stood(self, x: float, y: float) -> bool:
        return bool((self.spots.odds(np.array([[x, y]]))[0] > SPOTS.stands).all())


@pytest.mark.parametrize("y", [0.7, 1.2, 1.8])
def test_the_leg_of_a_chair_that_most_beams_miss_stands_there(y: float) -> None:
    look = Look()
    for _ in range(50):
        look.at((1.0, y, LEG))
    assert look.stood(1.0, y) and not look.stood(1.0, y + 0.5)


@pytest.mark.parametrize("beams", [72, 360])
def test_a_walker_stands_nowhere(beams: int) -> None:
    """One foot stands for 0.8 s, then the other half a metre ahead of it."""
    look = Look(beams)
    for step in range(100):
        foot = 0.5 * (step // 8) - 1.0
        look.at((foot, 1.0, FOOT))
        assert not look.stood(foot, 1.0)


@pytest.mark.parametrize("beams", [72, 360])
def test_of_walkers_who_pass_one_after_another_hardly_any_is_taken_for_what_stands(beams: int) -> None:
    """Each sets a foot down for 0.6 s somewhere along a stride of 0.7 m."""
    rng, taken = np.random.default_rng(3), 0
    for _ in range(25):
        look = Look(beams)
        for _ in range(6):
            foot = 2.0 + float(rng.uniform(-0.35, 0.35)), 1.0 + float(rng.uniform(-0.1, 0.1)), FOOT
            stood = False
            for step in range(25):
                look.at(*([foot] if step in range(10, 16) else []))
                stood |= look.stood(*foot[:2])
            taken += stood
    assert taken <= 0.02 * 25 * 6


def test_what_has_gone_is_seen_to_have_gone() -> None:
    look = Look(360)
    for _ in range(40):
        look.at((2.0, 1.0, FOOT))
    assert look.stood(2.0, 1.0)
    for _ in range(25):
        look.at()
    assert not look.stood(2.0, 1.0)


def test_what_nobody_looks_at_is_forgotten_when_odometry_has_drifted() -> None:
    look = Look()
    for _ in range(50):
        look.at((1.0, 0.7, LEG))
    blind = Scan(np.full(72, np.nan, np.float32), -np.pi, 2 * np.pi / 72, (0.0, 0.0), 8.0)
    none: Array = np.zeros((0, 2))
    look.spots.add(look.stamp + SPOTS.remembered - 2.0, blind, none, SLACK, 0.01)
    assert look.stood(1.0, 0.7)
    look.spots.add(look.stamp + SPOTS.remembered + 1.0, blind, none, SLACK, 0.01)
    assert not look.stood(1.0, 0.7)


def test_there_are_never_more_spots_than_can_be_looked_at_in_time() -> None:
    spots, rng = StandingSpots(), np.random.default_rng(0)
    scan = Scan(np.full(72, WALL, np.float32), -np.pi, 2 * np.pi / 72, (0.0, 0.0), 8.0)
    for step in range(10):
        spots.add(step * PERIOD, scan, rng.uniform(-4, 4, (200, 2)), SLACK, 0.01)
    assert len(spots._spots.at) <= SPOTS.many


def test_nothing_is_known_at_first_or_of_an_empty_scan() -> None:
    look = Look()
    assert not look.stood(1.0, 0.7) and look.spots.odds(np.zeros((0, 2)))[0].shape == (0,)
    look.at()
    assert not look.stood(1.0, 0.7)


def test_looks_under_way_count_as_if_their_time_were_over() -> None:
    look, at, there = Look(), np.array([[1.0, 0.7]]), []
    assert look.spots.odds(at)[1][0] == -np.inf
    for _ in range(25):
        look.at((1.0, 0.7, LEG))
        stood, stands = look.spots.odds(at)
        there.append(float(stands[0]))
        assert stands >= stood
    assert max(there[:6]) > 0.0 > there[0] and there[-1] > SPOTS.stands
    assert look.spots.odds(at + 0.5)[1][0] == -np.inf
