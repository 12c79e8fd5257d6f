"""The node `gazebo_bridge`: topics of Gazebo as those of a robot, where ros_gz_bridge is not installed."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from geometry_msgs.msg import Twist, TwistStamped

from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import DEFAULT, load_robot
from ami_ros.ros.messages.gazebo import READ, fill_twist, transforms_from_gazebo, transport
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import RELIABLE, SENSOR
from ami_ros.ros.scanner import TFMessage


@dataclass(frozen=True)
class GazeboBridgeParameters:
    """Parameters of the node."""

    robot: str = parameter(DEFAULT, "Name of a robot in config/robots, or its file.")
    model: str = parameter("", "Name of the robot's model in Gazebo; empty: the robot's.")
    prefix: str = parameter("", "Of its topics in Gazebo: / where they are called as in ROS; empty: /model/MODEL/.")
    part: Literal["robot", "clock"] = parameter("robot", "Its topics, or the clock, which wants a process of its own.")


READ_HERE = dict(READ)
if TFMessage is not None:
    READ_HERE["tf2_msgs/msg/TFMessage"] = (
        TFMessage, "pose_v", "Pose_V", lambda message: TFMessage(transforms=transforms_from_gazebo(message)),
    )  # fmt: skip


class GazeboBridgeNode(AmiNode[GazeboBridgeParameters], name="gazebo_bridge", parameters=GazeboBridgeParameters):
    """Carries what `simulation.gazebo.robot_sdf` lists, by gz.transport's bindings for Python; of contacts nothing, and
    transforms where tf2_msgs is installed. What Gazebo calls back on is a thread of its own."""

    def configure(self) -> None:
        from ami_ros.simulation.gazebo.robot_sdf import clock_topics, robot_topics  # here: nothing else needs mujoco

        gz = transport()
        robot = load_robot(self.config.robot)
        is_clock = self.config.part == "clock"
        name, self._gazebo = self.config.model or robot.name, gz.Node()
        topics = clock_topics() if is_clock else robot_topics(robot, name, self.config.prefix)
        for topic in topics:
            if topic.direction == "ROS_TO_GZ":
                message_type = gz.message("twist", "Twist")
                publisher = self._gazebo.advertise(topic.gz_topic, message_type)
                kind = TwistStamped if robot.command.stamped else Twist
                self.subscribe(kind, topic.ros_topic, partial(_send, publisher, message_type), RELIABLE)
            elif topic.ros_type in READ_HERE:
                kind, module, message, read = READ_HERE[topic.ros_type]
                output = self.publisher(kind, topic.ros_topic, SENSOR if is_clock else RELIABLE)
                options = gz.SubscribeOptions()
                if is_clock:
                    options.msgs_per_sec = 100  # at most; Gazebo sends one for each step of its physics
                receive = partial(self._receive, topic.ros_topic, output, read)
                if not self._gazebo.subscribe(gz.message(module, message), topic.gz_topic, receive, options):
                    raise AmiError(f"Gazebo's topic {topic.gz_topic} cannot be subscribed to")

    def cleanup(self) -> None:
        self._gazebo = None  # its subscriptions end with it

    def _receive(self, topic: str, output: Any, read: Any, message: Any) -> None:
        if self.is_active:
            self.survive(topic, lambda: output.publish(read(message)))


def _send(publisher: Any, message_type: Any, command: Twist | TwistStamped) -> None:
    message = message_type()
    fill_twist(command, message)
    publisher.publish(message)


main = partial(run, GazeboBridgeNode)


if __name__ == "__main__":
    sys.exit(main())
