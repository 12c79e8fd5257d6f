"""Which scans there cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import RollingScan, Scan
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle


@pytest.mark.parametrize(("beams", "step"), [(0, 0.1), (3, 0.0)])
def test_a_scan_without_beams_or_without_angles_between_them_is_refused(beams: int, step: float) -> None:
    with pytest.raises(AmiError, match=f"{beams} beams"):
        Scan(np.ones(beams, np.float32), 0.0, step)


ROOM = [
    Obstacle("wall", "box", (x, y), 0.0, half, 2.0)
    for x, y, half in ((2.1, 0, (0.1, 2.2)), (-2.1, 0, (0.1, 2.2)), (0, 2.1, (2.2, 0.1)), (0, -2.1, (2.2, 0.1)))
]
POST = Obstacle("post", "cylinder", (-1.0, 0.0), 0.0, (0.1, 0.1), 2.0)


def ahead(pose: Array, obstacles: list[Obstacle], turns: float = 1.0) -> Scan:
    """100 degrees to the front, a beam every 2 degrees; `turns`: -1 for a laser that is mounted upside down."""
    step = turns * np.radians(2.0)
    first = -25 * step
    angles = first + step * np.arange(51)
    ranges = FloorPlan(obstacles).cast(pose[:2], pose[2] + angles).astype(np.float32)
    return Scan(ranges, first, step, max_range=8.0)


def turned_round(rolling: RollingScan, obstacles: list[Obstacle], turns: float = 1.0) -> Array:
    """Takes what a robot sees that turns once, and ends as it began."""
    for share in np.linspace(0, 1, 25):
        pose = np.array([0.0, 0.0, 2 * np.pi * share])
        rolling.add(ahead(pose, obstacles, turns), pose)
    return pose


def range_at(scan: Scan, bearing: float) -> float:
    return float(scan.ranges[np.abs(np.angle(np.exp(1j * (scan.angles - bearing)))).argmin()])


@pytest.mark.parametrize("turns", [1.0, -1.0])
def test_what_stands_behind_is_where_it_was_seen(turns: float) -> None:
    rolling = RollingScan()
    pose = turned_round(rolling, [*ROOM, POST], turns)
    now = ahead(pose, [*ROOM, POST], turns)
    scan = rolling.completed(now, pose)
    assert len(scan.ranges) == 180 and np.array_equal(scan.ranges[:51], now.ranges)
    assert range_at(scan, np.pi) == pytest.approx(0.9, abs=0.02)  # the post
    assert range_at(scan, np.pi / 2) == pytest.approx(2.0, abs=0.02)
    assert not np.isnan(scan.ranges).any()


def test_what_stands_behind_moves_as_the_robot_drives() -> None:
    rolling = RollingScan()
    turned_round(rolling, [*ROOM, POST])
    pose = np.array([-0.3, 0.5, 0.0])
    scan = rolling.completed(ahead(pose, [*ROOM, POST]), pose)
    bearing = np.arctan2(-0.5, -0.7)
    assert range_at(scan, bearing) == pytest.approx(np.hypot(0.7, 0.5) - 0.1, abs=0.04)


def test_where_it_never_looked_nothing_is_known() -> None:
    rolling = RollingScan()
    pose = np.zeros(3)
    rolling.add(ahead(pose, ROOM), pose)
    scan = rolling.completed(ahead(pose, ROOM), pose)
    behind = np.cos(scan.angles) < 0
    assert np.isnan(scan.ranges[behind]).all()


def test_of_free_ground_it_tells_nothing() -> None:
    rolling = RollingScan()
    pose = turned_round(rolling, [POST])
    scan = rolling.completed(ahead(pose, [POST]), pose)
    assert np.isnan(range_at(scan, 2.0)) and range_at(scan, np.pi) == pytest.approx(0.9, abs=0.02)


def test_what_a_later_scan_looks_through_is_gone() -> None:
    rolling = RollingScan()
    turned_round(rolling, [*ROOM, POST])
    pose = turned_round(rolling, ROOM)
    assert range_at(rolling.completed(ahead(pose, ROOM), pose), np.pi) == pytest.approx(2.0, abs=0.02)


def test_a_laser_that_looks_all_round_needs_no_other_scans() -> None:
    rolling = RollingScan()
    scan = Scan(np.full(360, 2.0, np.float32), -np.pi, 2 * np.pi / 360)
    rolling.add(scan, np.zeros(3))
    assert rolling.completed(scan, np.zeros(3)) is scan


def test_after_odometry_began_anew_nothing_is_known() -> None:
    rolling = RollingScan()
    pose = turned_round(rolling, ROOM)
    rolling.clear()
    assert np.isnan(range_at(rolling.completed(ahead(pose, ROOM), pose), np.pi))
