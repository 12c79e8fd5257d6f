"""Messages of Gazebo Transport against the real protobuf classes of gz-msgs, where these are installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Twist, TwistStamped

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.messages import conversions, gazebo, range_sensors
from ami_ros.simulation.gazebo.robot_sdf import clock_topics, robot_topics

pytest.importorskip("gz.msgs10.image_pb2", reason="gz-msgs 10 for Python is not installed here")


def message(module: str, name: str, **fields: Any) -> Any:
    from ami_ros.ros.messages.gazebo import _message

    found = _message("gz.msgs10", module, name)(**fields)
    if hasattr(found, "header"):
        found.header.stamp.sec, found.header.stamp.nsec = 12, 345
        for key, value in (("frame_id", "ami_bot::odom"), ("child_frame_id", "base_link")):
            entry = found.header.data.add(key=key)
            entry.value.append(value)
    return found


def test_odometry_becomes_a_transform() -> None:
    poses = message("pose_v", "Pose_V")
    pose = poses.pose.add()
    pose.header.stamp.sec, pose.position.x, pose.orientation.w = 7, 1.5, 1.0
    for key, value in (("frame_id", "odom"), ("child_frame_id", "base_link")):
        pose.header.data.add(key=key).value.append(value)
    (found,) = gazebo.transforms_from_gazebo(poses)
    assert (found.header.frame_id, found.child_frame_id, found.header.stamp.sec) == ("odom", "base_link", 7)
    assert (found.transform.translation.x, found.transform.rotation.w) == (1.5, 1.0)


def test_every_bridged_topic_is_read_but_contacts_and_transforms() -> None:
    table = [*robot_topics(load_robot("ami_bot"), "r"), *clock_topics()]
    left = {t.ros_type for t in table if t.direction == "GZ_TO_ROS"} - set(gazebo.READ)
    assert left == {"ros_gz_interfaces/msg/Contacts", "tf2_msgs/msg/TFMessage"}
    for topic in table:
        if topic.ros_type in gazebo.READ:
            kind, module, name, read = gazebo.READ[topic.ros_type]
            filled = {"pixel_format_type": "L_INT8"} if name == "Image" else {}
            assert topic.gz_type == f"gz.msgs.{name}" and isinstance(read(message(module, name, **filled)), kind)


def test_picture_keeps_its_pixels_stamp_and_frame() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8)
    found = gazebo.image_from_gazebo(
        message("image", "Image", width=3, height=2, data=pixels.tobytes(), pixel_format_type="RGB_INT8")
    )
    assert (found.height, found.width, found.step, found.encoding) == (2, 3, 9, "rgb8")
    assert bytes(found.data) == pixels.tobytes()
    assert (found.header.stamp.sec, found.header.stamp.nanosec, found.header.frame_id) == (12, 345, "ami_bot/odom")


@pytest.mark.parametrize(("kind", "size"), [("R_FLOAT32", 24), ("RGB_INT8", 17)])
def test_picture_that_cannot_be_read_is_refused(kind: str, size: int) -> None:
    with pytest.raises(AmiError):
        gazebo.image_from_gazebo(message("image", "Image", width=3, height=2, data=bytes(size), pixel_format_type=kind))


@pytest.mark.parametrize("kind", ["L_INT8", "RGB_INT8", "RGBA_INT8", "BGRA_INT8", "BGR_INT8"])
def test_pixel_formats_have_their_numbers(kind: str) -> None:
    picture = message("image", "Image", pixel_format_type=kind)
    encoding, channels = gazebo.ENCODINGS[picture.pixel_format_type]
    letters = kind.split("_")[0].lower()
    assert encoding == ("mono8" if letters == "l" else f"{letters}8") and channels == len(letters)


def test_scan_and_odometry_are_what_the_stack_reads() -> None:
    beams = {"angle_min": -1.0, "angle_max": 1.0, "angle_step": 1.0, "range_min": 0.1, "range_max": 8.0, "count": 3}
    scan = message("laserscan", "LaserScan", ranges=[1.0, float("inf"), 3.0], **beams)
    read = range_sensors.scan_from_message(gazebo.scan_from_gazebo(scan))
    assert read.ranges.tolist() == [1.0, float("inf"), 3.0] and read.angle_min == -1.0
    odometry = message("odometry", "Odometry")
    odometry.pose.position.x, odometry.pose.orientation.z = 1.5, 1.0
    odometry.twist.linear.x, odometry.twist.angular.z = 0.25, -0.5
    found = gazebo.odometry_from_gazebo(odometry)
    pose, velocity = conversions.odometry_from_message(found)
    assert pose == pytest.approx([1.5, 0.0, np.pi]) and velocity[:2] == (0.25, -0.5)
    assert (found.header.frame_id, found.child_frame_id) == ("ami_bot/odom", "base_link")


def test_clock_camera_and_imu_are_read() -> None:
    clock = message("clock", "Clock")
    clock.sim.sec, clock.sim.nsec = 7, 8
    assert (gazebo.clock_from_gazebo(clock).clock.sec, gazebo.clock_from_gazebo(clock).clock.nanosec) == (7, 8)
    camera = message("camera_info", "CameraInfo", width=96, height=96)
    camera.intrinsics.k.extend([40.0, 0, 48, 0, 40, 48, 0, 0, 1])
    camera.projection.p.extend([40.0, 0, 48, 0, 0, 40, 48, 0, 0, 0, 1, 0])
    camera.rectification_matrix.extend([1.0, 0, 0, 0, 1, 0, 0, 0, 1])
    info = gazebo.camera_info_from_gazebo(camera)
    assert info.k[0] == 40.0 and info.distortion_model == "plumb_bob" and info.width == 96
    # gz-sensors counts pixels from the edge of the picture, ROS from the middle of the first one.
    assert (info.k[2], info.k[5], info.p[2], info.p[6]) == (47.5, 47.5, 47.5, 47.5)
    imu = message("imu", "IMU")
    imu.orientation.w, imu.angular_velocity.z = 1.0, 0.25
    assert gazebo.imu_from_gazebo(imu).orientation.w == 1.0 and gazebo.imu_from_gazebo(imu).angular_velocity.z == 0.25


@pytest.mark.parametrize("stamped", [True, False])
def test_command_reaches_gazebo(stamped: bool) -> None:
    twist = conversions.twist_message([0.3, -0.4, 0.1])
    found = message("twist", "Twist")
    gazebo.fill_twist(TwistStamped(twist=twist) if stamped else twist, found)
    assert (found.linear.x, found.angular.z, found.linear.y) == (0.3, -0.4, 0.1) and isinstance(twist, Twist)
