"""Nodes that hear a depth camera: perception makes scans of it, and the gate drives by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sensor_msgs.msg import CameraInfo, Image, LaserScan

from ami_ros.core.camera import CameraMount, camera_of
from ami_ros.core.config import to_mapping
from ami_ros.core.depth import DepthConfig, DepthScanner, depth_of
from ami_ros.core.robots.sensors import DepthSensor, Pose3
from ami_ros.ros.messages.conversions import camera_info_message, depth_to_message, header_at
from ami_ros.ros.node.qos import SENSOR
from ami_ros.ros.nodes.perception import PerceptionNode
from harness.depth import Box, depth_picture
from harness.ros import RosPeer
from harness.safety_node import Bench
from harness.small_model import save_small_model

MOUNT = CameraMount(x=-0.05, z=0.25, pitch=0.1)
CONFIG = DepthConfig(beams=33, fov=64.0, frame="level", max_height=0.4, range_min=0.2, is_scan=True, mount=MOUNT)
SENSOR_OF = DepthSensor(
    "d", "depth", 15.0, "d", Pose3(z=0.25), width=160, height=120, intrinsics=(120, 120, 79.5, 59.5)
)
WALL: Box = (2.5, 2.6, -9.0, 9.0, 0.0, 2.0)


class Camera:
    """Publishes a depth picture of a wall for as long as the test spins."""

    def __init__(self, ros: RosPeer) -> None:
        self.ros, self.encoding, self.picture = ros, "16UC1", depth_picture([WALL], MOUNT)
        self._images = ros.node.create_publisher(Image, "depth", 5)
        self._infos = ros.node.create_publisher(CameraInfo, "depth_info", 5)
        ros.node.create_timer(0.05, self.publish)

    def publish(self) -> None:
        header = header_at(self.ros.node.get_clock().now().to_msg(), "depth_optical_frame")
        self._infos.publish(camera_info_message(SENSOR_OF, header))
        self._images.publish(self.message(header))

    def message(self, header: Any) -> Image:
        if self.encoding in ("16UC1", "32FC1"):
            return depth_to_message(self.picture, header, self.encoding)
        return replaced(depth_to_message(self.picture, header, "16UC1"), self.encoding)


def replaced(message: Image, encoding: str) -> Image:
    message.encoding = encoding
    return message


def parameters(config: DepthConfig) -> dict[str, Any]:
    flat = {f"depth_camera__{k}": v for k, v in to_mapping(config).items() if k != "mount"}
    return flat | {f"depth_camera__mount__{k}": v for k, v in to_mapping(config.mount).items()}


def test_perception_makes_scans_of_depth(ros: RosPeer, tmp_path: Path) -> None:
    scans = ros.collect(LaserScan, "scan", SENSOR)
    save_small_model(tmp_path, image_size=0)
    ros.start(PerceptionNode, model=str(tmp_path), **parameters(CONFIG))
    camera = Camera(ros)
    ros.spin_until(lambda: len(scans) > 2, what="scans")
    header = header_at(ros.node.get_clock().now().to_msg(), "")
    wanted = DepthScanner(CONFIG, camera_of(camera_info_message(SENSOR_OF, header))).scan(
        depth_of(camera.message(header))
    )
    np.testing.assert_allclose(scans[-1].ranges, wanted.ranges, rtol=1e-3)
    assert scans[-1].header.frame_id == "level" and scans[-1].range_max == CONFIG.scan_max


def test_the_gate_drives_by_depth_alone_and_stands_when_it_cannot_read_it(ros: RosPeer) -> None:
    """What a robot has to stand for, in one process: a silent camera, another encoding, a wall before it."""
    gate = Bench(ros, scans=False, **parameters(CONFIG))
    gate.wish.twist.linear.x, sent, said = 0.2, gate.sent, gate.said
    ros.spin_until(lambda: said and said[-1].message == "no scan", what="no scan")
    camera = Camera(ros)
    ros.spin_until(lambda: sent and sent[-1].twist.linear.x > 0.1, what="driving")
    camera.encoding = "rgb8"
    ros.spin_until(lambda: said[-1].message == "no scan" and sent[-1].twist.linear.x == 0, what="standing")
    camera.encoding = "32FC1"
    ros.spin_until(lambda: sent[-1].twist.linear.x > 0.1, what="driving again")
    camera.picture = depth_picture([(0.22, 0.6, -0.5, 0.5, 0.3, 0.35), WALL], MOUNT)
    ros.spin_until(lambda: sent[-1].twist.linear.x == 0 and said[-1].message, what="standing")


def test_beside_a_laser_the_gate_stands_while_depth_is_silent(ros: RosPeer) -> None:
    gate = Bench(ros, scans=False, **parameters(replace(CONFIG, is_scan=False)))
    gate.wish.twist.linear.x, said = 0.2, gate.said
    ros.spin_until(lambda: said and said[-1].message == "no data: depth_camera", what="no data")
    Camera(ros)
    ros.spin_until(lambda: said[-1].message == "no scan", what="only the laser is missing")
