"""What other sensors show, in base_link, wherever they sit."""

from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import LaserScan, PointCloud2, PointField, Range

from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.ros.gate_sensors import Source, points_of
from ami_ros.ros.messages.conversions import bytes_of

POSE = np.array(
    [[0.0, -1.0, 0.0, 0.2], [1.0, 0.0, 0.0, 0.1], [0.0, 0.0, 1.0, 0.3], [0.0, 0.0, 0.0, 1.0]]
)  # to the left


def cloud_of(points: np.ndarray) -> PointCloud2:
    """A cloud of points (n, 3) float32 [m]."""
    fields = [PointField(name=name, offset=4 * k, datatype=PointField.FLOAT32) for k, name in enumerate("xyz")]
    width, data = len(points), bytes_of(points.view(np.uint8))
    return PointCloud2(height=1, width=width, fields=fields, point_step=12, row_step=12 * width, data=data)


def test_points_of_a_cloud_are_those_between_its_heights() -> None:
    cloud = cloud_of(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, -0.29], [1.0, 0.0, 0.5]], dtype=np.float32))
    np.testing.assert_allclose(points_of(Source("pointcloud"), cloud, POSE), [[0.2, 1.1]], atol=1e-6)


def test_scans_and_ranges_show_what_they_see_where_the_sensor_looks() -> None:
    scan = LaserScan(angle_increment=0.1, range_max=9.0, ranges=array.array("f", [2.0, math.inf, math.nan]))
    np.testing.assert_allclose(points_of(Source("scan"), scan, POSE), [[0.2, 2.1]], atol=1e-6)
    sonar = Range(range=0.5, max_range=2.0)
    assert points_of(Source("range"), sonar, POSE)[0] == pytest.approx([0.2, 0.6])


@pytest.mark.fault("another sensor of the gate is covered")
@pytest.mark.parametrize("reading", [math.nan, 0.0, 0.05])
def test_a_covered_sensor_shows_nothing_which_does_not_mean_that_all_is_free(reading: float) -> None:
    scan = LaserScan(angle_increment=0.1, range_min=0.1, range_max=9.0, ranges=array.array("f", [reading] * 5))
    with pytest.raises(AmiError, match="without a reading"):
        points_of(Source("scan"), scan, POSE)
    dark = cloud_of(np.full((4, 3), np.nan, dtype=np.float32))
    with pytest.raises(AmiError, match="without one"):
        points_of(Source("pointcloud"), dark, POSE)


def test_a_cloud_of_no_points_and_a_scan_without_returns_show_that_nothing_is_there() -> None:
    scan = LaserScan(angle_increment=0.1, range_max=9.0, ranges=array.array("f", [math.inf, math.nan]))
    assert points_of(Source("scan"), scan, POSE).shape == (0, 2)
    assert points_of(Source("pointcloud"), cloud_of(np.zeros((0, 3), dtype=np.float32)), POSE).shape == (0, 2)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"type": "bool"}, "points must be"),
        ({"min_height": 1.0}, "min_height must be less"),
        ({"obstacles_angle": 0.0}, "obstacles_angle"),
        ({"source_timeout": math.inf}, "source_timeout"),
        ({"min_range": 0.2}, "unknown key 'min_range'"),
    ],
)
def test_sources_that_make_no_sense_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(AmiError, match=words):
        from_mapping(Source, values)
