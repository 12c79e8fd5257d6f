"""The robot in MuJoCo: a disc with a camera looking ahead, on two driven wheels and two casters; or omnidirectional, on
casters all round, driven ahead, sideways and about its middle as by mecanum wheels that do not slip."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.geometry import rotation
from ami_ros.robots.description import RobotDescription
from ami_ros.robots.sensors import CameraSensor, Pose3
from ami_ros.simulation.elements import Element, add
from ami_ros.simulation.rendering import HIDDEN_GROUP, ROBOT_GROUP, SCENERY_GROUP
from ami_ros.simulation.textures import encode_png

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
WHEELS = ("left_wheel", "right_wheel")
BASE = "base"  # where an omnidirectional robot is driven at
OMNIDIRECTIONAL = {  # motor: the direction it drives in
    "ahead": [1, 0, 0, 0, 0, 0],
    "about": [0, 0, 0, 0, 0, 1],
    "aside": [0, 1, 0, 0, 0, 0],
}


def add_robot(world_body: Element, asset: Element, files: dict[str, bytes], robot: RobotDescription) -> None:
    """Puts the robot at the origin, its wheels on the floor; `files` gets its texture."""
    radius, half = robot.shape.radius, robot.drive.track / 2
    body = add(world_body, "body", name=BODY, pos=[0, 0, WHEEL_RADIUS])
    add(body, "freejoint", name=BODY)
    add(body, "inertial", pos=[0, 0, 0], mass=4, diaginertia=[0.05, 0.05, 0.07])
    # Everything in a world is upright and solid from the floor up, so a ball of the robot's radius meets it exactly
    # as the robot's disc would, with one clean contact point.
    bumper: dict[str, ArrayLike] = {"size": radius, "solref": [0.05, 1], "friction": [0.2, 0, 0], "condim": 3}
    _add_ball(body, BUMPER, **bumper, **_BUMPER_CONTACTS)
    _add_casters(body, (half, 0), (-half, 0))
    if robot.drive.kind == "differential":
        _add_wheels(body, half)
    else:
        _add_casters(body, (0, half), (0, -half))
        add(body, "site", name=BASE)
    _add_looks(body, asset, files, radius)
    if robot.camera is not None and not robot.camera.overhead:
        _add_camera(body, robot.camera)


def _add_camera(body: Element, camera: CameraSensor) -> None:
    mount = camera.mount or Pose3()
    axes = camera_axes(camera)
    position = [mount.x, mount.y, mount.z - WHEEL_RADIUS]
    add(body, "camera", name="onboard", pos=position, fovy=view_angle(camera), xyaxes=[*-axes[:, 1], *axes[:, 2]])


def camera_axes(camera: CameraSensor) -> NDArray[np.float64]:
    """Directions ahead, to the left and up of a camera, as columns (3, 3) in base_link."""
    mount = camera.mount or Pose3()
    return rotation(mount.roll, mount.pitch, mount.yaw)


def view_angle(camera: CameraSensor) -> float:
    """Across the height of its pictures [degrees]."""
    if camera.fov is not None and camera.width == camera.height:
        return camera.fov
    return math.degrees(2 * math.atan(camera.height / 2 / camera.matrix[1]))


def _add_casters(body: Element, *places: tuple[float, float]) -> None:
    """Balls that slide on the floor without friction."""
    for x, y in places:
        name = f"caster_{x:g}_{y:g}"
        _add_ball(body, name, size=0.02, pos=[x, y, -0.03], condim=1, priority=1, **_WHEEL_CONTACTS)


def _add_wheels(body: Element, half: float) -> None:
    for name, y in zip(WHEELS, (half, -half), strict=True):
        wheel = add(body, "body", name=name, pos=[0, y, 0])
        add(wheel, "joint", name=name, axis=[0, 1, 0], damping=0.01, armature=0.005)
        add(wheel, "inertial", pos=[0, 0, 0], mass=0.3, diaginertia=[0.0003, 0.0005, 0.0003])
        _add_ball(wheel, name, size=WHEEL_RADIUS, friction=[1, 0.005, 0.0001], priority=1, **_WHEEL_CONTACTS)


def add_other(world_body: Element, name: str, radius: float) -> None:
    """Another robot, which is moved from outside (a mocap body): a solid disc that looks like a robot. Its material is
    that of the robot, which is there already."""
    body = add(world_body, "body", name=name, mocap="true")
    _add_ball(body, name, size=radius, **OBSTACLE_CONTACTS)
    _add_drum(body, radius, SCENERY_GROUP)


def _add_ball(body: Element, name: str, **attributes: ArrayLike) -> None:
    add(body, "geom", name=name, type="sphere", mass=0, group=HIDDEN_GROUP, **attributes)


def _add_looks(body: Element, asset: Element, files: dict[str, bytes], radius: float) -> None:
    """A dark drum whose top is bright yellow in front and dark blue behind: the heading as seen from above."""
    top = np.empty((64, 64, 3), dtype=np.uint8)
    top[:, :32] = (24, 34, 120)
    top[:, 32:] = (255, 226, 20)
    files["robot_top.png"] = encode_png(top)
    add(asset, "texture", name="robot_top", type="2d", file="robot_top.png")
    add(asset, "material", name="robot_top", texture="robot_top", emission=0.4, specular=0)
    _add_drum(body, radius, ROBOT_GROUP)


def _add_drum(body: Element, radius: float, group: int) -> None:
    look: dict[str, ArrayLike] = {"type": "cylinder", "mass": 0, "group": group, **NO_CONTACTS}
    add(body, "geom", size=[radius, 0.1], pos=[0, 0, 0.09], rgba=[0.15, 0.16, 0.2, 1], **look)
    add(body, "geom", size=[radius, 0.005], pos=[0, 0, 0.2], material="robot_top", **look)


def add_actuators(root: Element, robot: RobotDescription) -> None:
    """Velocity-controlled motors, which follow their commands with a first-order lag: one a wheel [rad/s], or one a
    direction [m/s, rad/s], in the order of a command's numbers."""
    actuators, lag = add(root, "actuator"), robot.simulated.lag
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


def _add_motor(actuators: Element, name: str, lag: float, gain: float, force: float, **where: ArrayLike) -> None:
    add(
        actuators, "general", name=name, dyntype="filterexact", dynprm=lag,
        gainprm=gain, biastype="affine", biasprm=[0, 0, -gain], forcelimited="true", forcerange=[-force, force],
        **where,
    )  # fmt: skip
