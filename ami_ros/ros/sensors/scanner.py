"""Scans in base_link, wherever the scanner sits: by /tf_static where tf2_msgs is installed, or by parameters."""

from __future__ import annotations

import time
from typing import Any

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import LaserScan

from ami_ros.errors import AmiError
from ami_ros.ros.messages import range_sensors
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.sensors.tf import TFMessage
from ami_ros.scan import Mount, Scan
from ami_ros.static_frames import StaticFrames, mount_of

PATIENCE = 3.0  # [s] to wait for the transforms of a frame before reporting that there are none

# One latched message from each of many publishers: a depth of 1 would keep that of one only.
TF_STATIC = QoSProfile(
    history=QoSHistoryPolicy.KEEP_LAST,
    depth=100,
    reliability=QoSReliabilityPolicy.RELIABLE,
    durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
)


class Scanner:
    """Reads scans of any frame that is fixed to the robot.

    Args:
        node: hears the transforms.
        base: name of base_link.
        given: how it is mounted, if it says anything: that counts, whatever transforms say.
    """

    def __init__(self, node: AmiNode[Any], base: str, given: Mount) -> None:
        self._node, self._base, self._given = node, base, given
        self._frames = StaticFrames()
        self._mounts: dict[str, Mount] = {base: Mount()}
        self._missed: dict[str, float] = {}  # frames that nothing is known of, and since when (steady time [s])
        if TFMessage is not None and given == Mount():
            node.subscribe(TFMessage, "/tf_static", self.take_transforms, TF_STATIC, always=True)

    def take_transforms(self, message: Any) -> None:
        """A TFMessage of transforms that never change."""
        for transform in message.transforms:
            self._frames.put_message(transform)
        self._mounts = {self._base: Mount()}

    def read(self, message: LaserScan) -> Scan:
        """The scan in base_link.

        Raises:
            AmiError: it is no scan, its scanner is tilted, or it is not known where the scanner sits.
        """
        measured = range_sensors.scan_from_message(message)
        return (self._given if self._given != Mount() else self._mount(message.header.frame_id)).in_base(measured)

    def _mount(self, frame: str) -> Mount:
        if frame not in self._mounts:
            pose = self._frames.pose_of(frame, self._base)
            if pose is None:
                raise self._miss(frame)
            self._mounts[frame] = mount_of(pose, frame)
        return self._mounts[frame]

    def _miss(self, frame: str) -> AmiError:
        """A frame is not known: an error of the node's, but not at once, for its transform may be on the way."""
        since = self._missed.setdefault(frame, time.monotonic())
        why = "tf2_msgs is not installed" if TFMessage is None else f"/tf_static does not lead there from {self._base}"
        problem = AmiError(
            f"it is not known where the scanner's frame '{frame}' sits ({why}): its scans are not used; "
            "publish a static transform, or set the parameters scanner.*"
        )
        if TFMessage is None or time.monotonic() - since >= PATIENCE:
            self._node.health.error(f"frame {frame}", str(problem))
        return problem
