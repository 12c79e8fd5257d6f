"""A camera like a robot's that stands anywhere in Gazebo's world: it takes the pictures that are goals.

A robot that is put where a picture is to be taken, and back, would see places pass that it never drove by.
"""

from __future__ import annotations

from xml.etree import ElementTree

from ami_ros.errors import AmiError
from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.gazebo.robot_sdf import add_camera
from ami_ros.simulation.gazebo.sdf import Element, add, gazebo_topic

PHOTOGRAPHER = "photographer"
PICTURE, TRIGGER = gazebo_topic(PHOTOGRAPHER, "image"), gazebo_topic(PHOTOGRAPHER, "trigger")
AWAY = (0.0, 0.0, -10.0, 0.0, 0.0, 0.0)  # where it waits


def photographer_model(robot: RobotDescription) -> Element:
    """The `<model>`; its origin is where base_link of `robot` would be. It takes a picture when it is told to.

    Raises:
        AmiError: the robot has no camera that sits somewhere.
    """
    sensor = robot.camera
    if sensor is None or sensor.mount is None:
        raise AmiError(f"robot {robot.name} has no camera with a mount, so there are no pictures of goals")
    model, at = ElementTree.Element("model", name=PHOTOGRAPHER), sensor.mount
    add(model, "static", True)
    add(model, "pose", AWAY)
    element = add(add(model, "link", name="link"), "sensor", name="camera", type="camera")
    add(element, "pose", [at.x, at.y, at.z, at.roll, at.pitch, at.yaw])
    add(element, "topic", PICTURE)
    add(element, "update_rate", sensor.rate)
    add(element, "always_on", True)
    add(element, "gz_frame_id", PHOTOGRAPHER)
    camera = add_camera(element, sensor, PHOTOGRAPHER)
    add(camera, "triggered", True)
    add(camera, "trigger_topic", TRIGGER)
    return model
