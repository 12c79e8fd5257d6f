"""The robot in MuJoCo: a disc with a camera looking ahead, on two driven wheels and two casters; or omnidirectional, on
casters all round, driven ahead, sideways and about its middle as by mecanum wheels that do not slip; or a car on four
wheels, whose rear axle is in the middle of the disc."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.geometry import Disc, rotation
from ami_ros.core.robots.description import Drive, RobotDescription
from ami_ros.core.robots.sensors import LensSensor, Pose3
from ami_ros.simulation.textures import encode_png

Element = ElementTree.Element


class Group(IntEnum):
    """Geometry groups of MuJoCo."""

    SCENERY = 0  # what is only looked at
    CEILING = 1  # what hides the world from above
    ROBOT = 3  # what the robot looks like
    HIDDEN = 5  # collision shapes that are not to be seen


@dataclass(frozen=True)
class WheelModel:
    """Wheels and their motors."""

    gain: float = 1.5  # of the wheels' velocity control [N m s/rad]
    torque: float = 0.6  # [N m]; less than the floor holds: a robot at a wall stalls rather than spins its wheels
    steering_gain: float = 5.0  # of a car's position control [N m/rad]
    steering_damping: float = 0.2  # [N m s/rad]
    steering_torque: float = 2.0  # [N m]


WHEEL_RADIUS = 0.05  # [m]
WHEEL = WheelModel()
WHEELS = ("left_wheel", "right_wheel")
STEERED = ("left_front_wheel", "right_front_wheel")  # of a car
BODY = "robot"
# Who meets whom: wheels and casters the floor, the bumper all the rest.
CONTACTS = {
    "floor": {"contype": 1, "conaffinity": 0},
    "obstacle": {"contype": 2, "conaffinity": 0},
    None: {"contype": 0, "conaffinity": 0},
    "wheel": {"contype": 0, "conaffinity": 1},
    "bumper": {"contype": 0, "conaffinity": 2},
}


def add(parent: Element, tag: str, **attributes: ArrayLike) -> Element:
    """Appends `<tag attribute="..."/>` to `parent`; numbers and arrays are written as MuJoCo reads them."""
    texts = {}
    for name, value in attributes.items():
        if not isinstance(value, str):
            value = " ".join(f"{number:.9g}" for number in np.atleast_1d(np.asarray(value, dtype=np.float64)))
        texts[name] = value
    return ElementTree.SubElement(parent, tag, texts)


def add_robot(world_body: Element, asset: Element, files: dict[str, bytes], robot: RobotDescription) -> None:
    """Puts the robot at the origin, its wheels on the floor; `files` gets its texture."""
    disc, half, kind = robot.shape.disc, robot.drive.track / 2, robot.drive.kind
    body = add(world_body, "body", name=BODY, pos=[0, 0, WHEEL_RADIUS])
    add(body, "freejoint", name=BODY)
    middle = robot.drive.wheelbase / 2 if kind == "ackermann" else 0
    add(body, "inertial", pos=[middle, 0, 0], mass=4, diaginertia=[0.05, 0.05, 0.07])
    # Everything in a world is upright and solid from the floor up, so a ball of the robot's radius meets it exactly
    # as the robot's disc would, with one clean contact point.
    bumper: dict[str, ArrayLike] = {"solref": [0.05, 1], "friction": [0.2, 0, 0], "condim": 3}
    _add_ball(body, "bumper", size=disc.radius, pos=[disc.middle, 0, 0], **bumper, **CONTACTS["bumper"])
    casters = [] if kind == "ackermann" else [(half, 0.0), (-half, 0.0)]
    casters += [(0.0, half), (0.0, -half)] if kind == "omnidirectional" else []
    for x, y in casters:  # balls that slide on the floor without friction
        ball: dict[str, ArrayLike] = {"size": 0.02, "pos": [x, y, -0.03], "condim": 1, "priority": 1}
        _add_ball(body, f"caster_{x:g}_{y:g}", **ball, **CONTACTS["wheel"])
    if kind == "omnidirectional":
        add(body, "site", name="base")  # where it is driven at
    for name, (x, y) in wheel_places(robot.drive).items():
        if name in STEERED:  # it rolls freely, on a knuckle that turns about the vertical above where it stands
            knuckle = add(body, "body", name=steering_of(name), pos=[x, y, 0])
            add(knuckle, "joint", name=steering_of(name), axis=[0, 0, 1], damping=0.01, armature=0.002)
            add(knuckle, "inertial", pos=[0, 0, 0], mass=0.05, diaginertia=[0.00002, 0.00002, 0.00002])
        parent, place = (knuckle, [0.0, 0.0, 0]) if name in STEERED else (body, [x, y, 0])
        wheel = add(parent, "body", name=name, pos=place)
        add(wheel, "joint", name=name, axis=[0, 1, 0], damping=0.01, armature=0.005)
        add(wheel, "inertial", pos=[0, 0, 0], mass=0.3, diaginertia=[0.0003, 0.0005, 0.0003])
        rolling: dict[str, ArrayLike] = {"size": WHEEL_RADIUS, "friction": [1, 0.005, 0.0001], "priority": 1}
        _add_ball(wheel, name, **rolling, **CONTACTS["wheel"])
    _add_looks(body, asset, files, disc)
    for name, camera in (("onboard", robot.camera), ("depth", robot.depth)):
        if camera is not None:
            mount, axes = camera.mount or Pose3(), camera_axes(camera)
            position = [mount.x, mount.y, mount.z - WHEEL_RADIUS]
            add(body, "camera", name=name, pos=position, fovy=view_angle(camera), xyaxes=[*-axes[:, 1], *axes[:, 2]])


def camera_axes(camera: LensSensor) -> NDArray[np.float64]:
    """Directions ahead, to the left and up of a camera, as columns (3, 3) in base_link."""
    mount = camera.mount or Pose3()
    return rotation(mount.roll, mount.pitch, mount.yaw)


def view_angle(camera: LensSensor) -> float:
    """Across the height of its pictures [degrees]."""
    if camera.fov is not None and camera.width == camera.height:
        return camera.fov
    return math.degrees(2 * math.atan(camera.height / 2 / camera.matrix[1]))


def wheel_places(drive: Drive) -> dict[str, tuple[float, float]]:
    """Where the middles of wheels are (x, y) [m] in base_link, by name; an omnidirectional robot has none."""
    if drive.kind == "omnidirectional":
        return {}
    half = drive.track / 2
    places = dict(zip(WHEELS, ((0.0, half), (0.0, -half)), strict=True))
    if drive.kind == "ackermann":
        places |= zip(STEERED, ((drive.wheelbase, half), (drive.wheelbase, -half)), strict=True)
    return places


def steering_of(wheel: str) -> str:
    """The joint that steers a wheel."""
    return f"{wheel}_steering"


def add_other(world_body: Element, name: str, disc: Disc) -> None:
    """Another robot, which is moved from outside (a mocap body): a solid disc that looks like a robot. Its material is
    that of the robot, which is there already."""
    body = add(world_body, "body", name=name, mocap="true")
    _add_ball(body, name, size=disc.radius, pos=[disc.middle, 0, 0], **CONTACTS["obstacle"])
    _add_drum(body, disc, Group.SCENERY)


def _add_ball(body: Element, name: str, **attributes: ArrayLike) -> None:
    add(body, "geom", name=name, type="sphere", mass=0, group=Group.HIDDEN, **attributes)


def _add_looks(body: Element, asset: Element, files: dict[str, bytes], disc: Disc) -> None:
    """A dark drum whose top is bright yellow in front and dark blue behind: the heading as seen from above."""
    top = np.empty((64, 64, 3), dtype=np.uint8)
    top[:, :32], top[:, 32:] = (24, 34, 120), (255, 226, 20)
    files["robot_top.png"] = encode_png(top)
    add(asset, "texture", name="robot_top", type="2d", file="robot_top.png")
    add(asset, "material", name="robot_top", texture="robot_top", emission=0.4, specular=0)
    _add_drum(body, disc, Group.ROBOT)


def _add_drum(body: Element, disc: Disc, group: Group) -> None:
    look: dict[str, ArrayLike] = {"type": "cylinder", "mass": 0, "group": group, **CONTACTS[None]}
    add(body, "geom", size=[disc.radius, 0.1], pos=[disc.middle, 0, 0.09], rgba=[0.15, 0.16, 0.2, 1], **look)
    add(body, "geom", size=[disc.radius, 0.005], pos=[disc.middle, 0, 0.2], material="robot_top", **look)


def add_actuators(root: Element, robot: RobotDescription) -> None:
    """Motors, which follow their commands with a first-order lag. Of speed: one a wheel [rad/s], or one a direction
    [m/s, rad/s], in the order of a command's numbers. Of a car: one of the rear axle's speed [rad/s], then one of each
    front wheel's angle [rad]."""
    actuators = add(root, "actuator")

    def motor(name: str, gain: float, bias: ArrayLike, force: float, **where: ArrayLike) -> None:
        add(
            actuators, "general", name=name, dyntype="filterexact", dynprm=robot.simulated.lag,
            gainprm=gain, biastype="affine", biasprm=bias, forcelimited="true", forcerange=[-force, force], **where,
        )  # fmt: skip

    if robot.drive.kind == "differential":
        for name in WHEELS:
            motor(name, WHEEL.gain, [0, 0, -WHEEL.gain], WHEEL.torque, joint=name)
        return
    if robot.drive.kind == "ackermann":
        axle = add(add(root, "tendon"), "fixed", name="axle")  # an open differential: its speed is the mean of both
        for name in WHEELS:
            add(axle, "joint", joint=name, coef=0.5)
        stiff = 4 * WHEEL.gain  # as four wheels
        motor("axle", stiff, [0, 0, -stiff], 2 * WHEEL.torque, tendon="axle")
        bias = [0, -WHEEL.steering_gain, -WHEEL.steering_damping]
        for name in map(steering_of, STEERED):
            motor(name, WHEEL.steering_gain, bias, WHEEL.steering_torque, joint=name)
        return
    # As strong and as stiff as two wheels: [N s/m] and [N] along the floor, [N m s/rad] and [N m] about the middle.
    half = robot.drive.track / 2
    push = 2 * WHEEL.gain / WHEEL_RADIUS**2, 2 * WHEEL.torque / WHEEL_RADIUS
    twist = push[0] * half**2, push[1] * half
    directions = {"ahead": [1, 0, 0, 0, 0, 0], "about": [0, 0, 0, 0, 0, 1], "aside": [0, 1, 0, 0, 0, 0]}
    for name, direction in directions.items():
        gain, force = twist if name == "about" else push
        motor(name, gain, [0, 0, -gain], force, site="base", gear=direction)
