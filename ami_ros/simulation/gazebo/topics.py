"""The table of topics between Gazebo and ROS, for ros_gz_bridge, from the description of a robot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.sensors import ImuSensor, LaserSensor, LensSensor
from ami_ros.simulation.gazebo.sdf import gazebo_topic

BASE_COMMANDS = "cmd_vel_base"  # what is left of cmd_vel behind the node command_timeout
CLOCK = "/clock"


@dataclass(frozen=True)
class Bridged:
    """One topic: its names and types on both sides, and who hears it."""

    ros_topic: str  # relative: below the robot's namespace
    ros_type: str
    gz_topic: str
    gz_type: str
    direction: Literal["GZ_TO_ROS", "ROS_TO_GZ"] = "GZ_TO_ROS"

    def entry(self) -> dict[str, Any]:
        """As ros_gz_bridge's config_file has it."""
        return {
            "ros_topic_name": self.ros_topic,
            "gz_topic_name": self.gz_topic,
            "ros_type_name": self.ros_type,
            "gz_type_name": self.gz_type,
            "direction": self.direction,
            "publisher_queue": 1,  # the newest command and the newest picture are the ones that count
            "subscriber_queue": 1,
        }


def clock_topics() -> list[Bridged]:
    """The clock, for a process of its own: pictures must not hold it up."""
    return [Bridged(CLOCK, "rosgraph_msgs/msg/Clock", CLOCK, "gz.msgs.Clock")]


def robot_topics(robot: RobotDescription, name: str, prefix: str = "") -> list[Bridged]:
    """The topics of a robot whose model is called `name`; commands come from `command_timeout`.

    Args:
        robot: its description.
        name: of its model, below which a model of ours has its topics.
        prefix: of its topics in Gazebo, where the model is not ours: "/" where they are called as in ROS.
    """
    below = prefix or gazebo_topic(name, "")
    command = "geometry_msgs/msg/TwistStamped" if robot.command.stamped else "geometry_msgs/msg/Twist"
    return [
        Bridged(
            BASE_COMMANDS, command, below + robot.command.topic.lstrip("/"), "gz.msgs.Twist", direction="ROS_TO_GZ"
        ),
        _from(below, robot.odometry.topic, "nav_msgs/msg/Odometry", "gz.msgs.Odometry"),
        _from(below, "tf", "tf2_msgs/msg/TFMessage", "gz.msgs.Pose_V"),
        _from(below, "ground_truth", "geometry_msgs/msg/PoseStamped", "gz.msgs.Pose"),
        _from(below, "contacts", "ros_gz_interfaces/msg/Contacts", "gz.msgs.Contacts"),
        *_sensors(robot, below),
    ]


def _sensors(robot: RobotDescription, below: str) -> Iterator[Bridged]:
    for sensor in robot.sensors:
        if isinstance(sensor, LensSensor):
            yield _from(below, sensor.topic, "sensor_msgs/msg/Image", "gz.msgs.Image")
            yield _from(below, sensor.info_topic, "sensor_msgs/msg/CameraInfo", "gz.msgs.CameraInfo")
        elif isinstance(sensor, LaserSensor) and not sensor.is_made:
            yield _from(below, sensor.topic, "sensor_msgs/msg/LaserScan", "gz.msgs.LaserScan")
        elif isinstance(sensor, ImuSensor):
            yield _from(below, sensor.topic, "sensor_msgs/msg/Imu", "gz.msgs.IMU")


def _from(below: str, topic: str, ros_type: str, gz_type: str) -> Bridged:
    return Bridged(topic, ros_type, below + topic.lstrip("/"), gz_type)
