"""Gazebo Transport for Python, and its messages to those of ROS and back, as ros_gz_bridge converts them."""

from __future__ import annotations

import array
import importlib
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

from builtin_interfaces.msg import Time
from geometry_msgs.msg import Pose, PoseStamped, TransformStamped, Twist, TwistStamped
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, Imu, LaserScan
from std_msgs.msg import Header

from ami_ros.core.errors import AmiError
from ami_ros.ros.messages.conversions import bytes_of


def transport() -> SimpleNamespace:
    """`Node` and `SubscribeOptions` of gz.transport, and `message(module, name)` for the classes of gz.msgs.

    Raises:
        AmiError: neither version of them is installed.
    """
    why = ""
    # In their names: Harmonic, Ionic, and Jetty, whose names have none.
    for number, messages in (("13", "10"), ("14", "11"), ("", "")):
        try:
            found = importlib.import_module(f"gz.transport{number}")
            importlib.import_module(f"gz.msgs{messages}")
        except ImportError as error:
            why = why or str(error)
            continue
        return SimpleNamespace(
            Node=found.Node,
            SubscribeOptions=found.SubscribeOptions,
            message=partial(_message, f"gz.msgs{messages}"),
        )
    raise AmiError(f"no gz.transport ({why}): apt install python3-gz-transport13, or use ros_gz_bridge")


def _message(package: str, module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{package}.{module}_pb2"), name)


# Where they come from need not be installed: a message is any object with the fields of its protobuf (gz-msgs 10).

# By PixelFormatType, with the bytes of a pixel; 13 is depth.
ENCODINGS = {1: ("mono8", 1), 3: ("rgb8", 3), 4: ("rgba8", 4), 5: ("bgra8", 4), 8: ("bgr8", 3), 13: ("32FC1", 4)}


def header_from_gazebo(header: Any) -> Header:
    """Stamp and frame."""
    stamp = Time(sec=header.stamp.sec, nanosec=header.stamp.nsec)
    return Header(stamp=stamp, frame_id=_value(header, "frame_id"))


def _value(header: Any, key: str) -> str:
    """An entry of a header; parts of scoped names are parts of a path in ROS."""
    found = next((str(entry.value[0]) for entry in header.data if entry.key == key and entry.value), "")
    return found.replace("::", "/")


def clock_from_gazebo(message: Any) -> Clock:
    """From gz.msgs.Clock."""
    return Clock(clock=Time(sec=message.sim.sec, nanosec=message.sim.nsec))


def image_from_gazebo(message: Any) -> Image:
    """From gz.msgs.Image.

    Raises:
        AmiError: its pixels are of a kind that is not read, or not as many as it says.
    """
    if message.pixel_format_type not in ENCODINGS:
        raise AmiError(f"pictures of Gazebo's pixel format {message.pixel_format_type} are not read")
    encoding, channels = ENCODINGS[message.pixel_format_type]
    step = message.width * channels
    if len(message.data) != step * message.height:
        raise AmiError(f"a picture of {message.width}x{message.height} has {len(message.data)} bytes, not {encoding}")
    return Image(
        header=header_from_gazebo(message.header), height=message.height, width=message.width, encoding=encoding,
        step=step, data=bytes_of(memoryview(message.data)),
    )  # fmt: skip


def camera_info_from_gazebo(message: Any) -> CameraInfo:
    """From gz.msgs.CameraInfo."""
    info = CameraInfo(header=header_from_gazebo(message.header), height=message.height, width=message.width)
    info.distortion_model = ("plumb_bob", "rational_polynomial", "equidistant")[message.distortion.model]
    info.d = [float(v) for v in message.distortion.k]
    for name, values in (("k", message.intrinsics.k), ("p", message.projection.p), ("r", message.rectification_matrix)):
        if len(values) == len(getattr(info, name)):  # else it stays 0: not calibrated
            setattr(info, name, [float(v) for v in values])
    for matrix, middles in ((info.k, (2, 5)), (info.p, (2, 6))):
        for i in middles:  # gz-sensors counts from the edge of the picture, ROS from the middle of the first pixel
            matrix[i] -= 0.5 if matrix[0] else 0.0
    return info


def scan_from_gazebo(message: Any) -> LaserScan:
    """From gz.msgs.LaserScan; of several rows of beams the middle one."""
    row = message.vertical_count // 2 if message.vertical_count else 0
    beams = slice(row * message.count, (row + 1) * message.count)
    return LaserScan(
        header=header_from_gazebo(message.header), angle_min=message.angle_min, angle_max=message.angle_max,
        angle_increment=message.angle_step, range_min=message.range_min, range_max=message.range_max,
        ranges=array.array("f", message.ranges[beams]), intensities=array.array("f", message.intensities[beams]),
    )  # fmt: skip


def odometry_from_gazebo(message: Any) -> Odometry:
    """From gz.msgs.Odometry."""
    found = Odometry(header=header_from_gazebo(message.header), child_frame_id=_value(message.header, "child_frame_id"))
    found.pose.pose = _pose(message.pose)
    _copy(message.twist.linear, found.twist.twist.linear)
    _copy(message.twist.angular, found.twist.twist.angular)
    return found


def pose_from_gazebo(message: Any) -> PoseStamped:
    """From gz.msgs.Pose."""
    return PoseStamped(header=header_from_gazebo(message.header), pose=_pose(message))


def transforms_from_gazebo(message: Any) -> list[TransformStamped]:
    """From gz.msgs.Pose_V; each pose says its frames itself."""
    found = []
    for pose in message.pose:
        child = _value(pose.header, "child_frame_id")
        transform = TransformStamped(header=header_from_gazebo(pose.header), child_frame_id=child)
        _copy(pose.position, transform.transform.translation)
        _copy(pose.orientation, transform.transform.rotation, "xyzw")
        found.append(transform)
    return found


def imu_from_gazebo(message: Any) -> Imu:
    """From gz.msgs.IMU."""
    found = Imu(header=header_from_gazebo(message.header))
    _copy(message.orientation, found.orientation, "xyzw")
    _copy(message.angular_velocity, found.angular_velocity)
    _copy(message.linear_acceleration, found.linear_acceleration)
    return found


def fill_twist(command: Twist | TwistStamped, message: Any) -> None:
    """Writes a command into a gz.msgs.Twist."""
    twist = command.twist if isinstance(command, TwistStamped) else command
    _copy(twist.linear, message.linear)
    _copy(twist.angular, message.angular)


# Type in ROS: its class, module and class of gz.msgs, and how it is read.
READ: dict[str, tuple[type[Any], str, str, Callable[[Any], Any]]] = {
    "rosgraph_msgs/msg/Clock": (Clock, "clock", "Clock", clock_from_gazebo),
    "sensor_msgs/msg/Image": (Image, "image", "Image", image_from_gazebo),
    "sensor_msgs/msg/CameraInfo": (CameraInfo, "camera_info", "CameraInfo", camera_info_from_gazebo),
    "sensor_msgs/msg/LaserScan": (LaserScan, "laserscan", "LaserScan", scan_from_gazebo),
    "sensor_msgs/msg/Imu": (Imu, "imu", "IMU", imu_from_gazebo),
    "nav_msgs/msg/Odometry": (Odometry, "odometry", "Odometry", odometry_from_gazebo),
    "geometry_msgs/msg/PoseStamped": (PoseStamped, "pose", "Pose", pose_from_gazebo),
}


def _pose(message: Any) -> Pose:
    pose = Pose()
    _copy(message.position, pose.position)
    _copy(message.orientation, pose.orientation, "xyzw")
    return pose


def _copy(source: Any, target: Any, names: str = "xyz") -> None:
    for name in names:
        setattr(target, name, getattr(source, name))
