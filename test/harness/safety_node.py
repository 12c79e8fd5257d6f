"""The node `safety`, with a laser and commands that are sent while a test spins."""

from __future__ import annotations

import array
import math
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TwistStamped
from rclpy.qos import QoSProfile
from sensor_msgs.msg import LaserScan

from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.nodes.safety import SafetyNode
from harness.ros import RosPeer


class Surroundings:
    """What a safety gate hears, sent for as long as the test spins, and somebody who watches its output.

    Attributes:
        reading: [m] of every beam.
        wish: the command that is sent.
    """

    def __init__(
        self, ros: RosPeer, qos: QoSProfile | int = 5, scans: bool = True, commands: bool = True, reading: float = 3.0
    ) -> None:
        self.asked = 0
        self.ros, self.reading, self.frame, self.range_max = ros, reading, "base_link", 8.0
        self.sent = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
        self.said = ros.collect(DiagnosticStatus, "safety/status", RELIABLE)
        self.wish = TwistStamped()
        self.wish.twist.linear.x = 0.3
        wishes = ros.node.create_publisher(TwistStamped, "cmd_vel_raw", qos) if commands else None
        seen = ros.node.create_publisher(LaserScan, "scan", qos) if scans else None

        def send() -> None:
            if seen is not None:
                seen.publish(self.scan())
            if wishes is not None:
                wishes.publish(self.wish)
            self.asked += 1

        ros.node.create_timer(0.05, send)

    def scan(self) -> LaserScan:
        """The laser's message now."""
        stamp = self.ros.node.get_clock().now().nanoseconds * 1e-9
        return LaserScan(
            header=header_at(stamp, self.frame),
            angle_min=-math.pi,
            angle_increment=math.pi / 36,
            range_min=0.12,
            range_max=self.range_max,
            ranges=array.array("f", [self.reading] * 72),
        )

    @property
    def moves(self) -> bool:
        """Whether the newest command that it sends is not zero."""
        return bool(self.sent and (self.sent[-1].twist.linear.x or self.sent[-1].twist.angular.z))

    def stands(self, count: int = 20) -> bool:
        """Whether the newest `count` commands, all sent since this was asked first, are zero."""
        begun = len(self.sent) + 10  # those may have been on their way before
        self.ros.spin_until(lambda: len(self.sent) >= begun + count, what="commands")
        return not any(message.twist.linear.x or message.twist.angular.z for message in self.sent[-count:])


class Bench(Surroundings):
    """A safety gate in its surroundings."""

    def __init__(
        self,
        ros: RosPeer,
        arguments: list[str] | None = None,
        qos: QoSProfile | int = 5,
        scans: bool = True,
        reading: float = 3.0,
        **parameters: Any,
    ) -> None:
        self.node = ros.start(SafetyNode, arguments, **parameters)
        super().__init__(ros, qos, scans, reading=reading)
