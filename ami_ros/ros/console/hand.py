"""Driving by hand on the bus: commands go to what the safety gate judges, never past it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.node import Node

from ami_ros.commands import STILL, Command
from ami_ros.console.dead_man import DeadMan
from ami_ros.console.scene import Scene
from ami_ros.ros.messages.conversions import twist_message
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.qos import RELIABLE

TOPIC = "cmd_vel_raw"
PERIOD = 0.05  # [s] of commands; the gate forgets one after 0.3 s
GRACE = 1.5  # [s] that a planner may take to stand when somebody begins to steer


class Hand:
    """Sends what the dead man's switch lets pass. All but `nudge` is called on the executor's thread.

    The publisher is there only while somebody steers: two publishers of one topic are worth a warning of the gate's.

    Args:
        node: publishes.
        scene: shows it, and says what the planner does.
        begin: called when somebody begins: cancels what is under way.
        tell: gets a line when driving by hand ends because somebody else drives.
    """

    def __init__(self, node: Node, scene: Scene, begin: Callable[[], Any], tell: Callable[[str], None]) -> None:
        self.dead_man = DeadMan()
        self._node, self._scene, self._begin, self._tell = node, scene, begin, tell
        self._publisher: Any = None
        self._timer: Any = None
        self._kind: Any = TwistStamped
        self._since = 0.0

    def nudge(self) -> None:
        """Somebody steers: begins to send, if that is new."""
        if self._publisher is None and self.dead_man.engaged(time.monotonic()):
            self._begin()
            self._since = time.monotonic()
            self._kind = self._wanted()
            self._publisher = self._node.create_publisher(self._kind, TOPIC, RELIABLE)
            self._timer = self._node.create_timer(PERIOD, self._send, clock=STEADY)
            self._scene.by_hand = True

    def end(self) -> None:
        """Sends zero, and nothing more."""
        self.dead_man.drop()
        if self._publisher is not None:
            self._publish(STILL)
            self._node.destroy_timer(self._timer)
            self._node.destroy_publisher(self._publisher)
            self._publisher = self._timer = None
            self._scene.by_hand = False

    def _send(self) -> None:
        now = time.monotonic()
        if self._scene.planner_state == "controlling" and now - self._since > GRACE:
            self._tell("driving by hand ends: somebody sent the robot a goal")
            self.end()
            return
        command = self.dead_man.output(now)
        if command is None:
            self.end()
        else:
            self._publish(command)

    def _publish(self, command: Command) -> None:
        twist = twist_message(command)
        # Without a stamp its age counts from when it comes: the page's clock, and the robot's, are others.
        self._publisher.publish(TwistStamped(twist=twist) if self._kind is TwistStamped else twist)

    def _wanted(self) -> Any:
        """What the gate takes."""
        topic = self._node.resolve_topic_name(TOPIC)
        types = {info.topic_type for info in self._node.get_subscriptions_info_by_topic(topic)}
        return Twist if types == {"geometry_msgs/msg/Twist"} else TwistStamped
