"""The robot in MuJoCo: a disc on two driven wheels and two casters, with a camera looking ahead."""

from __future__ import annotations

from xml.etree import ElementTree as Xml

import cv2
import numpy as np

from ami_ros.simulation.rendering import HIDDEN_GROUP, ROBOT_GROUP
from ami_ros.simulation.robot import RADIUS, VELOCITY_LAG

WHEEL_RADIUS = 0.05  # [m]
TRACK = 0.26  # distance between the wheels [m]
CAMERA_HEIGHT = 0.25  # [m]
CAMERA_PITCH = np.radians(6.0)  # upwards, so that posters are in view
FIELD_OF_VIEW = 100.0  # [degrees]
WHEEL_GAIN = 1.5  # of the wheels' velocity control [N m s/rad]
WHEEL_TORQUE = 0.6  # [N m]; less than the floor holds, so that a robot at a wall stalls rather than spins its wheels

# Who meets whom: wheels and casters the floor, the bumper all the rest.
FLOOR_CONTACTS = {"contype": "1", "conaffinity": "0"}
OBSTACLE_CONTACTS = {"contype": "2", "conaffinity": "0"}
NO_CONTACTS = {"contype": "0", "conaffinity": "0"}
_WHEEL_CONTACTS = {"contype": "0", "conaffinity": "1"}
_BUMPER_CONTACTS = {"contype": "0", "conaffinity": "2"}
BODY = "robot"
BUMPER = "bumper"
WHEELS = ("left_wheel", "right_wheel")


def add_robot(world_body: Xml.Element, asset: Xml.Element, files: dict[str, bytes]) -> None:
    """Puts the robot at the origin, its wheels on the floor."""
    body = Xml.SubElement(world_body, "body", name=BODY, pos=f"0 0 {WHEEL_RADIUS}")
    Xml.SubElement(body, "freejoint", name=BODY)
    Xml.SubElement(body, "inertial", pos="0 0 0", mass="4", diaginertia="0.05 0.05 0.07")
    # Everything in a world is upright and solid from the floor up, so a ball of the robot's radius meets it exactly
    # as the robot's disc would, with one clean contact point.
    Xml.SubElement(
        body, "geom", name=BUMPER, type="sphere", size=f"{RADIUS}", solref="0.05 1", friction="0.2 0 0", condim="3", mass="0",
        group=str(HIDDEN_GROUP), **_BUMPER_CONTACTS,
    )  # fmt: skip
    for x in (-0.13, 0.13):
        Xml.SubElement(
            body, "geom", name=f"caster_{'front' if x > 0 else 'back'}", type="sphere", size="0.02", pos=f"{x} 0 -0.03",
            condim="1", priority="1", mass="0", group=str(HIDDEN_GROUP), **_WHEEL_CONTACTS,
        )  # fmt: skip
    for name, y in zip(WHEELS, (TRACK / 2, -TRACK / 2), strict=True):
        wheel = Xml.SubElement(body, "body", name=name, pos=f"0 {y} 0")
        Xml.SubElement(wheel, "joint", name=name, axis="0 1 0", damping="0.01", armature="0.005")
        Xml.SubElement(wheel, "inertial", pos="0 0 0", mass="0.3", diaginertia="0.0003 0.0005 0.0003")
        Xml.SubElement(
            wheel, "geom", name=name, type="sphere", size=f"{WHEEL_RADIUS}", friction="1 0.005 0.0001", priority="1",
            mass="0", group=str(HIDDEN_GROUP), **_WHEEL_CONTACTS,
        )  # fmt: skip
    _add_looks(body, asset, files)
    c, s = np.cos(CAMERA_PITCH), np.sin(CAMERA_PITCH)
    Xml.SubElement(
        body, "camera", name="onboard", pos=f"0 0 {CAMERA_HEIGHT - WHEEL_RADIUS}", fovy=f"{FIELD_OF_VIEW}",
        xyaxes=f"0 -1 0 {-s} 0 {c}",
    )  # fmt: skip


def _add_looks(body: Xml.Element, asset: Xml.Element, files: dict[str, bytes]) -> None:
    """A dark drum whose top is bright yellow in front and dark blue behind: the heading as seen from above."""
    look = {**NO_CONTACTS, "mass": "0", "group": str(ROBOT_GROUP)}
    Xml.SubElement(body, "geom", type="cylinder", size=f"{RADIUS} 0.1", pos="0 0 0.09", rgba="0.15 0.16 0.2 1", **look)
    files["robot_top.png"] = _top()
    Xml.SubElement(asset, "texture", name="robot_top", type="2d", file="robot_top.png")
    Xml.SubElement(asset, "material", name="robot_top", texture="robot_top", emission="0.4", specular="0")
    Xml.SubElement(
        body, "geom", type="cylinder", size=f"{RADIUS} 0.005", pos="0 0 0.2", material="robot_top", **look
    )


def _top() -> bytes:
    picture = np.empty((64, 64, 3), dtype=np.uint8)
    picture[:, :32] = (24, 34, 120)
    picture[:, 32:] = (255, 226, 20)
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1])


def add_actuators(root: Xml.Element) -> None:
    """One velocity-controlled motor a wheel [rad/s], which follows its command with a first-order lag."""
    actuators = Xml.SubElement(root, "actuator")
    for name in WHEELS:
        Xml.SubElement(
            actuators, "general", name=name, joint=name, dyntype="filterexact", dynprm=f"{VELOCITY_LAG}",
            gainprm=f"{WHEEL_GAIN}", biastype="affine", biasprm=f"0 0 {-WHEEL_GAIN}", forcelimited="true",
            forcerange=f"{-WHEEL_TORQUE} {WHEEL_TORQUE}",
        )  # fmt: skip
