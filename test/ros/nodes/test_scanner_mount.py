"""A scanner that is mounted the wrong way round, and the gate that is told so."""

from __future__ import annotations

import numpy as np
import pytest
from geometry_msgs.msg import TwistStamped
from rclpy.parameter import Parameter
from sensor_msgs.msg import LaserScan

from ami_ros.core.scan import Scan
from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.messages.range_sensors import scan_to_message
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.nodes.safety import SafetyNode
from harness.ros import RosPeer


@pytest.mark.parametrize(("yaw", "blocked"), [(0.0, 0.2), (np.pi, -0.2)])
def test_the_gate_minds_what_stands_where_it_stands(ros: RosPeer, yaw: float, blocked: float) -> None:
    """Something stands right before the scanner's own first axis."""
    node = SafetyNode(
        context=ros.context,
        parameter_overrides=[Parameter("scanner.yaw", value=float(yaw)), Parameter("scanner.fixed", value=True)],
    )
    ros.add(node)
    node.start()
    out = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
    commands = ros.node.create_publisher(TwistStamped, "cmd_vel_raw", 5)
    scans = ros.node.create_publisher(LaserScan, "scan", 5)
    ranges = np.full(72, np.inf, np.float32)
    ranges[[70, 71, 0, 1, 2]] = 0.22
    wanted = TwistStamped()

    def drive() -> None:
        scans.publish(scan_to_message(Scan(ranges, 0.0, np.pi / 36), header_at(node.now(), "laser")))
        commands.publish(wanted)

    ros.node.create_timer(0.05, drive)
    wanted.twist.linear.x = -blocked
    ros.spin_until(lambda: out and out[-1].twist.linear.x == pytest.approx(-blocked), what="the way that is free")
    wanted.twist.linear.x = blocked
    ros.spin_until(lambda: abs(out[-1].twist.linear.x) < 0.06, what="standing")
    seen = len(out)
    ros.spin_until(lambda: len(out) > seen + 10)
    assert all(abs(message.twist.linear.x) < 0.06 for message in out[seen:])
