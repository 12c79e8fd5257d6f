"""How a robot drives in Gazebo: its casters and wheels, and the systems of gz-sim that move them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ami_ros.robots.description import RobotDescription
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.robot_urdf import WHEEL_WIDTH
from ami_ros.simulation.gazebo.sdf import DARK, Element, add, add_friction, add_part, add_plugin, gazebo_topic, paint
from ami_ros.simulation.robot_model import (
    STEERED,
    STEERING_TORQUE,
    WHEEL_RADIUS,
    WHEELS,
    steering_of,
    wheel_places,
)

WHEEL_MASS, KNUCKLE_MASS = 0.3, 0.05  # [kg], as in the MuJoCo model
KNUCKLE_RADIUS = 0.03  # [m]
CASTER_RADIUS = 0.02  # [m]


def add_drive(model: Element, base: Element, robot: RobotDescription, name: str) -> None:
    """Adds what the robot stands on and what drives it.

    Args:
        model: of the robot.
        base: its link base_link.
        robot: its description.
        name: of the model, below which its topics are.
    """
    half, kind = robot.drive.track / 2, robot.drive.kind
    places = [] if kind == "ackermann" else [(half, 0.0), (-half, 0.0)]
    places += [(0.0, half), (0.0, -half)] if kind == "omnidirectional" else []
    for number, place in enumerate(places):
        _add_caster(base, number, place)
    for wheel, place in wheel_places(robot.drive).items():
        if wheel in STEERED:
            _add_steered_wheel(model, robot, wheel, place)
        else:
            _add_wheel(model, robot.frames.base, wheel, place)
    add_system = {
        "differential": _add_differential_drive,
        "omnidirectional": _add_omnidirectional_drive,
        "ackermann": _add_car_drive,
    }[kind]
    add_system(model, robot, name)


def _add_caster(base: Element, number: int, place: tuple[float, float]) -> None:
    pose = [*place, CASTER_RADIUS, 0, 0, 0]
    add_friction(add_part(base, "collision", f"caster_{number}", pose, "sphere", [CASTER_RADIUS]), 0.0)


def _add_wheel(model: Element, parent: str, name: str, place: tuple[float, float]) -> None:
    """A wheel on the link `parent`, at `place` (x, y) [m]. It is touched as a ball: a cylinder's edge makes it hop."""
    link = add(model, "link", name=name)
    add(link, "pose", [*place, WHEEL_RADIUS, 0, 0, 0])
    across = WHEEL_MASS * (3 * WHEEL_RADIUS**2 + WHEEL_WIDTH**2) / 12
    sdf.add_inertia(link, WHEEL_MASS, (across, WHEEL_MASS * WHEEL_RADIUS**2 / 2, across))
    add_friction(add_part(link, "collision", name, [0] * 6, "sphere", [WHEEL_RADIUS]), 1.0)
    on_its_side = [0, 0, 0, math.pi / 2, 0, 0]
    paint(add_part(link, "visual", name, on_its_side, "cylinder", [WHEEL_RADIUS, WHEEL_WIDTH]), DARK)
    _add_joint(model, parent, name, [0, 1, 0], lower="-inf", upper="inf")


def _add_steered_wheel(model: Element, robot: RobotDescription, name: str, place: tuple[float, float]) -> None:
    """A wheel that rolls freely, on a knuckle that turns about the vertical above where it stands."""
    knuckle = steering_of(name)
    link = add(model, "link", name=knuckle)
    add(link, "pose", [*place, WHEEL_RADIUS, 0, 0, 0])
    sdf.add_inertia(link, KNUCKLE_MASS, [KNUCKLE_MASS * KNUCKLE_RADIUS**2 * 2 / 5] * 3)
    drive = robot.drive
    inner = math.atan(drive.wheelbase / (drive.turning_radius - drive.track / 2))
    _add_joint(
        model, robot.frames.base, knuckle, [0, 0, 1],
        lower=-inner, upper=inner, effort=STEERING_TORQUE, velocity=robot.simulated.steering_rate,
    )  # fmt: skip
    _add_wheel(model, knuckle, name, place)


def _add_joint(model: Element, parent: str, child: str, axis: Sequence[float], **limits: str | float) -> None:
    joint = add(model, "joint", name=f"{child}_joint", type="revolute")
    add(joint, "parent", parent)
    add(joint, "child", child)
    about = add(joint, "axis")
    add(about, "xyz", axis)
    limit = add(about, "limit")
    for tag, value in limits.items():
        add(limit, tag, value)


def _add_differential_drive(model: Element, robot: RobotDescription, name: str) -> None:
    limits, motors, frames = robot.limits, robot.simulated, robot.frames
    left, right = (f"{wheel}_joint" for wheel in WHEELS)
    add_plugin(
        model, "diff-drive", "DiffDrive", left_joint=left, right_joint=right,
        wheel_separation=robot.drive.track, wheel_radius=WHEEL_RADIUS,
        topic=gazebo_topic(name, robot.command.topic), odom_topic=gazebo_topic(name, robot.odometry.topic),
        tf_topic=gazebo_topic(name, "tf"), odom_publish_frequency=robot.odometry.rate,
        frame_id=frames.odom, child_frame_id=frames.base,
        min_linear_velocity=-limits.backward, max_linear_velocity=limits.linear,
        min_angular_velocity=-limits.angular, max_angular_velocity=limits.angular,
        min_linear_acceleration=-motors.linear_acceleration, max_linear_acceleration=motors.linear_acceleration,
        min_angular_acceleration=-motors.angular_acceleration, max_angular_acceleration=motors.angular_acceleration,
    )  # fmt: skip


def _add_omnidirectional_drive(model: Element, robot: RobotDescription, name: str) -> None:
    """Without wheels: its velocity is set, as mecanum wheels that do not slip would have it."""
    add_plugin(model, "velocity-control", "VelocityControl", topic=gazebo_topic(name, robot.command.topic))
    add_plugin(
        model, "odometry-publisher", "OdometryPublisher", odom_frame=robot.frames.odom,
        robot_base_frame=robot.frames.base, odom_publish_frequency=robot.odometry.rate,
        odom_topic=gazebo_topic(name, robot.odometry.topic), tf_topic=gazebo_topic(name, "tf"), dimensions=2,
    )  # fmt: skip


def _add_car_drive(model: Element, robot: RobotDescription, name: str) -> None:
    """Without limits of speed and acceleration: AckermannSteering (gz-sim 8) has the same for driving and turning."""
    drive, frames = robot.drive, robot.frames
    left, right = (f"{wheel}_joint" for wheel in WHEELS)
    steer_left, steer_right = (f"{steering_of(wheel)}_joint" for wheel in STEERED)
    add_plugin(
        model, "ackermann-steering", "AckermannSteering", left_joint=left, right_joint=right,
        left_steering_joint=steer_left, right_steering_joint=steer_right,
        wheel_base=drive.wheelbase, wheel_separation=drive.track, kingpin_width=drive.track, wheel_radius=WHEEL_RADIUS,
        # Its tightest curve is wheel_base / sin(steering_limit).
        steering_limit=math.asin(drive.wheelbase / drive.turning_radius), steer_p_gain=1 / robot.simulated.lag,
        topic=gazebo_topic(name, robot.command.topic), odom_topic=gazebo_topic(name, robot.odometry.topic),
        tf_topic=gazebo_topic(name, "tf"), odom_publish_frequency=robot.odometry.rate,
        frame_id=frames.odom, child_frame_id=frames.base,
    )  # fmt: skip
