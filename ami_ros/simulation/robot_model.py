"""The robot in MuJoCo: a disc on two driven wheels and two casters, with a camera looking ahead."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.simulation.elements import Element, add
from ami_ros.simulation.rendering import HIDDEN_GROUP, ROBOT_GROUP
from ami_ros.simulation.robot import RADIUS, TRACK, VELOCITY_LAG
from ami_ros.simulation.textures import encode_png

WHEEL_RADIUS = 0.05  # [m]
CAMERA_HEIGHT = 0.25  # [m]
CAMERA_PITCH = np.radians(6.0)  # upwards, so that posters are in view
FIELD_OF_VIEW = 100.0  # [degrees]
WHEEL_GAIN = 1.5  # of the wheels' velocity control [N m s/rad]
WHEEL_TORQUE = 0.6  # [N m]; less than the floor holds: a robot at a wall stalls rather than spins its wheels

# Who meets whom: wheels and casters the floor, the bumper all the rest.
FLOOR_CONTACTS = {"contype": 1, "conaffinity": 0}
OBSTACLE_CONTACTS = {"contype": 2, "conaffinity": 0}
NO_CONTACTS = {"contype": 0, "conaffinity": 0}
_WHEEL_CONTACTS = {"contype": 0, "conaffinity": 1}
_BUMPER_CONTACTS = {"contype": 0, "conaffinity": 2}
BODY = "robot"
BUMPER = "bumper"
WHEELS = ("left_wheel", "right_wheel")


def add_robot(world_body: Element, asset: Element, files: dict[str, bytes]) -> None:
    """Puts the robot at the origin, its wheels on the floor; `files` gets its texture."""
    body = add(world_body, "body", name=BODY, pos=[0, 0, WHEEL_RADIUS])
    add(body, "freejoint", name=BODY)
    add(body, "inertial", pos=[0, 0, 0], mass=4, diaginertia=[0.05, 0.05, 0.07])
    # Everything in a world is upright and solid from the floor up, so a ball of the robot's radius meets it exactly
    # as the robot's disc would, with one clean contact point.
    bumper: dict[str, ArrayLike] = {"size": RADIUS, "solref": [0.05, 1], "friction": [0.2, 0, 0], "condim": 3}
    _add_ball(body, BUMPER, **bumper, **_BUMPER_CONTACTS)
    for name, x in (("front_caster", 0.13), ("back_caster", -0.13)):
        _add_ball(body, name, size=0.02, pos=[x, 0, -0.03], condim=1, priority=1, **_WHEEL_CONTACTS)
    for name, y in zip(WHEELS, (TRACK / 2, -TRACK / 2), strict=True):
        wheel = add(body, "body", name=name, pos=[0, y, 0])
        add(wheel, "joint", name=name, axis=[0, 1, 0], damping=0.01, armature=0.005)
        add(wheel, "inertial", pos=[0, 0, 0], mass=0.3, diaginertia=[0.0003, 0.0005, 0.0003])
        _add_ball(wheel, name, size=WHEEL_RADIUS, friction=[1, 0.005, 0.0001], priority=1, **_WHEEL_CONTACTS)
    _add_looks(body, asset, files)
    c, s = np.cos(CAMERA_PITCH), np.sin(CAMERA_PITCH)
    position = [0, 0, CAMERA_HEIGHT - WHEEL_RADIUS]
    add(body, "camera", name="onboard", pos=position, fovy=FIELD_OF_VIEW, xyaxes=[0, -1, 0, -s, 0, c])


def _add_ball(body: Element, name: str, **attributes: ArrayLike) -> None:
    add(body, "geom", name=name, type="sphere", mass=0, group=HIDDEN_GROUP, **attributes)


def _add_looks(body: Element, asset: Element, files: dict[str, bytes]) -> None:
    """A dark drum whose top is bright yellow in front and dark blue behind: the heading as seen from above."""
    top = np.empty((64, 64, 3), dtype=np.uint8)
    top[:, :32] = (24, 34, 120)
    top[:, 32:] = (255, 226, 20)
    files["robot_top.png"] = encode_png(top)
    add(asset, "texture", name="robot_top", type="2d", file="robot_top.png")
    add(asset, "material", name="robot_top", texture="robot_top", emission=0.4, specular=0)
    look: dict[str, ArrayLike] = {"type": "cylinder", "mass": 0, "group": ROBOT_GROUP, **NO_CONTACTS}
    add(body, "geom", size=[RADIUS, 0.1], pos=[0, 0, 0.09], rgba=[0.15, 0.16, 0.2, 1], **look)
    add(body, "geom", size=[RADIUS, 0.005], pos=[0, 0, 0.2], material="robot_top", **look)


def add_actuators(root: Element) -> None:
    """One velocity-controlled motor a wheel [rad/s], which follows its command with a first-order lag."""
    actuators = add(root, "actuator")
    for name in WHEELS:
        add(
            actuators, "general", name=name, joint=name, dyntype="filterexact", dynprm=VELOCITY_LAG,
            gainprm=WHEEL_GAIN, biastype="affine", biasprm=[0, 0, -WHEEL_GAIN],
            forcelimited="true", forcerange=[-WHEEL_TORQUE, WHEEL_TORQUE],
        )  # fmt: skip
