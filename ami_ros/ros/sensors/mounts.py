"""Where a robot's sensors sit, by its description, as static transforms."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import Pose, TransformStamped

from ami_ros.robots.description import RobotDescription
from ami_ros.robots.sensors import LensSensor
from ami_ros.ros.messages import conversions
from ami_ros.ros.sensors.tf import transform_message

OPTICAL = (-0.5, 0.5, -0.5, 0.5)  # quaternion of z forwards in x forwards (REP 103)


def sensor_frames(robot: RobotDescription, stamp: Any) -> list[TransformStamped]:
    """Those of the sensors that have a frame of their own, in the robot's base frame."""
    base, found = robot.frames.base, []
    for sensor in robot.sensors:
        if sensor.mount is None or sensor.frame in ("", base):
            continue
        at, pose = sensor.mount, Pose()
        turn = conversions.quaternion_from_angles(at.roll, at.pitch, at.yaw)
        x, y, z, w = conversions.turned_quaternion(turn, OPTICAL) if isinstance(sensor, LensSensor) else turn
        pose.position.x, pose.position.y, pose.position.z = at.x, at.y, at.z
        pose.orientation.x, pose.orientation.y, pose.orientation.z, pose.orientation.w = x, y, z, w
        found.append(transform_message(conversions.header_at(stamp, base), sensor.frame, pose))
    return found
