"""Several simulated robots in one world: one clock, topics of their own, and each is in the way of the others."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import LaserScan

from ami_ros.ros.messages.conversions import stamp_of, stamp_to_seconds
from ami_ros.ros.node.qos import SENSOR
from ami_ros.ros.nodes.loopback import LoopbackNode
from ami_ros.ros.nodes.simulator import SimulatorNode
from harness.ros import RosPeer


def start(ros: RosPeer, kind: Any, namespace: str, **parameters: Any) -> Any:
    arguments = ["--ros-args", "-r", f"__ns:=/{namespace}"]
    return ros.start(kind, arguments, world="empty", noise_scale=0.0, **parameters)


def test_robots_that_follow_one_clock_publish_none_and_keep_their_topics_apart(ros: RosPeer) -> None:
    start(ros, LoopbackNode, "one", start_pose=[1.0, 1.0, 0.0])
    clock = ros.collect(Clock, "/clock", SENSOR)
    ros.spin_until(lambda: clock and stamp_to_seconds(clock[-1].clock) > 0.5, what="a clock that is under way")
    start(ros, LoopbackNode, "two", start_pose=[3.0, 3.0, 0.0], follow_clock=True)
    first, second = (ros.collect(Odometry, f"/{name}/odom", SENSOR) for name in ("one", "two"))
    ros.spin_until(lambda: len(first) > 20 and len(second) > 20, what="odometry of both")
    assert len(ros.node.get_publishers_info_by_topic("/clock")) == 1
    times = [stamp_to_seconds(message.clock) for message in clock]
    assert (np.diff(times) > 0).all() and (np.diff([stamp_of(message) for message in second]) > 0).all()
    assert 0.5 < stamp_of(second[-1]) <= times[-1] + 0.2, "the time of the second is that of the first"

    told = ros.node.create_publisher(TwistStamped, "/two/cmd_vel", 5)
    ros.spin_until(told.get_subscription_count, what="the second robot's ear")
    command = TwistStamped()
    command.twist.linear.x = 0.3
    ros.node.create_timer(0.05, lambda: told.publish(command))
    ros.spin_until(lambda: second[-1].twist.twist.linear.x > 0.1, what="the second robot driving")
    assert abs(first[-1].twist.twist.linear.x) < 0.01, "the first hears none of it"


def test_robots_in_one_world_see_each_other(ros: RosPeer) -> None:
    scans = ros.collect(LaserScan, "/one/scan", SENSOR)
    start(ros, SimulatorNode, "one", start_pose=[1.5, 2.0, 0.0], others=["two"], robot="ami_bot")
    ros.spin_until(lambda: scans, 60.0, "a scan")
    ahead = len(scans[0].ranges) // 2
    assert scans[-1].ranges[ahead] > 1.5
    start(ros, LoopbackNode, "two", start_pose=[2.5, 2.0, 0.0], follow_clock=True)
    ros.spin_until(lambda: abs(scans[-1].ranges[ahead] - 0.82) < 0.05, what="the other, 1 m ahead less its radius")
