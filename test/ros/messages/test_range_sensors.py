"""Whatever a scan, a range, a cloud or a mask holds, it gives what can be used, or an AmiError."""

from __future__ import annotations

import array
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nav_msgs.msg import MapMetaData, OccupancyGrid
from numpy.typing import NDArray
from sensor_msgs.msg import LaserScan, PointCloud2, PointField, Range
from std_msgs.msg import Header

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Scan
from ami_ros.ros.messages import conversions, range_sensors

numbers = st.floats(width=32)  # NaN and infinities too


@given(st.lists(numbers, max_size=8), numbers, numbers, st.floats(0, 1, width=32), st.floats(0, 50, width=32))
def test_a_scan_keeps_its_limits_and_what_is_no_reading_is_not_free(
    ranges: list[float], angle_min: float, increment: float, low: float, high: float
) -> None:
    message = LaserScan(ranges=array.array("f", ranges), angle_min=angle_min, angle_increment=increment)
    message.range_min, message.range_max = low, high
    try:
        scan = range_sensors.scan_from_message(message)
    except AmiError:
        return
    finite = scan.ranges[np.isfinite(scan.ranges)]
    assert (finite > 0).all() and (finite >= low).all() and (high <= low or (finite < high).all())
    given = np.array(ranges, np.float32)
    free = (given >= high) & (high > low)
    np.testing.assert_array_equal(np.isinf(scan.ranges), free)
    assert np.isnan(scan.ranges[np.isnan(given) | (given == 0) | ((given < low) & ~np.isneginf(given))]).all()


@pytest.mark.parametrize("range_max", [0.0, math.inf, math.nan, 0.1])
def test_where_no_range_is_set_nothing_returned_does_not_mean_free(range_max: float) -> None:
    message = LaserScan(ranges=array.array("f", [math.inf, 1.0]), angle_increment=0.1, range_min=0.12)
    message.range_max = range_max
    scan = range_sensors.scan_from_message(message)
    assert np.isnan(scan.ranges[0]) and scan.ranges[1] == 1.0


def test_scan_survives_the_round_trip() -> None:
    scan = Scan(np.array([1.0, np.inf, 0.3], dtype=np.float32), -1.5, 0.5)
    back = range_sensors.scan_from_message(range_sensors.scan_to_message(scan, Header()))
    np.testing.assert_array_equal(back.ranges, scan.ranges)
    assert (back.angle_min, back.angle_increment) == (-1.5, 0.5)


def test_reading_too_near_to_measure_counts_as_near() -> None:
    message = LaserScan(ranges=array.array("f", [-math.inf]), angle_increment=0.1, range_min=0.12, range_max=5.0)
    assert range_sensors.scan_from_message(message).ranges[0] == np.float32(0.12)


def test_a_scan_says_how_near_and_how_far_it_measures_and_how_long_it_took() -> None:
    scan = Scan(np.ones(8, np.float32), 0.0, 0.1, max_range=8.0)
    message = range_sensors.scan_to_message(scan, Header(frame_id="laser"), 0.12, 0.1)
    assert (message.range_min, message.range_max, message.scan_time) == pytest.approx((0.12, 8.0, 0.1))


def cloud_of(points: NDArray[np.floating], kind: str = "<f4", padding: int = 3) -> PointCloud2:
    """A cloud (h, w, 3) whose points and rows have some bytes that mean nothing."""
    height, width, _ = points.shape
    size = np.dtype(kind).itemsize
    code = PointField.FLOAT32 if size == 4 else PointField.FLOAT64
    raw = np.zeros((height, width * (3 * size + padding) + padding), dtype=np.uint8)
    cells = raw[:, : width * (3 * size + padding)].reshape(height, width, 3 * size + padding)
    cells[..., : 3 * size] = points.astype(kind).view(np.uint8).reshape(height, width, 3 * size)
    fields = [PointField(name=name, offset=size * k, datatype=code, count=1) for k, name in enumerate("xyz")]
    message = PointCloud2(height=height, width=width, fields=fields, is_bigendian=kind[0] == ">")
    message.point_step, message.row_step = 3 * size + padding, raw.shape[1]
    message.data = conversions.bytes_of(raw)
    return message


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8"])
def test_a_cloud_gives_its_finite_points(kind: str) -> None:
    points = np.random.default_rng(0).normal(size=(4, 5, 3))
    points[1, 2, 0], points[3, 4, 2] = np.nan, np.inf
    found = range_sensors.cloud_from_message(cloud_of(points, kind))
    np.testing.assert_allclose(found, points.reshape(-1, 3)[np.isfinite(points).all(-1).ravel()], rtol=1e-6)
    assert range_sensors.cloud_from_message(cloud_of(np.zeros((1, 0, 3)))).shape == (0, 3)


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 40), st.integers(0, 400), st.integers(0, 400), numbers)
def test_whatever_a_cloud_claims_it_gives_points_or_an_error(
    height: int, width: int, offset: int, step: int, row: int, number: float
) -> None:
    fields = [PointField(name=n, offset=offset + 4 * k, datatype=7, count=1) for k, n in enumerate("xyz")]
    message = PointCloud2(height=height, width=width, fields=fields, point_step=step, row_step=row)
    message.data = conversions.bytes_of(np.full(50, number, np.float32).view(np.uint8))
    try:
        points = range_sensors.cloud_from_message(message)
    except AmiError:
        return
    assert points.shape[1:] == (3,) and len(points) <= height * width and np.isfinite(points).all()


def test_clouds_that_claim_too_much_or_have_no_coordinates_are_refused() -> None:
    with pytest.raises(AmiError, match="at most"):
        range_sensors.cloud_from_message(PointCloud2(height=2**31, width=2**31))
    with pytest.raises(AmiError, match="needs x, y and z"):
        range_sensors.cloud_from_message(PointCloud2(height=1, width=1))


def test_a_range_is_an_arc_nothing_or_no_measurement() -> None:
    sonar = Range(field_of_view=0.5, min_range=0.1, max_range=2.0, range=1.0)
    arc = range_sensors.arc_from_message(sonar, 0.1)
    assert np.hypot(*arc.T) == pytest.approx(1.0) and np.arctan2(arc[:, 1], arc[:, 0])[[0, -1]] == pytest.approx(
        [-0.25, 0.25]
    )
    for value, count, away in ((math.inf, 0, 0.0), (2.0, 0, 0.0), (-math.inf, 7, 0.1), (0.0, 7, 0.1), (0.01, 7, 0.01)):
        sonar.range = value
        found = range_sensors.arc_from_message(sonar, 0.1)
        assert len(found) == count and np.hypot(*found.T) == pytest.approx(away)
    for bad in (Range(range=math.nan, max_range=2.0), Range(range=1.0, max_range=2.0, field_of_view=math.nan)):
        with pytest.raises(AmiError, match="no measurement"):
            range_sensors.arc_from_message(bad, 0.1)


@pytest.mark.parametrize("most", [0.0, -1.0, math.nan, math.inf])
def test_a_range_whose_limit_is_not_set_shows_what_it_measured_and_inf_does_not_mean_free(most: float) -> None:
    sonar = Range(range=0.5, max_range=most)
    assert np.hypot(*range_sensors.arc_from_message(sonar, 0.1).T) == pytest.approx(0.5)
    sonar.range = math.inf
    with pytest.raises(AmiError, match="set max_range"):
        range_sensors.arc_from_message(sonar, 0.1)


@pytest.mark.parametrize(
    ("first", "increment", "count"),
    [(0.0, 2 * math.pi, 4), (0.0, 1e30, 2), (-math.pi, 1.0, 360), (1e9, 0.1, 3), (0.0, -0.1, 70)],
)
def test_a_scan_of_more_than_a_turn_or_in_degrees_is_refused(first: float, increment: float, count: int) -> None:
    scan = LaserScan(angle_min=first, angle_increment=increment, range_max=8.0, ranges=array.array("f", [1.0] * count))
    with pytest.raises(AmiError, match="more than a turn"):
        range_sensors.scan_from_message(scan)


def test_a_scan_may_count_its_first_beam_twice() -> None:
    scan = LaserScan(angle_min=-math.pi, angle_increment=math.pi / 180, range_max=8.0)
    scan.ranges = array.array("f", [1.0] * 361)
    assert len(range_sensors.scan_from_message(scan).ranges) == 361


def test_a_mask_has_the_cells_that_are_wholly_occupied() -> None:
    info = MapMetaData(resolution=0.5, width=3, height=2)
    info.origin.position.x, info.origin.orientation.w = 4.0, 1.0
    cells, side, origin = range_sensors.mask_from_message(
        OccupancyGrid(info=info, data=array.array("b", [100, 99, -1, 0, 100, 50]))
    )
    assert cells.tolist() == [[True, False, False], [False, True, False]] and side == 0.5
    assert origin == pytest.approx([4.0, 0.0, 0.0])
    with pytest.raises(AmiError, match="has 1 of them"):
        range_sensors.mask_from_message(OccupancyGrid(info=info, data=array.array("b", [0])))
    for change in ({"resolution": 0.0}, {"width": 2**31}):
        with pytest.raises(AmiError, match="cannot be used"):
            range_sensors.mask_from_message(
                OccupancyGrid(info=MapMetaData(**{"resolution": 0.5, "width": 1, "height": 1} | change))
            )
