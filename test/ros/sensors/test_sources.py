"""What other sensors show, in base_link, wherever they sit."""

from __future__ import annotations

import array
import math
from typing import Any

import numpy as np
import pytest
from sensor_msgs.msg import LaserScan, PointCloud2, PointField, Range

from ami_ros.config import from_mapping
from ami_ros.errors import AmiError
from ami_ros.ros.messages.conversions import bytes_of
from ami_ros.ros.sensors.sources import Source, points_of

POSE = np.array(
    [[0.0, -1.0, 0.0, 0.2], [1.0, 0.0, 0.0, 0.1], [0.0, 0.0, 1.0, 0.3], [0.0, 0.0, 0.0, 1.0]]
)  # to the left


def test_points_of_a_cloud_are_those_between_its_heights() -> None:
    points = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, -0.29], [1.0, 0.0, 0.5]], dtype=np.float32)
    fields = [PointField(name=name, offset=4 * k, datatype=PointField.FLOAT32) for k, name in enumerate("xyz")]
    cloud = PointCloud2(
        height=1, width=3, fields=fields, point_step=12, row_step=36, data=bytes_of(points.view(np.uint8))
    )
    np.testing.assert_allclose(points_of(Source("pointcloud"), cloud, POSE), [[0.2, 1.1]], atol=1e-6)


def test_scans_and_ranges_show_what_they_see_where_the_sensor_looks() -> None:
    scan = LaserScan(angle_increment=0.1, range_max=9.0, ranges=array.array("f", [2.0, math.inf, math.nan]))
    np.testing.assert_allclose(points_of(Source("scan"), scan, POSE), [[0.2, 2.1]], atol=1e-6)
    sonar = Range(range=0.5, max_range=2.0)
    assert points_of(Source("range"), sonar, POSE)[0] == pytest.approx([0.2, 0.6])


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
