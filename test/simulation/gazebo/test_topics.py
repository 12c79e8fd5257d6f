"""The bridge between Gazebo and ROS carries what the simulator's node publishes and hears."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ami_ros.core.robots.derived import topics
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.interfaces import INTERFACES
from ami_ros.simulation.gazebo.robot_sdf import clock_topics, robot_model, robot_topics
from harness.sdf import ROBOTS

# What ros_gz_bridge of Jazzy converts into each other (its README).
CONVERTED = {
    "geometry_msgs/msg/PoseStamped": "gz.msgs.Pose",
    "geometry_msgs/msg/Twist": "gz.msgs.Twist",
    "geometry_msgs/msg/TwistStamped": "gz.msgs.Twist",
    "nav_msgs/msg/Odometry": "gz.msgs.Odometry",
    "ros_gz_interfaces/msg/Contacts": "gz.msgs.Contacts",
    "rosgraph_msgs/msg/Clock": "gz.msgs.Clock",
    "sensor_msgs/msg/CameraInfo": "gz.msgs.CameraInfo",
    "sensor_msgs/msg/Image": "gz.msgs.Image",
    "sensor_msgs/msg/Imu": "gz.msgs.IMU",
    "sensor_msgs/msg/LaserScan": "gz.msgs.LaserScan",
    "tf2_msgs/msg/TFMessage": "gz.msgs.Pose_V",
}


@pytest.mark.parametrize("name", ROBOTS)
def test_bridge_has_what_the_stack_hears_of_a_simulated_robot(name: str) -> None:
    robot = load_robot(name)
    names = topics(robot)
    # Beside Gazebo robot_state_publisher tells the description, as on a robot.
    lacking = {"image": robot.camera is None, "camera_info": robot.camera is None, "robot_description": True}
    bridged = {t.ros_topic: t.ros_type for t in (*robot_topics(robot, "r"), *clock_topics())}
    for topic, kind in INTERFACES["simulator"].publishes.items():
        if topic.startswith("~") or lacking.get(topic):
            continue
        assert bridged[names.get(topic, topic)] == kind, topic
    # Commands take the way over the node that stops the base when they cease.
    assert names["cmd_vel"] not in bridged and "cmd_vel_base" in INTERFACES["command_timeout"].publishes


@pytest.mark.parametrize("name", ROBOTS)
def test_bridge_and_model_speak_of_the_same_topics_of_gazebo(name: str) -> None:
    robot = load_robot(name)
    model = robot_model(robot, "r")
    tags = ("topic", "odom_topic", "tf_topic", "camera_info_topic")
    theirs = {element.text for tag in tags for element in model.iter(tag)}
    assert {t.gz_topic for t in robot_topics(robot, "r")} == theirs


def test_a_model_of_its_maker_has_topics_where_its_maker_put_them() -> None:
    """As turtlebot3_gazebo's model.sdf of the Waffle Pi has them: beside each other, called as in ROS."""
    found = {t.gz_topic for t in robot_topics(load_robot("turtlebot3_waffle_pi"), "turtlebot3_waffle_pi", prefix="/")}
    assert {"/cmd_vel", "/odom", "/tf", "/scan", "/imu", "/camera/image_raw", "/camera/camera_info"} <= found


@pytest.mark.parametrize("name", ROBOTS)
def test_bridge_asks_for_conversions_that_there_are(name: str) -> None:
    for topic in (*robot_topics(load_robot(name), "r"), *clock_topics()):
        assert CONVERTED[topic.ros_type] == topic.gz_type
        entry = topic.entry()
        assert set(entry) <= {
            "ros_topic_name", "gz_topic_name", "ros_type_name", "gz_type_name", "direction", "publisher_queue",
            "subscriber_queue",
        }  # fmt: skip
        assert entry["direction"] == ("ROS_TO_GZ" if topic.ros_topic == "cmd_vel_base" else "GZ_TO_ROS")


def test_commands_have_the_type_that_the_robot_takes() -> None:
    robot = load_robot("ami_bot")
    plain = replace(robot, command=replace(robot.command, stamped=False))
    types = [next(t.ros_type for t in robot_topics(r, "r") if t.ros_topic == "cmd_vel_base") for r in (robot, plain)]
    assert types == ["geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist"]


def test_clock_has_a_bridge_of_its_own() -> None:
    assert [t.ros_topic for t in clock_topics()] == ["/clock"]
    assert "/clock" not in {t.ros_topic for t in robot_topics(load_robot("ami_bot"), "r")}
