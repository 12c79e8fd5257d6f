"""Robot -> a model for Gazebo, from its description: body, drive and sensors, on topics below /model/NAME."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from ami_ros.errors import AmiError
from ami_ros.robots.description import RobotDescription
from ami_ros.robots.sensors import CameraSensor, ImuSensor, LaserSensor, Pose3, Sensor
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.light import linear_color
from ami_ros.simulation.gazebo.robot_urdf import CLEARANCE, TOP, WHEEL_WIDTH, robot_urdf
from ami_ros.simulation.gazebo.sdf import Element, add, add_plugin
from ami_ros.simulation.noise import noise_of
from ami_ros.simulation.robot_model import WHEEL_RADIUS, WHEELS
from ami_ros.simulation.world import BLIND

BODY_MASS, WHEEL_MASS, CASTER_MASS = 4.0, 0.3, 0.05  # [kg], as in the MuJoCo model
CASTER_RADIUS = 0.02  # [m]
TRUTH_RATE = 10.0  # of the true pose, at least [Hz]
NEAR, FAR = 0.02, 50.0  # what a camera sees lies between these [m]
DARK, FRONT = (0.15, 0.16, 0.2, 1.0), (1.0, 0.886, 0.078, 1.0)


def simulated_in_gazebo(robot: RobotDescription) -> RobotDescription:
    """`robot`, if there can be a model of it.

    Raises:
        AmiError: there cannot, and why.
    """
    if robot.drive.kind == "ackermann":
        raise AmiError(f"robot {robot.name} steers like a car, and there are no cars for Gazebo: name another robot")
    for sensor in robot.sensors:
        if isinstance(sensor, CameraSensor) and sensor.overhead:
            raise AmiError(f"robot {robot.name}: camera {sensor.name} hangs over the whole world; Gazebo has none such")
        if isinstance(sensor, CameraSensor) and sensor.type == "compressed":
            raise AmiError(f"robot {robot.name}: camera {sensor.name} is compressed, Gazebo's are not: set type: raw")
        if isinstance(sensor, CameraSensor | LaserSensor) and sensor.mount is None:
            raise AmiError(f"robot {robot.name}: {sensor.name} has no mount, and Gazebo has to know where it sits")
    return robot


def gazebo_topic(name: str, topic: str) -> str:
    """Gazebo's topic of a robot's `topic`; `name` is that of its model."""
    return f"/model/{name}/{topic.lstrip('/')}"


def robot_model(robot: RobotDescription, name: str | None = None, laser: bool = True) -> Element:
    """The `<model>` of a robot; its origin is base_link, on the floor.

    Args:
        robot: its description.
        name: of the model; None: the robot's.
        laser: with a laser of Gazebo's, which its renderer draws.

    Raises:
        AmiError: there cannot be one, see `simulated_in_gazebo`.
    """
    simulated_in_gazebo(robot)
    name = sdf.unique_names([name or robot.name]).popitem()[1]
    model = ElementTree.Element("model", name=name)
    base = add(model, "link", name=robot.frames.base)
    _add_body(base, robot)
    half = robot.drive.track / 2
    places = [(half, 0.0), (-half, 0.0)]
    places += [(0.0, half), (0.0, -half)] if robot.drive.kind == "omnidirectional" else []
    for number, place in enumerate(places):
        _add_caster(base, number, place)
    if robot.drive.kind == "differential":
        for wheel, side in zip(WHEELS, (half, -half), strict=True):
            _add_wheel(model, robot.frames.base, wheel, side)
        _add_differential_drive(model, robot, name)
    else:
        _add_omnidirectional_drive(model, robot, name)
    for sensor in robot.sensors:
        if laser or not isinstance(sensor, LaserSensor):
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
    radius, height = robot.shape.radius, TOP - CLEARANCE
    across = BODY_MASS * (3 * radius**2 + height**2) / 12
    # Below the axle, as batteries are: a robot that brakes does not nod.
    sdf.add_inertia(base, BODY_MASS, (across, across, BODY_MASS * radius**2 / 2), [0, 0, WHEEL_RADIUS, 0, 0, 0])
    for tag in ("collision", "visual"):
        body = _part(base, tag, "body", [0, 0, CLEARANCE + height / 2, 0, 0, 0], "cylinder", [radius, height])
        if tag == "collision":
            _add_friction(body, 0.2)
        else:
            _paint(body, DARK)
    _paint(_part(base, "visual", "front", [radius / 2, 0, TOP, 0, 0, 0], "box", [radius / 2, radius, 0.005]), FRONT)


def _add_caster(base: Element, number: int, place: tuple[float, float]) -> None:
    caster = _part(base, "collision", f"caster_{number}", [*place, CASTER_RADIUS, 0, 0, 0], "sphere", [CASTER_RADIUS])
    _add_friction(caster, 0.0)


def _add_wheel(model: Element, base: str, name: str, side: float) -> None:
    """A wheel `side` [m] to the left. It is touched as a ball: a cylinder's edge makes it hop."""
    link = add(model, "link", name=name)
    add(link, "pose", [0, side, WHEEL_RADIUS, 0, 0, 0])
    across = WHEEL_MASS * (3 * WHEEL_RADIUS**2 + WHEEL_WIDTH**2) / 12
    sdf.add_inertia(link, WHEEL_MASS, (across, WHEEL_MASS * WHEEL_RADIUS**2 / 2, across))
    _add_friction(_part(link, "collision", name, [0] * 6, "sphere", [WHEEL_RADIUS]), 1.0)
    on_its_side = [0, 0, 0, math.pi / 2, 0, 0]
    _paint(_part(link, "visual", name, on_its_side, "cylinder", [WHEEL_RADIUS, WHEEL_WIDTH]), DARK)
    joint = add(model, "joint", name=f"{name}_joint", type="revolute")
    add(joint, "parent", base)
    add(joint, "child", name)
    axis = add(joint, "axis")
    add(axis, "xyz", [0, 1, 0])
    add(axis, "limit")
    for tag, value in (("lower", "-inf"), ("upper", "inf")):
        add(axis[-1], tag, value)


def _part(
    link: Element, tag: str, name: str, pose: Sequence[float], kind: str, size: Sequence[float]
) -> Element:  # fmt: skip
    part = add(link, tag, name=f"{name}_{tag}")
    add(part, "pose", pose)
    sdf.add_shape(part, kind, size)
    if tag == "visual":
        add(part, "visibility_flags", sdf.ROBOT_FLAG)
    return part


def _paint(visual: Element, rgba: Sequence[float]) -> None:
    material = add(visual, "material")
    for tag in ("ambient", "diffuse"):
        add(material, tag, [*linear_color(rgba[:3]), 1.0])


def _add_friction(collision: Element, friction: float) -> None:
    ode = add(add(add(collision, "surface"), "friction"), "ode")
    add(ode, "mu", friction)
    add(ode, "mu2", friction)


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


def _add_sensor(base: Element, robot: RobotDescription, sensor: Sensor, name: str) -> None:
    kinds = {CameraSensor: "camera", LaserSensor: "gpu_lidar", ImuSensor: "imu"}
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
    if isinstance(sensor, CameraSensor):
        add_camera(element, sensor, name)
    elif isinstance(sensor, LaserSensor):
        _add_laser(element, sensor, noise_of(robot).scan)
    else:
        reference = add(add(element, "imu"), "orientation_reference_frame")
        add(reference, "localization", "ENU")


def add_camera(element: Element, sensor: CameraSensor, name: str) -> Element:
    """Lens and picture of a camera whose info is a topic of the model `name`; returns the `<camera>`."""
    camera = add(element, "camera", name=element.get("name", ""))
    fx, fy, cx, cy = sensor.matrix
    add(camera, "camera_info_topic", gazebo_topic(name, sensor.info_topic))
    add(camera, "horizontal_fov", 2 * math.atan(sensor.width / 2 / fx))
    image = add(camera, "image")
    add(image, "width", sensor.width)
    add(image, "height", sensor.height)
    add(image, "format", "R8G8B8")
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
