"""Where sensors sit (transforms, where tf2_msgs is installed), scans in base_link wherever the scanner sits, and the
depth camera."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import Pose, TransformStamped
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import Header

from ami_ros.core.camera import camera_of
from ami_ros.core.depth import Depth, DepthConfig, DepthScanner, depth_of
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames, mount_of
from ami_ros.core.robots.sensors import LensSensor
from ami_ros.core.scan import Mount, Scan
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import TF_STATIC

if TYPE_CHECKING:  # who hears a scanner needs no robot's description
    from ami_ros.core.robots.description import RobotDescription

# Transforms, where tf2_msgs is installed (the ROS wheels do not have it): odom -> base_link and map -> odom.

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None


def transform_message(header: Header, child_frame: str, pose: Pose) -> TransformStamped:
    """The transform that says that `child_frame` has `pose` in the frame of `header`."""
    transform = TransformStamped(header=header, child_frame_id=child_frame)
    translation = transform.transform.translation
    translation.x, translation.y, translation.z = pose.position.x, pose.position.y, pose.position.z
    transform.transform.rotation = pose.orientation
    return transform


def tf_publisher(node: Any) -> Any | None:
    """A publisher of /tf that lives until the node's cleanup; None without tf2_msgs."""
    return None if TFMessage is None else node.publisher(TFMessage, "/tf")


def send_transform(publisher: Any | None, header: Header, child_frame: str, pose: Pose) -> None:
    """Publishes a transform, if there is a publisher."""
    if publisher is not None:
        publisher.publish(TFMessage(transforms=[transform_message(header, child_frame, pose)]))


# Where a robot's sensors sit, by its description, as static transforms.


def sensor_frames(robot: RobotDescription, stamp: Any) -> list[TransformStamped]:
    """Those of the sensors that have a frame of their own, in the robot's base frame."""
    base, found = robot.frames.base, []
    optical = (-0.5, 0.5, -0.5, 0.5)  # quaternion of z forwards in x forwards (REP 103)
    for sensor in robot.sensors:
        if sensor.mount is None or sensor.frame in ("", base):
            continue
        at, pose = sensor.mount, Pose()
        turn = conversions.quaternion_from_angles(at.roll, at.pitch, at.yaw)
        x, y, z, w = conversions.turned_quaternion(turn, optical) if isinstance(sensor, LensSensor) else turn
        pose.position.x, pose.position.y, pose.position.z = at.x, at.y, at.z
        pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
        found.append(transform_message(conversions.header_at(stamp, base), sensor.frame, pose))
    return found


class Scanner:
    """Reads scans of any frame that is fixed to the robot.

    Args:
        node: hears the transforms.
        base: name of base_link.
        given: how it is mounted, if it says anything: that counts, whatever transforms say.

    Attributes:
        patience: [s] to wait for the transforms of a frame before reporting that there are none.
    """

    patience: float = 3.0

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
        if frame in self._mounts:
            return self._mounts[frame]
        pose = self._frames.pose_of(frame, self._base)
        if pose is not None:
            self._mounts[frame] = mount_of(pose, frame)
            return self._mounts[frame]
        since = self._missed.setdefault(frame, time.monotonic())
        why = "tf2_msgs is not installed" if TFMessage is None else f"/tf_static does not lead there from {self._base}"
        problem = AmiError(
            f"it is not known where the scanner's frame '{frame}' sits ({why}): its scans are not used; "
            "publish a static transform, or set the parameters scanner.*"
        )
        # An error of the node's, but not at once, for its transform may be on the way.
        if TFMessage is None or time.monotonic() - since >= self.patience:
            self._node.health.error(f"frame {frame}", str(problem))
        raise problem


# The robot's depth camera: pictures and camera_info of ROS for who makes scans of them.


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
