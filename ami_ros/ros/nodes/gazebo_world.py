"""The node `gazebo_world`: of a robot in Gazebo what only a simulator knows, as our own simulator has it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial

from std_msgs.msg import UInt32

from ami_interfaces.srv import Photograph, PlaceRobot
from ami_ros.core.config import parameter
from ami_ros.core.images import encode_png
from ami_ros.core.robots.description import DEFAULT, load_robot
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.gazebo import transport
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import TF_STATIC
from ami_ros.ros.scanner import TFMessage, sensor_frames


@dataclass(frozen=True)
class GazeboWorldParameters:
    """Parameters of the node."""

    world: str = parameter("home", "Name of the world in Gazebo.")
    robot: str = parameter(DEFAULT, "Name of a robot in config/robots, or its file.")
    model: str = parameter("", "Name of the robot's model in Gazebo; empty: the robot's.")


class GazeboWorldNode(AmiNode[GazeboWorldParameters], name="gazebo_world", parameters=GazeboWorldParameters):
    """Pictures of goals, putting the robot somewhere, contacts, and where the sensors sit."""

    def configure(self) -> None:
        from ami_ros.ros.gazebo_world import GazeboWorld
        from ami_ros.simulation.gazebo.sdf import gazebo_topic

        self._robot = load_robot(self.config.robot)
        model = self.config.model or self._robot.name
        self._world = GazeboWorld(transport(), self.config.world, model, gazebo_topic(model, "contacts"))
        self._contacts = self.publisher(UInt32, "simulator/contacts")
        self._mounts = self.publisher(TFMessage, "/tf_static", TF_STATIC) if TFMessage is not None else None
        self.offer(PlaceRobot, "simulator/place_robot", self._place)
        self.offer(Photograph, "simulator/photograph", self._photograph)
        self.every(0.1, self._tell, STEADY)

    def activate(self) -> None:
        if self._mounts is not None:  # latched
            transforms = sensor_frames(self._robot, self.get_clock().now().to_msg())
            self._mounts.publish(TFMessage(transforms=transforms))

    def cleanup(self) -> None:
        if hasattr(self, "_world"):
            self._world.close()
            del self._world

    def _tell(self) -> None:
        self._contacts.publish(UInt32(data=self._world.contacts))

    def _place(self, request: PlaceRobot.Request, response: PlaceRobot.Response) -> None:
        self._world.place(conversions.pose_from_pose2d(request.pose))

    def _photograph(self, request: Photograph.Request, response: Photograph.Response) -> None:
        image = self._world.photograph(conversions.pose_from_pose2d(request.pose))
        response.image = conversions.compressed_message(encode_png(image), "png")


main = partial(run, GazeboWorldNode)


if __name__ == "__main__":
    sys.exit(main())
