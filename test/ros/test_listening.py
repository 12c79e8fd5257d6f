"""What a running graph has is heard: names of nodes, types, stamps and transforms that came before."""

from __future__ import annotations

import importlib

from geometry_msgs.msg import TransformStamped, TwistStamped
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header, String

from ami_ros.ros.node.qos import SENSOR
from ami_ros.ros.recorder import listen
from ami_ros.ros.scanner import TF_STATIC
from harness.ros import RosPeer


def test_publishers_listeners_messages_and_latched_transforms_are_heard(ros: RosPeer) -> None:
    robot = ros.make_node("base", namespace="/r1")
    listener = ros.make_node("doctor")
    transforms = importlib.import_module("tf2_msgs.msg").TFMessage
    mount = TransformStamped(header=Header(frame_id="base_link"), child_frame_id="laser")
    mount.transform.translation.x = 0.2
    robot.create_publisher(transforms, "/tf_static", TF_STATIC).publish(transforms(transforms=[mount]))
    scans = robot.create_publisher(LaserScan, "scan", SENSOR)
    robot.create_publisher(String, "notes", 1)
    robot.create_subscription(TwistStamped, "cmd_vel", lambda _: None, 1)

    def send(_: float) -> None:
        stamp = robot.get_clock().now().to_msg()
        scans.publish(LaserScan(header=Header(frame_id="laser", stamp=stamp), ranges=[1.0] * 4, range_max=5.0))

    ros.executor.remove_node(listener)
    seen = listen(listener, 1.5, send)
    scan = seen.topics["/r1/scan"]
    assert scan.type == "sensor_msgs/msg/LaserScan" and scan.publishers == ("/r1/base",)
    assert scan.arrivals and scan.frame == "laser" and abs(scan.arrivals[-1] - scan.stamps[-1]) < 5.0
    assert seen.topics["/r1/cmd_vel"].subscribers == ("/r1/base",)
    assert not seen.topics["/r1/notes"].arrivals
    pose = seen.frames.pose_of("laser", "base_link")
    assert pose is not None and pose[0, 3] == 0.2
