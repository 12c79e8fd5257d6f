"""The robot in MuJoCo: a disc with a camera looking ahead, on two driven wheels and two casters; or omnidirectional, on
casters all round, driven ahead, sideways and about its middle as by mecanum wheels that do not slip."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.simulation.elements import Element, add
from ami_ros.simulation.rendering import HIDDEN_GROUP, ROBOT_GROUP
from ami_ros.simulation.robot import RADIUS, TRACK, VELOCITY_LAG, DriveName
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
BASE = "base"  # where an omnidirectional robot is driven at
# As strong and as stiff as two wheels: [N s/m] and [N] along the floor, [N m s/rad] and [N m] about the middle.
_PUSH = 2 * WHEEL_GAIN / WHEEL_RADIUS**2, 2 * WHEEL_TORQUE / WHEEL_RADIUS
_TWIST = _PUSH[0] * (TRACK / 2) ** 2, _PUSH[1] * TRACK / 2
OMNIDIRECTIONAL = {  # motor: the direction it drives in, its gain and its greatest force
    "ahead": ([1, 0, 0, 0, 0, 0], _PUSH),
    "about": ([0, 0, 0, 0, 0, 1], _TWIST),
    "aside": ([0, 1, 0, 0, 0, 0], _PUSH),
}


def add_robot(world_body: Element, asset: Element, files: dict[str, bytes], drive: DriveName) -> None:
    """Puts the robot at the origin, its wheels on the floor; `files` gets its texture."""
    body = add(world_body, "body", name=BODY, pos=[0, 0, WHEEL_RADIUS])
    add(body, "freejoint", name=BODY)
    add(body, "inertial", pos=[0, 0, 0], mass=4, diaginertia=[0.05, 0.05, 0.07])
    # Everything in a world is upright and solid from the floor up, so a ball of the robot's radius meets it exactly
    # as the robot's disc would, with one clean contact point.
    bumper: dict[str, ArrayLike] = {"size": RADIUS, "solref": [0.05, 1], "friction": [0.2, 0, 0], "condim": 3}
    _add_ball(body, BUMPER, **bumper, **_BUMPER_CONTACTS)
    _add_casters(body, (0.13, 0), (-0.13, 0))
    if drive == "differential":
        _add_wheels(body)
    else:
        _add_casters(body, (0, TRACK / 2), (0, -TRACK / 2))
        add(body, "site", name=BASE)
    _add_looks(body, asset, files)
    c, s = np.cos(CAMERA_PITCH), np.sin(CAMERA_PITCH)
    position = [0, 0, CAMERA_HEIGHT - WHEEL_RADIUS]
    add(body, "camera", name="onboard", pos=position, fovy=FIELD_OF_VIEW, xyaxes=[0, -1, 0, -s, 0, c])


def _add_casters(body: Element, *places: tuple[float, float]) -> None:
    """Balls that slide on the floor without friction."""
    for x, y in places:
        name = f"caster_{x:g}_{y:g}"
        _add_ball(body, name, size=0.02, pos=[x, y, -0.03], condim=1, priority=1, **_WHEEL_CONTACTS)


def _add_wheels(body: Element) -> None:
    for name, y in zip(WHEELS, (TRACK / 2, -TRACK / 2), strict=True):
        wheel = add(body, "body", name=name, pos=[0, y, 0])
        add(wheel, "joint", name=name, axis=[0, 1, 0], damping=0.01, armature=0.005)
        add(wheel, "inertial", pos=[0, 0, 0], mass=0.3, diaginertia=[0.0003, 0.0005, 0.0003])
        _add_ball(wheel, name, size=WHEEL_RADIUS, friction=[1, 0.005, 0.0001], priority=1, **_WHEEL_CONTACTS)


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


def add_actuators(root: Element, drive: DriveName) -> None:
    """Velocity-controlled motors, which follow their commands with a first-order lag: one a wheel [rad/s], or one a
    direction [m/s, rad/s], in the order of a command's numbers."""
    actuators = add(root, "actuator")
    if drive == "differential":
        for name in WHEELS:
            _add_motor(actuators, name, WHEEL_GAIN, WHEEL_TORQUE, joint=name)
    else:
        for name, (direction, (gain, force)) in OMNIDIRECTIONAL.items():
            _add_motor(actuators, name, gain, force, site=BASE, gear=direction)


def _add_motor(actuators: Element, name: str, gain: float, force: float, **where: ArrayLike) -> None:
    add(
        actuators, "general", name=name, dyntype="filterexact", dynprm=VELOCITY_LAG,
        gainprm=gain, biastype="affine", biasprm=[0, 0, -gain], forcelimited="true", forcerange=[-force, force],
        **where,
    )  # fmt: skip
