"""Scans of a scanner that sits somewhere on the robot, as ROS tells of it."""

from __future__ import annotations

import array
import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import TransformStamped
from rcl_interfaces.msg import Log
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header

from ami_ros.core.errors import AmiError
from ami_ros.core.scan import Mount
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.scanner import TF_STATIC, Scanner
from harness.ros import RosPeer

HANGING = (math.sin(math.pi / 2), 0.0, 0.0, math.cos(math.pi / 2))  # half a turn about x


@dataclass(frozen=True)
class Config:
    pass


class Host(AmiNode[Config], name="host", parameters=Config):
    """A node that has a scanner."""

    def configure(self) -> None:
        self.scanner = Scanner(self, "base_link", Mount())


@pytest.fixture
def host(ros: RosPeer) -> Iterator[Host]:
    node = ros.start(Host)
    yield node
    node.stop()


def scan(frame: str) -> LaserScan:
    ranges = array.array("f", [1.0, 2.0])
    return LaserScan(header=Header(frame_id=frame), ranges=ranges, angle_min=0.5, angle_increment=0.1, range_max=9.0)


def transforms(*, child: str = "laser", parent: str = "base_link", turn: tuple[float, ...] = HANGING) -> Any:
    transform = TransformStamped(header=Header(frame_id=parent), child_frame_id=child)
    transform.transform.translation.x = 0.2
    q = transform.transform.rotation
    q.x, q.y, q.z, q.w = turn
    return [transform]


def test_a_scanner_that_hangs_ahead_is_put_right_once_its_transform_is_there(host: Host) -> None:
    with pytest.raises(AmiError, match="'laser' sits"):
        host.scanner.read(scan("laser"))
    host.scanner.take_transforms(SimpleNamespace(transforms=transforms()))
    found = host.scanner.read(scan("laser"))
    assert found.origin == pytest.approx((0.2, 0.0))
    np.testing.assert_allclose(found.angles, [-0.5, -0.6], atol=1e-6)
    np.testing.assert_array_equal(found.ranges, [1.0, 2.0])
    host.scanner.take_transforms(SimpleNamespace(transforms=transforms(turn=(0.0, 0.0, 0.0, 1.0))))
    np.testing.assert_allclose(host.scanner.read(scan("laser")).angles, [0.5, 0.6], atol=1e-6)  # it was mounted anew


def test_a_scan_in_base_link_stays_as_it_is(host: Host) -> None:
    found = host.scanner.read(scan("base_link"))
    assert found.origin == (0.0, 0.0) and found.angle_min == 0.5


def test_scans_of_a_frame_that_nobody_knows_are_not_used_and_in_time_that_is_an_error(
    ros: RosPeer, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Scanner, "patience", 0.0)
    log = ros.collect(Log, "/rosout")
    for _ in range(5):
        for frame in ("laser", "lidar"):
            with pytest.raises(AmiError, match="not known"):
                host.scanner.read(scan(frame))
    ros.spin_until(lambda: [m for m in log if "'lidar'" in m.msg], what="the errors")
    assert len([m for m in log if "'laser'" in m.msg and m.level == 40]) == 1


def test_a_scanner_that_is_said_to_sit_in_the_middle_needs_no_transform(host: Host) -> None:
    assert Scanner(host, "base_link", Mount(fixed=True)).read(scan("laser")).angle_min == 0.5


def test_parameters_count_before_transforms(host: Host) -> None:
    given = Scanner(host, "base_link", Mount(x=-0.1, yaw=1.0))
    given.take_transforms(SimpleNamespace(transforms=transforms()))
    found = given.read(scan("laser"))
    assert found.origin == (-0.1, 0.0) and found.angle_min == pytest.approx(1.5)


def test_scans_of_a_tilted_scanner_are_refused(host: Host) -> None:
    host.scanner.take_transforms(SimpleNamespace(transforms=transforms(turn=(0.0, 0.3, 0.0, 0.95))))
    with pytest.raises(AmiError, match="tilted"):
        host.scanner.read(scan("laser"))


def test_transforms_that_were_published_before_it_came_are_heard(ros: RosPeer) -> None:
    message = importlib.import_module("tf2_msgs.msg").TFMessage
    publisher = ros.node.create_publisher(message, "/tf_static", TF_STATIC)
    publisher.publish(message(transforms=transforms(parent="mast")))
    other = ros.node.create_publisher(message, "/tf_static", TF_STATIC)
    other.publish(message(transforms=transforms(child="mast", turn=(0.0, 0.0, 0.0, 1.0))))
    node = ros.start(Host)

    def origin() -> tuple[float, float] | None:
        try:
            return node.scanner.read(scan("laser")).origin
        except AmiError:
            return None

    ros.spin_until(lambda: origin() == pytest.approx((0.4, 0.0)), what="the transforms")
