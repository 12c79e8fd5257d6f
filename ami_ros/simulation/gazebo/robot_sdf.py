"""Robot -> URDF: its frames, for robot_state_publisher, and its outline, for those who draw or plan with it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy.spatial.transform import Rotation

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.sensors import CameraSensor, DepthSensor, ImuSensor, LaserSensor, LensSensor, Pose3, Sensor
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.sdf import (
    DARK,
    Element,
    add,
    add_friction,
    add_part,
    add_plugin,
    document,
    gazebo_topic,
    paint,
    text,
)
from ami_ros.simulation.noise import noise_of
from ami_ros.simulation.robot_model import STEERED, STEERING_TORQUE, WHEEL_RADIUS, WHEELS, steering_of, wheel_places
from ami_ros.simulation.world import BLIND

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


# How a robot drives in Gazebo: its casters and wheels, and the systems of gz-sim that move them.

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


# Robot -> a model for Gazebo, from its description: body, drive and sensors, on topics below /model/NAME.
#
# A photographer is a camera like the robot's that stands anywhere: a robot that is put where a picture is to be taken,
# and back, would see places pass that it never drove by.

BODY_MASS = 4.0  # [kg], as in the MuJoCo model
TRUTH_RATE = 10.0  # of the true pose, at least [Hz]
NEAR, FAR = 0.02, 50.0  # what a camera sees lies between these [m]
FRONT = (1.0, 0.886, 0.078, 1.0)


def simulated_in_gazebo(robot: RobotDescription) -> RobotDescription:
    """`robot`, if there can be a model of it.

    Raises:
        AmiError: there cannot, and why.
    """
    drive = robot.drive
    if drive.kind == "ackermann" and drive.wheelbase > drive.turning_radius:
        raise AmiError(f"robot {robot.name}: Gazebo steers a car by 45 degrees at most; wheelbase is greater than that")
    for sensor in robot.sensors:
        if isinstance(sensor, CameraSensor) and sensor.type == "compressed":
            raise AmiError(f"robot {robot.name}: camera {sensor.name} is compressed, Gazebo's are not: set type: raw")
        if isinstance(sensor, CameraSensor | LaserSensor) and sensor.mount is None:
            raise AmiError(f"robot {robot.name}: {sensor.name} has no mount, and Gazebo has to know where it sits")
    return robot


def robot_model(robot: RobotDescription, name: str | None = None) -> Element:
    """The `<model>` of a robot; its origin is base_link, on the floor.

    Args:
        robot: its description.
        name: of the model; None: the robot's.

    Raises:
        AmiError: there cannot be one, see `simulated_in_gazebo`.
    """
    simulated_in_gazebo(robot)
    name = sdf.unique_names([name or robot.name]).popitem()[1]
    model = ElementTree.Element("model", name=name)
    base = add(model, "link", name=robot.frames.base)
    _add_body(base, robot)
    add_drive(model, base, robot, name)
    for sensor in robot.sensors:
        if not isinstance(sensor, LaserSensor) or not sensor.is_made:
            _add_sensor(base, robot, sensor, name)
    bumper = add(base, "sensor", name="bumper", type="contact")
    add(bumper, "always_on", True)
    contact = add(bumper, "contact")
    add(contact, "collision", "body_collision")
    add(contact, "topic", gazebo_topic(name, "contacts"))
    add_plugin(
        model, "pose-publisher", "PosePublisher", topic=gazebo_topic(name, "ground_truth"), publish_model_pose=True,
        publish_link_pose=False, publish_nested_model_pose=False, use_pose_vector_msg=False,
        update_frequency=max([TRUTH_RATE, *(scanner.rate for scanner in robot.sensors_of(LaserSensor))]),
    )  # fmt: skip
    return model


def write_robot(robot: RobotDescription, folder: Path) -> None:
    """Writes a model of Gazebo that `model://NAME` finds where `folder` is NAME and the one above is a resource path,
    and the robot's URDF for robot_state_publisher.

    Args:
        robot: its description.
        folder: to write model.config, model.sdf and NAME.urdf into; files of these names are replaced.

    Raises:
        AmiError: there cannot be a model, or it cannot be written.
    """
    root = ElementTree.Element("sdf", version=sdf.VERSION)
    root.append(robot_model(robot))
    about = ElementTree.Element("model")
    add(about, "name", robot.name)
    add(about, "version", "1.0")
    add(about, "sdf", "model.sdf", version=sdf.VERSION)
    add(about, "description", f"From the description of {robot.name}; `./ami robot {robot.name}` wrote it.")
    sdf.write(folder / "model.sdf", sdf.document(root))
    sdf.write(folder / "model.config", sdf.document(about))
    sdf.write(folder / f"{robot.name}.urdf", robot_urdf(robot))


def _add_body(base: Element, robot: RobotDescription) -> None:
    """A drum; its front half has a bright edge on top."""
    disc, height = robot.shape.disc, TOP - CLEARANCE
    radius, middle = disc.radius, [disc.middle, 0, CLEARANCE + height / 2, 0, 0, 0]
    across = BODY_MASS * (3 * radius**2 + height**2) / 12
    # Below the axle, as batteries are: a robot that brakes does not nod; of a car between its axles.
    ahead = robot.drive.wheelbase / 2 if robot.drive.kind == "ackermann" else 0.0
    sdf.add_inertia(base, BODY_MASS, (across, across, BODY_MASS * radius**2 / 2), [ahead, 0, WHEEL_RADIUS, 0, 0, 0])
    for tag in ("collision", "visual"):
        body = add_part(base, tag, "body", middle, "cylinder", [radius, height])
        if tag == "collision":
            add_friction(body, 0.2)
        else:
            paint(body, DARK)
    front = [disc.middle + radius / 2, 0, TOP, 0, 0, 0]
    paint(add_part(base, "visual", "front", front, "box", [radius / 2, radius, 0.005]), FRONT)


def _add_sensor(base: Element, robot: RobotDescription, sensor: Sensor, name: str) -> None:
    kinds = {CameraSensor: "camera", DepthSensor: "depth_camera", LaserSensor: "gpu_lidar", ImuSensor: "imu"}
    kind = kinds.get(type(sensor))
    if kind is None:
        return  # the drive tells odometry
    element = add(base, "sensor", name=sdf.unique_names([sensor.name]).popitem()[1], type=kind)
    at = sensor.mount or Pose3()
    height = max(at.z, BLIND) if isinstance(sensor, LaserSensor) else at.z  # as in our own simulator
    add(element, "pose", [at.x, at.y, height, at.roll, at.pitch, at.yaw])
    add(element, "topic", gazebo_topic(name, sensor.topic))
    add(element, "update_rate", sensor.rate)
    add(element, "always_on", True)
    add(element, "gz_frame_id", sensor.frame or robot.frames.base)  # read by gz-sensors; sdformat has no word for it
    if isinstance(sensor, LensSensor):
        add_camera(element, sensor, name)
    elif isinstance(sensor, LaserSensor):
        _add_laser(element, sensor, noise_of(robot).scan)
    else:
        reference = add(add(element, "imu"), "orientation_reference_frame")
        add(reference, "localization", "ENU")


def add_camera(element: Element, sensor: LensSensor, name: str) -> Element:
    """Lens and picture of a camera whose info is a topic of the model `name`; returns the `<camera>`."""
    camera = add(element, "camera", name=element.get("name", ""))
    fx, fy, cx, cy = sensor.matrix
    add(camera, "camera_info_topic", gazebo_topic(name, sensor.info_topic))
    add(camera, "horizontal_fov", 2 * math.atan(sensor.width / 2 / fx))
    image = add(camera, "image")
    add(image, "width", sensor.width)
    add(image, "height", sensor.height)
    add(image, "format", "R_FLOAT32" if isinstance(sensor, DepthSensor) else "R8G8B8")
    clip = add(camera, "clip")
    add(clip, "near", NEAR)
    add(clip, "far", FAR)
    if sensor.intrinsics is not None:
        lens = add(camera, "lens")
        add(lens, "type", "gnomonical")
        add(lens, "scale_to_hfov", True)
        lens = add(lens, "intrinsics")
        # gz-sensors counts pixels from the edge of the picture, not from the middle of the first one.
        for tag, value in (("fx", fx), ("fy", fy), ("cx", cx + 0.5), ("cy", cy + 0.5), ("s", 0.0)):
            add(lens, tag, value)
    add(camera, "visibility_mask", str(sdf.SEEN))
    add(camera, "optical_frame_id", sensor.frame or "base_link")
    return camera


def _add_laser(element: Element, sensor: LaserSensor, deviation: float) -> None:
    """Its beams are those of `LaserSensor`: of a full turn the last one lies before the first."""
    laser = add(element, "lidar")
    horizontal = add(add(laser, "scan"), "horizontal")
    first = -math.radians(sensor.fov) / 2
    add(horizontal, "samples", sensor.beams)
    add(horizontal, "resolution", 1.0)
    add(horizontal, "min_angle", first)
    add(horizontal, "max_angle", first + sensor.increment * (sensor.beams - 1))
    reach = add(laser, "range")
    add(reach, "min", sensor.range_min)
    add(reach, "max", sensor.range_max)
    noise = add(laser, "noise")
    add(noise, "type", "gaussian")
    add(noise, "stddev", deviation)
    add(laser, "visibility_mask", str(sdf.SEEN))


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
