"""The robot's depth camera: pictures and camera_info of ROS for who makes scans of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sensor_msgs.msg import CameraInfo, Image

from ami_ros.camera import camera_of
from ami_ros.depth import Depth, DepthConfig, DepthScanner, depth_of
from ami_ros.ros.node.lifecycle import AmiNode


class DepthCamera:
    """Has a node hear the camera_info of the depth pictures, and decodes those.

    Args:
        node: hears it.
        config: of the depth camera.
    """

    def __init__(self, node: AmiNode[Any], config: DepthConfig) -> None:
        self.scanner = DepthScanner(config)
        node.subscribe(CameraInfo, "depth_info", self.take_info, always=True)

    def take_info(self, message: CameraInfo) -> None:
        """Raises AmiError for one that makes no sense; then the camera is as it was told before."""
        self.scanner.camera = camera_of(message)

    def read(self, message: Image) -> Callable[[], Depth]:
        """Decodes when it is called, see `depth_of`."""
        return partial(depth_of, message)
