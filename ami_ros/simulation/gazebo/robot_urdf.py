"""Robot -> URDF: its frames, for robot_state_publisher, and its outline, for those who draw or plan with it."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
from scipy.spatial.transform import Rotation

from ami_ros.robots.description import RobotDescription
from ami_ros.robots.sensors import LensSensor
from ami_ros.simulation.gazebo.sdf import Element, document, text
from ami_ros.simulation.robot_model import WHEEL_RADIUS, wheel_places

OPTICAL = Rotation.from_euler("xyz", [-np.pi / 2, 0.0, -np.pi / 2])  # of z forwards in x forwards (REP 103)
CLEARANCE, TOP = 0.03, 0.2  # of the body above the floor: its underside and its top [m]
WHEEL_WIDTH = 0.03  # [m]


def robot_urdf(robot: RobotDescription) -> str:
    """A URDF document: the base, its wheels, and the frame of each sensor that has a mount and a frame of its own.

    The wheels do not turn in it: no joint states are needed.
    """
    root, base, disc = ElementTree.Element("robot", name=robot.name), robot.frames.base, robot.shape.disc
    drum = _link(root, base)
    for tag in ("visual", "collision"):
        _add_cylinder(drum, tag, [disc.middle, 0, (CLEARANCE + TOP) / 2], [0, 0, 0], disc.radius, TOP - CLEARANCE)
    for name, place in wheel_places(robot.drive).items():
        _add_cylinder(_link(root, name), "visual", [0, 0, 0], [np.pi / 2, 0, 0], WHEEL_RADIUS, WHEEL_WIDTH)
        _fix(root, base, name, [*place, WHEEL_RADIUS], Rotation.identity())
    for sensor in robot.sensors:
        at = sensor.mount
        if at is None or sensor.frame in ("", base):
            continue
        turn = Rotation.from_euler("xyz", [at.roll, at.pitch, at.yaw])
        _link(root, sensor.frame)
        _fix(root, base, sensor.frame, [at.x, at.y, at.z], turn * OPTICAL if isinstance(sensor, LensSensor) else turn)
    return document(root)


def _link(root: Element, name: str) -> Element:
    return ElementTree.SubElement(root, "link", name=name)


def _fix(root: Element, parent: str, child: str, place: Sequence[float], turn: Rotation) -> None:
    joint = ElementTree.SubElement(root, "joint", name=f"{child}_joint", type="fixed")
    ElementTree.SubElement(joint, "parent", link=parent)
    ElementTree.SubElement(joint, "child", link=child)
    _place(joint, place, turn.as_euler("xyz").tolist())


def _place(parent: Element, place: Sequence[float], turn: Sequence[float]) -> None:
    ElementTree.SubElement(parent, "origin", xyz=text(place), rpy=text(turn))


def _add_cylinder(
    link: Element, tag: str, place: Sequence[float], turn: Sequence[float], radius: float, length: float
) -> None:
    part = ElementTree.SubElement(link, tag)
    if tag == "visual":  # RViz paints in red what has no material
        ElementTree.SubElement(ElementTree.SubElement(part, "material", name="grey"), "color", rgba="0.6 0.6 0.65 1")
    _place(part, place, turn)
    shape = ElementTree.SubElement(part, "geometry")
    ElementTree.SubElement(shape, "cylinder", radius=text(radius), length=text(length))
