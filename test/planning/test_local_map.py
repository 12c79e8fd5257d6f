"""The local map and the geometry of scans, against the floor plan that was scanned."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from ami_ros.core.geometry import transform_points
from ami_ros.core.scan import Scan, scan_points
from ami_ros.planning.costs import LocalMap
from ami_ros.planning.scan_geometry import free_range
from ami_ros.simulation.floor_plan import FloorPlan, obstacles_of

from .conftest import NOTHING, robot_at, room_with_box, scan_of_points


@pytest.mark.parametrize("pose", [(2.0, 2.0, 0.3), (0.6, 3.2, -2.0), (3.0, 0.7, 1.5)])
def test_clearance_is_that_of_the_room(pose: tuple[float, float, float]) -> None:
    robot = robot_at(*pose)
    field = LocalMap(robot.observe().scan)
    points = np.random.default_rng(0).uniform(-1.5, 1.5, (500, 2))
    world = transform_points(np.array(pose), points)
    inside = ((world > 0.1) & (world < 3.9)).all(1)
    truth = FloorPlan(obstacles_of(robot.world, {})).clearance(world[inside])
    found = field.clearance(points[inside].astype(np.float32))
    assert found.dtype == np.float32
    near = truth < 1.0
    np.testing.assert_allclose(found[near], truth[near], atol=0.09)
    assert found[~near].min() > 0.9


def test_clearance_knows_the_near_side_of_a_box() -> None:
    robot = robot_at(1.0, 2.0, 0.0, room_with_box(2.0, 2.0))
    field = LocalMap(robot.observe().scan)
    ahead = np.array([[0.0, 0.0], [0.3, 0.0], [0.6, 0.0], [0.69, 0.0]], np.float32)
    np.testing.assert_allclose(field.clearance(ahead), [0.7, 0.4, 0.1, 0.01], atol=0.06)


def test_walls_have_no_holes_between_the_beams() -> None:
    """At 2 m two beams are 17 cm apart."""
    field = LocalMap(robot_at(2.0, 2.0, 0.0).observe().scan)
    along = np.stack([np.full(200, 1.95), np.linspace(-1.5, 1.5, 200)], 1).astype(np.float32)
    assert field.clearance(along).max() < 0.1


def test_two_things_apart_are_not_joined_by_a_wall() -> None:
    field = LocalMap(scan_of_points(np.array([[1.0, -0.5], [1.0, 0.5]])))
    assert field.clearance(np.array([[1.0, 0.0]], np.float32))[0] == pytest.approx(0.5, abs=0.06)


def test_where_nothing_was_seen_it_is_free() -> None:
    points = np.array([[0.0, 0.0], [2.0, -2.0], [50.0, 0.0]], np.float32)
    assert (LocalMap(NOTHING).clearance(points) >= LocalMap(NOTHING).half_size).all()
    field = LocalMap(scan_of_points(np.array([[1.0, 0.0]])))
    assert field.clearance(np.array([[0.0, 9.0]], np.float32))[0] >= 2.0


def test_clearances_come_in_the_shape_of_the_points() -> None:
    assert LocalMap(NOTHING).clearance(np.zeros((5, 7, 2), np.float32)).shape == (5, 7)


def test_points_that_are_none_count_as_free_and_nothing_warns() -> None:
    field = LocalMap(scan_of_points(np.array([[1.0, 0.0]])))
    points = np.array([[np.nan, 0.0], [0.0, np.nan], [np.inf, 0.0], [0.0, -np.inf], [1.0, 0.0]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = field.clearance(points)
    np.testing.assert_allclose(found, [field.half_size] * 4 + [0.0], atol=0.05)


def test_readings_that_are_none_are_no_points() -> None:
    ranges = np.array([1.0, np.inf, np.nan, 0.0, -1.0, 5.0, 2.0], np.float32)
    points = scan_points(Scan(ranges, 0.0, np.pi / 2), most=3.0)
    np.testing.assert_allclose(points, [[1.0, 0.0], [-2.0, 0.0]], atol=1e-6)
    assert np.isfinite(LocalMap(Scan(np.full(8, np.nan, np.float32), 0.0, np.pi / 4)).field).all()


def test_the_free_range_is_the_distance_to_what_stands_in_the_corridor() -> None:
    scan = scan_of_points(np.array([[1.5, 0.05], [1.0, 0.4], [-0.7, 0.0], [0.0, 2.0]]))
    assert free_range(scan, 0.0, 0.2) == pytest.approx(1.5, abs=0.02)
    assert free_range(scan, 0.0, 0.5) == pytest.approx(1.0, abs=0.02)
    assert free_range(scan, np.pi, 0.2) == pytest.approx(0.7, abs=0.02)
    assert free_range(scan, np.pi / 2, 0.2) == pytest.approx(2.0, abs=0.02)
    assert free_range(scan, -np.pi / 2, 0.2) == free_range(NOTHING, 0.0, 0.2) == 8.0


def test_what_is_seen_lies_where_it_is_and_not_where_the_scanner_sits() -> None:
    ranges = np.full(72, np.inf, np.float32)
    ranges[[17, 18, 19]] = 1.0  # to the left of a scanner that sits half a metre ahead
    scan = Scan(ranges, 0.0, np.pi / 36, origin=(0.5, 0.0))
    np.testing.assert_allclose(scan_points(scan, 3.0)[1], [0.5, 1.0], atol=1e-6)
    near, far = LocalMap(scan).clearance(np.array([[0.5, 1.0], [0.0, 1.0]], np.float32))
    assert near < 0.06 and far == pytest.approx(0.41, abs=0.06)
    assert free_range(scan, np.pi / 2, 0.2) == 8.0 and free_range(scan, np.arctan2(1.0, 0.5), 0.2) < 1.2
