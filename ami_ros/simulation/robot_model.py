"""Writing MJCF: an element whose attributes may be numbers and arrays."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.geometry import Disc, rotation
from ami_ros.core.robots.description import Drive, RobotDescription
from ami_ros.core.robots.sensors import LensSensor, Pose3
from ami_ros.simulation.textures import encode_png

# Geometry groups of MuJoCo
SCENERY_GROUP = 0  # of what is only looked at
ROBOT_GROUP = 3  # of what the robot looks like
CEILING_GROUP = 1  # of what hides the world from above
HIDDEN_GROUP = 5  # collision shapes that are not to be seen

Element = ElementTree.Element


def add(parent: Element, tag: str, **attributes: ArrayLike) -> Element:
    """Appends `<tag attribute="..."/>` to `parent`; numbers and arrays are written as MuJoCo reads them."""
    return ElementTree.SubElement(parent, tag, {name: _text(value) for name, value in attributes.items()})


def _text(value: ArrayLike) -> str:
    if isinstance(value, str):
        return value
    return " ".join(f"{number:.9g}" for number in np.atleast_1d(np.asarray(value, dtype=np.float64)))


# The robot in MuJoCo: a disc with a camera looking ahead, on two driven wheels and two casters; or omnidirectional,
# on casters all round, driven ahead, sideways and about its middle as by mecanum wheels that do not slip; or a car on
# four wheels, whose rear axle is in the middle of the disc.

WHEEL_RADIUS = 0.05  # [m]
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
DEPTH = "depth"  # the depth camera
WHEELS = ("left_wheel", "right_wheel")
AXLE = "axle"  # of a car's driven wheels: its speed is their mean, its torque goes to both alike
STEERED = ("left_front_wheel", "right_front_wheel")  # of a car
STEERING_GAIN = 5.0, 0.2  # of their position control [N m/rad], [N m s/rad]
STEERING_TORQUE = 2.0  # [N m]
BASE = "base"  # where an omnidirectional robot is driven at
OMNIDIRECTIONAL = {  # motor: the direction it drives in
    "ahead": [1, 0, 0, 0, 0, 0],
    "about": [0, 0, 0, 0, 0, 1],
    "aside": [0, 1, 0, 0, 0, 0],
}


def add_robot(world_body: Element, asset: Element, files: dict[str, bytes], robot: RobotDescription) -> None:
    """Puts the robot at the origin, its wheels on the floor; `files` gets its texture."""
    disc, half, car = robot.shape.disc, robot.drive.track / 2, robot.drive.kind == "ackermann"
    body = add(world_body, "body", name=BODY, pos=[0, 0, WHEEL_RADIUS])
    add(body, "freejoint", name=BODY)
    middle = robot.drive.wheelbase / 2 if car else 0
    add(body, "inertial", pos=[middle, 0, 0], mass=4, diaginertia=[0.05, 0.05, 0.07])
    # Everything in a world is upright and solid from the floor up, so a ball of the robot's radius meets it exactly
    # as the robot's disc would, with one clean contact point.
    bumper: dict[str, ArrayLike] = {"solref": [0.05, 1], "friction": [0.2, 0, 0], "condim": 3}
    _add_ball(body, BUMPER, size=disc.radius, pos=[disc.middle, 0, 0], **bumper, **_BUMPER_CONTACTS)
    if not car:
        _add_casters(body, (half, 0), (-half, 0))
    if robot.drive.kind == "omnidirectional":
        _add_casters(body, (0, half), (0, -half))
        add(body, "site", name=BASE)
    for name, place in wheel_places(robot.drive).items():
        if name in STEERED:
            _add_steered_wheel(body, name, place)
        else:
            _add_wheel(body, name, place)
    _add_looks(body, asset, files, disc)
    if robot.camera is not None:
        _add_camera(body, "onboard", robot.camera)
    if robot.depth is not None:
        _add_camera(body, DEPTH, robot.depth)


def _add_camera(body: Element, name: str, camera: LensSensor) -> None:
    mount = camera.mount or Pose3()
    axes = camera_axes(camera)
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


def _add_casters(body: Element, *places: tuple[float, float]) -> None:
    """Balls that slide on the floor without friction."""
    for x, y in places:
        name = f"caster_{x:g}_{y:g}"
        _add_ball(body, name, size=0.02, pos=[x, y, -0.03], condim=1, priority=1, **_WHEEL_CONTACTS)


def wheel_places(drive: Drive) -> dict[str, tuple[float, float]]:
    """Where the middles of wheels are (x, y) [m] in base_link, by name; an omnidirectional robot has none."""
    if drive.kind == "omnidirectional":
        return {}
    half = drive.track / 2
    places = dict(zip(WHEELS, ((0.0, half), (0.0, -half)), strict=True))
    if drive.kind == "ackermann":
        places |= zip(STEERED, ((drive.wheelbase, half), (drive.wheelbase, -half)), strict=True)
    return places


def _add_wheel(body: Element, name: str, place: tuple[float, float] = (0.0, 0.0)) -> None:
    wheel = add(body, "body", name=name, pos=[*place, 0])
    add(wheel, "joint", name=name, axis=[0, 1, 0], damping=0.01, armature=0.005)
    add(wheel, "inertial", pos=[0, 0, 0], mass=0.3, diaginertia=[0.0003, 0.0005, 0.0003])
    _add_ball(wheel, name, size=WHEEL_RADIUS, friction=[1, 0.005, 0.0001], priority=1, **_WHEEL_CONTACTS)


def _add_steered_wheel(body: Element, name: str, place: tuple[float, float]) -> None:
    """A wheel that rolls freely, on a knuckle that turns about the vertical above where it stands."""
    knuckle = add(body, "body", name=steering_of(name), pos=[*place, 0])
    add(knuckle, "joint", name=steering_of(name), axis=[0, 0, 1], damping=0.01, armature=0.002)
    add(knuckle, "inertial", pos=[0, 0, 0], mass=0.05, diaginertia=[0.00002, 0.00002, 0.00002])
    _add_wheel(knuckle, name)


def steering_of(wheel: str) -> str:
    """The joint that steers a wheel."""
    return f"{wheel}_steering"


def add_other(world_body: Element, name: str, disc: Disc) -> None:
    """Another robot, which is moved from outside (a mocap body): a solid disc that looks like a robot. Its material is
    that of the robot, which is there already."""
    body = add(world_body, "body", name=name, mocap="true")
    _add_ball(body, name, size=disc.radius, pos=[disc.middle, 0, 0], **OBSTACLE_CONTACTS)
    _add_drum(body, disc, SCENERY_GROUP)


def _add_ball(body: Element, name: str, **attributes: ArrayLike) -> None:
    add(body, "geom", name=name, type="sphere", mass=0, group=HIDDEN_GROUP, **attributes)


def _add_looks(body: Element, asset: Element, files: dict[str, bytes], disc: Disc) -> None:
    """A dark drum whose top is bright yellow in front and dark blue behind: the heading as seen from above."""
    top = np.empty((64, 64, 3), dtype=np.uint8)
    top[:, :32] = (24, 34, 120)
    top[:, 32:] = (255, 226, 20)
    files["robot_top.png"] = encode_png(top)
    add(asset, "texture", name="robot_top", type="2d", file="robot_top.png")
    add(asset, "material", name="robot_top", texture="robot_top", emission=0.4, specular=0)
    _add_drum(body, disc, ROBOT_GROUP)


def _add_drum(body: Element, disc: Disc, group: int) -> None:
    look: dict[str, ArrayLike] = {"type": "cylinder", "mass": 0, "group": group, **NO_CONTACTS}
    add(body, "geom", size=[disc.radius, 0.1], pos=[disc.middle, 0, 0.09], rgba=[0.15, 0.16, 0.2, 1], **look)
    add(body, "geom", size=[disc.radius, 0.005], pos=[disc.middle, 0, 0.2], material="robot_top", **look)


def add_actuators(root: Element, robot: RobotDescription) -> None:
    """Motors, which follow their commands with a first-order lag. Of speed: one a wheel [rad/s], or one a direction
    [m/s, rad/s], in the order of a command's numbers. Of a car: one of the rear axle's speed [rad/s], then one of each
    front wheel's angle [rad]."""
    actuators, lag = add(root, "actuator"), robot.simulated.lag
    if robot.drive.kind == "ackermann":
        _add_car_motors(root, actuators, lag)
        return
    if robot.drive.kind == "differential":
        for name in WHEELS:
            _add_motor(actuators, name, lag, WHEEL_GAIN, WHEEL_TORQUE, joint=name)
        return
    # As strong and as stiff as two wheels: [N s/m] and [N] along the floor, [N m s/rad] and [N m] about the middle.
    half = robot.drive.track / 2
    push = 2 * WHEEL_GAIN / WHEEL_RADIUS**2, 2 * WHEEL_TORQUE / WHEEL_RADIUS
    twist = push[0] * half**2, push[1] * half
    for name, direction in OMNIDIRECTIONAL.items():
        gain, force = twist if name == "about" else push
        _add_motor(actuators, name, lag, gain, force, site=BASE, gear=direction)


def _add_car_motors(root: Element, actuators: Element, lag: float) -> None:
    axle = add(add(root, "tendon"), "fixed", name=AXLE)  # an open differential
    for name in WHEELS:
        add(axle, "joint", joint=name, coef=0.5)
    _add_motor(actuators, AXLE, lag, 4 * WHEEL_GAIN, 2 * WHEEL_TORQUE, tendon=AXLE)  # as stiff as four wheels
    for name in map(steering_of, STEERED):
        stiffness, damping = STEERING_GAIN
        bias = [0, -stiffness, -damping]
        _add_actuator(actuators, name, lag, stiffness, bias, STEERING_TORQUE, joint=name)


def _add_motor(actuators: Element, name: str, lag: float, gain: float, force: float, **where: ArrayLike) -> None:
    _add_actuator(actuators, name, lag, gain, [0, 0, -gain], force, **where)


def _add_actuator(
    actuators: Element, name: str, lag: float, gain: float, bias: ArrayLike, force: float, **where: ArrayLike
) -> None:
    add(
        actuators, "general", name=name, dyntype="filterexact", dynprm=lag,
        gainprm=gain, biastype="affine", biasprm=bias, forcelimited="true", forcerange=[-force, force], **where,
    )  # fmt: skip
