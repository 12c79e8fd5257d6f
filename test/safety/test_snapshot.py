"""A scan as sectors: what stood, and what was free, in each direction."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from ami_ros.core.geometry import transform_points
from ami_ros.core.scan import Scan
from ami_ros.safety.observations import BINS, NOT_SEEN, Snapshot, filled

INF, NAN = math.inf, math.nan


def snapshot(
    ranges: Any, first: float = 0.0, degrees: float = 15.0, pose: tuple[float, ...] = (0.0, 0.0, 0.0), **scan: Any
) -> Snapshot:
    """Of beams so far apart; the laser reaches 10 m."""
    given = {"max_range": 10.0} | scan
    turn = Scan(np.array(ranges, np.float32), first, math.radians(degrees), **given)
    return Snapshot.of(turn, np.array(pose), 0.5, 7.0)


@pytest.mark.parametrize(
    ("degrees", "sectors"),
    [(0.1, 120), (1.0, 120), (3.0, 120), (5.0, 72), (-5.0, 72), (15.0, 24), (40.0, 24), (-1, 120)],
)
def test_sectors_are_as_wide_as_beams_are_apart_from_3_to_15_degrees(degrees: float, sectors: int) -> None:
    assert len(snapshot(np.full(5, 1.0), degrees=degrees).free) == sectors


def test_of_each_sector_the_nearest_return_counts() -> None:
    ranges = [3.0, 2.0, INF, 4.0, INF, INF, INF, INF, NAN, 0.0, -1.0, 0.0, 6.0, NAN, 9.95, 9.89, NAN]
    seen = snapshot(ranges, math.radians(-1.0), 1.0, (1.0, 2.0, 3.0), origin=(0.1, -0.2), blind=0.4)
    assert seen.free[:6] == pytest.approx([2.0, 4.0, 10.0, 6.0, 6.0, 9.89], rel=1e-6), (
        "a single one is as the nearer beside"
    )
    assert (seen.free[6:] == NOT_SEEN).all()
    assert np.flatnonzero(seen.empty).tolist() == [2]
    angles = np.radians([0.0, 2.0, 11.0, 14.0])
    ends = np.array([[2.0], [4.0], [6.0], [9.89]]) * np.column_stack([np.cos(angles), np.sin(angles)])
    assert seen.points == pytest.approx(ends + [0.1, -0.2], rel=1e-6)
    assert (seen.error, seen.stamp, seen.origin, seen.blind, seen.max_range) == (0.5, 7.0, (0.1, -0.2), 0.4, 10.0)
    assert seen.pose.tolist() == [1.0, 2.0, 3.0] and seen.first == math.radians(-1.0)
    assert seen.increment == pytest.approx(math.radians(1.0))
    assert np.isinf(seen.beams).sum() == 6 and np.isnan(seen.beams).sum() == 6
    with pytest.raises(FrozenInstanceError):
        seen.stamp = 0.0  # type: ignore[misc]
    assert snapshot([20.0], max_range=INF).free[0] == 20.0
    assert snapshot([INF], max_range=INF).free[0] == INF


def test_a_single_sector_without_a_reading_is_as_the_nearer_of_its_neighbours_and_two_are_not() -> None:
    free = np.array([1.0, NOT_SEEN, 3.0, NOT_SEEN, NOT_SEEN, 2.0, NOT_SEEN])
    assert filled(free).tolist() == [1.0, 1.0, 3.0, NOT_SEEN, NOT_SEEN, 2.0, 1.0]


def test_points_are_looked_at_from_the_scanner_where_it_was() -> None:
    pose, origin = (2.0, 1.0, math.pi / 2), (0.5, 0.0)
    seen = snapshot([3.0, 5.0, NAN, NAN, NAN] + [NAN] * 19, pose=pose, origin=origin)
    local = np.array(
        [[3.4, 0.0], [3.6, 0.0], [0.5 + 4.8 * math.cos(0.26), 4.8 * math.sin(0.26)], [0.5, 4.0], [0.4, 0.0]]
    )
    points = transform_points(np.array(pose), local)
    assert seen.bearings(points) == pytest.approx([0.0, 0.0, 0.26, math.pi / 2, math.pi])
    looked, free = seen.look(points)
    assert looked.tolist() == [True, True, True, False, False] and free[:3].tolist() == [True, False, True]
    assert seen.look(points, 0.3)[1][:3].tolist() == [False, False, False]
    assert seen.look(points, 0.05)[1][:3].tolist() == [True, False, True]
    blind = snapshot([NAN] * 24)
    assert not any(part.any() for part in blind.look(np.zeros((1, 2)))), "not even where it stands"
    exact = snapshot([3.0] * 24)
    assert exact.look(np.array([[3.0, 0.0]]))[1].all() and not exact.look(np.array([[3.0, 0.0]]), 0.001)[1].any()


def test_directions_belong_to_the_nearest_sector_all_around() -> None:
    seen = snapshot(np.full(24, 1.0), math.radians(-90.0))
    bearings = np.radians([-90.0, -83.0, -82.0, 0.0, 180.0, -97.0, -98.0, 270.0])
    assert seen.sector(bearings).tolist() == [0, 0, 1, 6, 18, 0, 23, 0]


@pytest.mark.parametrize("turns", [1.0, -1.0])
def test_what_the_nearest_beam_reads_of_a_point(turns: float) -> None:
    ranges = [1.0, 2.0, NAN, INF, 5.0]
    pose = (2.0, 1.0, 0.5)
    seen = snapshot(ranges, turns * math.radians(20.0), turns * 2.0, pose, origin=(0.3, 0.1))
    degrees = np.array([20.0, 20.9, 21.1, 22.0, 24.0, 26.0, 28.9, 28.0, 35.4, 35.6, 12.6, 12.4, 19.1, 200.0])
    angles = turns * np.radians(degrees)
    away = np.linspace(0.5, 6.0, len(degrees))
    local = away[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]) + [0.3, 0.1]
    far, read, bins, in_view = seen.readings(transform_points(np.array(pose), local))
    assert far == pytest.approx(away)
    assert in_view.tolist() == [True] * 8 + [False, False, False, False, True, False]
    assert read[:8] == pytest.approx([1.0, 1.0, 2.0, 2.0, NAN, INF, 5.0, 5.0], nan_ok=True) and read[12] == 1.0
    assert np.isnan(read[~in_view]).all()
    beams = np.array([0, 0, 1, 1, 2, 3, 4, 4])
    wanted = np.floor((turns * (20.0 + 2.0 * beams)) % 360.0 * 2 + 1e-6).astype(int)
    assert bins[:8].tolist() == wanted.tolist()
    assert np.flatnonzero(seen.returning()).tolist() == sorted({*wanted[[0, 2, 6]]})


def test_beams_far_apart_answer_for_7_5_degrees_to_each_side() -> None:
    seen = snapshot([1.0, 2.0, 3.0], degrees=30.0)
    degrees = np.radians([0.0, 7.4, 7.6, 22.4, 22.6, 30.0, 37.4, 60.0, 67.4, 67.6, -7.4, -7.6])
    *_, in_view = seen.readings(np.column_stack([np.cos(degrees), np.sin(degrees)]))
    assert in_view.tolist() == [True, True, False, False, True, True, True, True, True, False, True, False]
    _, read, _, _ = seen.readings(np.column_stack([np.cos(degrees), np.sin(degrees)]))
    assert read[[0, 1, 4, 6, 8, 10]] == pytest.approx([1.0, 1.0, 2.0, 2.0, 3.0, 1.0])


def test_directions_of_the_laser_are_half_a_degree_wide() -> None:
    assert BINS == 720
    full = snapshot(np.where(np.arange(720) % 3, np.inf, 1.0), degrees=0.5)
    assert np.flatnonzero(full.returning()).tolist() == list(range(0, 720, 3))
    behind = snapshot([1.0, 1.0], math.radians(-1.0), 0.5)
    assert np.flatnonzero(behind.returning()).tolist() == [718, 719]


def test_the_first_beam_counts_as_others_do_and_none_stands_for_a_sector_without_one() -> None:
    first = snapshot([3.0, 4.0])
    assert first.points == pytest.approx(
        np.array([[3.0, 0.0], [4.0 * math.cos(math.pi / 12), 4.0 * math.sin(math.pi / 12)]])
    )
    assert not first.empty.any() and np.flatnonzero(snapshot([INF, 4.0]).empty).tolist() == [0]
    last = snapshot([3.0, INF])
    assert last.empty.dtype == bool and len(last.points) == 1 and np.flatnonzero(last.empty).tolist() == [1]
    assert snapshot(np.full(24, 1.0)).look(np.array([[0.9, 0.0], [1.1, 0.0]]))[0].all()


def test_from_99_percent_of_the_range_on_nothing_returned() -> None:
    assert np.isinf(snapshot([99.0, 98.9], max_range=100.0).beams).tolist() == [True, False]


@pytest.mark.parametrize("first", [0.0, 2.0, -3.0])
@pytest.mark.parametrize("turns", [15.0, -15.0])
def test_all_around_each_point_is_that_of_the_beam_that_looks_there(first: float, turns: float) -> None:
    ranges = 1.0 + np.arange(24)
    seen = snapshot(ranges, first, turns, max_range=99.0)
    angles = first + np.radians(turns) * np.arange(24)
    for aside in (-0.12, 0.0, 0.12):
        away, read, _, in_view = seen.readings(2.0 * np.column_stack([np.cos(angles + aside), np.sin(angles + aside)]))
        assert in_view.all() and read.tolist() == ranges.tolist() and away == pytest.approx(2.0)
    part = snapshot(ranges[:4], first, turns, max_range=99.0)
    points = 2.0 * np.column_stack([np.cos(angles), np.sin(angles)])
    assert part.readings(points)[3].tolist() == [True] * 4 + [False] * 20
