"""Robot -> a model for Gazebo, from its description: body, drive and sensors, on topics below /model/NAME; its URDF;
and the table of topics between Gazebo and ROS.

A photographer is a camera like the robot's that stands anywhere: a robot that is put where a picture is to be taken,
and back, would see places pass that it never drove by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.sensors import CameraSensor, DepthSensor, ImuSensor, LaserSensor, LensSensor, Pose3, Sensor
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.sdf import (
    DARK,
    Element,
    Tree,
    Value,
    add,
    add_color,
    add_friction,
    add_part,
    add_plugin,
    document,
    gazebo_topic,
    text,
)
from ami_ros.simulation.noise import noise_of
from ami_ros.simulation.robot_model import STEERED, WHEEL, WHEEL_RADIUS, WHEELS, steering_of, wheel_places
from ami_ros.simulation.world import BLIND

PHOTOGRAPHER = "photographer"
PICTURE, TRIGGER = gazebo_topic(PHOTOGRAPHER, "image"), gazebo_topic(PHOTOGRAPHER, "trigger")
AWAY = (0.0, 0.0, -10.0, 0.0, 0.0, 0.0)  # where the photographer waits


@dataclass(frozen=True)
class Chassis:
    """A robot's body, wheels and casters; masses are those of the MuJoCo model."""

    clearance: float = 0.03  # of the body's underside above the floor [m]
    top: float = 0.2  # of the body above the floor [m]
    mass: float = 4.0  # [kg]
    wheel_width: float = 0.03  # [m]
    wheel_mass: float = 0.3  # [kg]
    knuckle_mass: float = 0.05  # [kg]
    knuckle_radius: float = 0.03  # [m]
    caster_radius: float = 0.02  # [m]


CHASSIS = Chassis()


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
    _add_wheels(model, base, robot)
    _add_drive(model, robot, name)
    for sensor in robot.sensors:
        if not isinstance(sensor, LaserSensor) or not sensor.is_made:
            _add_sensor(base, robot, sensor, name)
    contact: Tree = {"collision": "body_collision", "topic": gazebo_topic(name, "contacts")}
    add(base, "sensor", {"always_on": True, "contact": contact}, name="bumper", type="contact")
    add_plugin(
        model, "pose-publisher", "PosePublisher", topic=gazebo_topic(name, "ground_truth"), publish_model_pose=True,
        publish_link_pose=False, publish_nested_model_pose=False, use_pose_vector_msg=False,
        update_frequency=max([10.0, *(scanner.rate for scanner in robot.sensors_of(LaserSensor))]),
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
    sdf.write(folder / "model.sdf", document(root))
    sdf.write(folder / "model.config", document(about))
    sdf.write(folder / f"{robot.name}.urdf", robot_urdf(robot))


def _add_body(base: Element, robot: RobotDescription) -> None:
    """A drum; its front half has a bright edge on top."""
    disc, height, mass = robot.shape.disc, CHASSIS.top - CHASSIS.clearance, CHASSIS.mass
    radius, middle = disc.radius, [disc.middle, 0, CHASSIS.clearance + height / 2, 0, 0, 0]
    across = mass * (3 * radius**2 + height**2) / 12
    # Below the axle, as batteries are: a robot that brakes does not nod; of a car between its axles.
    ahead = robot.drive.wheelbase / 2 if robot.drive.kind == "ackermann" else 0.0
    sdf.add_inertia(base, mass, (across, across, mass * radius**2 / 2), [ahead, 0, WHEEL_RADIUS, 0, 0, 0])
    add_friction(add_part(base, "collision", "body", middle, "cylinder", [radius, height]), 0.2)
    add_color(add_part(base, "visual", "body", middle, "cylinder", [radius, height]), DARK)
    front = [disc.middle + radius / 2, 0, CHASSIS.top, 0, 0, 0]
    bright = (1.0, 0.886, 0.078, 1.0)
    add_color(add_part(base, "visual", "front", front, "box", [radius / 2, radius, 0.005]), bright)


# What it stands on and what drives it


def _add_wheels(model: Element, base: Element, robot: RobotDescription) -> None:
    drive, half = robot.drive, robot.drive.track / 2
    casters = [] if drive.kind == "ackermann" else [(half, 0.0), (-half, 0.0)]
    casters += [(0.0, half), (0.0, -half)] if drive.kind == "omnidirectional" else []
    radius = CHASSIS.caster_radius
    for number, place in enumerate(casters):
        pose = [*place, radius, 0, 0, 0]
        add_friction(add_part(base, "collision", f"caster_{number}", pose, "sphere", [radius]), 0.0)
    for wheel, place in wheel_places(drive).items():
        parent = robot.frames.base
        if wheel in STEERED:  # it rolls freely, on a knuckle that turns about the vertical above where it stands
            knuckle = add(model, "link", {"pose": [*place, WHEEL_RADIUS, 0, 0, 0]}, name=steering_of(wheel))
            moment = CHASSIS.knuckle_mass * CHASSIS.knuckle_radius**2 * 2 / 5
            sdf.add_inertia(knuckle, CHASSIS.knuckle_mass, [moment] * 3)
            inner = math.atan(drive.wheelbase / (drive.turning_radius - drive.track / 2))
            limits: Tree = {"lower": -inner, "upper": inner, "effort": WHEEL.steering_torque,
                            "velocity": robot.simulated.steering_rate}  # fmt: skip
            _add_joint(model, parent, steering_of(wheel), [0, 0, 1], limits)
            parent = steering_of(wheel)
        _add_wheel(model, parent, wheel, place)


def _add_wheel(model: Element, parent: str, name: str, place: tuple[float, float]) -> None:
    """A wheel on the link `parent`, at `place` (x, y) [m]. It is touched as a ball: a cylinder's edge makes it hop."""
    link = add(model, "link", {"pose": [*place, WHEEL_RADIUS, 0, 0, 0]}, name=name)
    mass, width = CHASSIS.wheel_mass, CHASSIS.wheel_width
    across = mass * (3 * WHEEL_RADIUS**2 + width**2) / 12
    sdf.add_inertia(link, mass, (across, mass * WHEEL_RADIUS**2 / 2, across))
    add_friction(add_part(link, "collision", name, [0] * 6, "sphere", [WHEEL_RADIUS]), 1.0)
    on_its_side = [0, 0, 0, math.pi / 2, 0, 0]
    add_color(add_part(link, "visual", name, on_its_side, "cylinder", [WHEEL_RADIUS, width]), DARK)
    _add_joint(model, parent, name, [0, 1, 0], {"lower": "-inf", "upper": "inf"})


def _add_joint(model: Element, parent: str, child: str, axis: Sequence[float], limits: Tree) -> None:
    joint: Tree = {"parent": parent, "child": child, "axis": {"xyz": axis, "limit": limits}}
    add(model, "joint", joint, name=f"{child}_joint", type="revolute")


def _add_drive(model: Element, robot: RobotDescription, name: str) -> None:
    """The systems of gz-sim that drive it, below the topics of the model `name`.

    A car's has no limits of speed and acceleration: AckermannSteering (gz-sim 8) has the same for driving and turning.
    An omnidirectional robot has no wheels: its velocity is set, as mecanum wheels that do not slip would have it.
    """
    drive, motors, limits, frames = robot.drive, robot.simulated, robot.limits, robot.frames
    command, tf = gazebo_topic(name, robot.command.topic), gazebo_topic(name, "tf")
    left, right = (f"{wheel}_joint" for wheel in WHEELS)
    odometry: dict[str, Value] = {
        "odom_topic": gazebo_topic(name, robot.odometry.topic), "tf_topic": tf,
        "odom_publish_frequency": robot.odometry.rate,
    }  # fmt: skip
    if drive.kind == "omnidirectional":
        add_plugin(model, "velocity-control", "VelocityControl", topic=command)
        add_plugin(
            model, "odometry-publisher", "OdometryPublisher", odom_frame=frames.odom, robot_base_frame=frames.base,
            dimensions=2, **odometry,
        )  # fmt: skip
        return
    wheels: dict[str, Value] = {
        "left_joint": left, "right_joint": right, "wheel_separation": drive.track, "wheel_radius": WHEEL_RADIUS,
        "topic": command, "frame_id": frames.odom, "child_frame_id": frames.base, **odometry,
    }  # fmt: skip
    if drive.kind == "differential":
        add_plugin(
            model, "diff-drive", "DiffDrive", **wheels,
            min_linear_velocity=-limits.backward, max_linear_velocity=limits.linear,
            min_angular_velocity=-limits.angular, max_angular_velocity=limits.angular,
            min_linear_acceleration=-motors.linear_acceleration, max_linear_acceleration=motors.linear_acceleration,
            min_angular_acceleration=-motors.angular_acceleration, max_angular_acceleration=motors.angular_acceleration,
        )  # fmt: skip
        return
    steer_left, steer_right = (f"{steering_of(wheel)}_joint" for wheel in STEERED)
    add_plugin(
        model, "ackermann-steering", "AckermannSteering", **wheels, left_steering_joint=steer_left,
        right_steering_joint=steer_right, wheel_base=drive.wheelbase, kingpin_width=drive.track,
        # Its tightest curve is wheel_base / sin(steering_limit).
        steering_limit=math.asin(drive.wheelbase / drive.turning_radius), steer_p_gain=1 / motors.lag,
    )  # fmt: skip


# Sensors


def _add_sensor(base: Element, robot: RobotDescription, sensor: Sensor, name: str) -> None:
    kinds = {CameraSensor: "camera", DepthSensor: "depth_camera", LaserSensor: "gpu_lidar", ImuSensor: "imu"}
    kind = kinds.get(type(sensor))
    if kind is None:
        return  # the drive tells odometry
    at = sensor.mount or Pose3()
    height = max(at.z, BLIND) if isinstance(sensor, LaserSensor) else at.z  # as in our own simulator
    common: Tree = {
        "pose": [at.x, at.y, height, at.roll, at.pitch, at.yaw], "topic": gazebo_topic(name, sensor.topic),
        "update_rate": sensor.rate, "always_on": True,
        "gz_frame_id": sensor.frame or robot.frames.base,  # read by gz-sensors; sdformat has no word for it
    }  # fmt: skip
    element = add(base, "sensor", common, name=sdf.unique_names([sensor.name]).popitem()[1], type=kind)
    if isinstance(sensor, LensSensor):
        _add_camera(element, sensor, name)
    elif isinstance(sensor, LaserSensor):
        first = -math.radians(sensor.fov) / 2  # its beams are those of `LaserSensor`, of a full turn one less
        beams: Tree = {"samples": sensor.beams, "resolution": 1.0, "min_angle": first,
                       "max_angle": first + sensor.increment * (sensor.beams - 1)}  # fmt: skip
        add(element, "lidar", {
            "scan": {"horizontal": beams}, "range": {"min": sensor.range_min, "max": sensor.range_max},
            "noise": {"type": "gaussian", "stddev": noise_of(robot).scan}, "visibility_mask": str(sdf.SEEN),
        })  # fmt: skip
    else:
        add(element, "imu", {"orientation_reference_frame": {"localization": "ENU"}})


def _add_camera(element: Element, sensor: LensSensor, name: str, **more: Value) -> None:
    """Lens and picture of a camera whose info is a topic of the model `name`."""
    fx, fy, cx, cy = sensor.matrix
    lens: Tree = {}
    if sensor.intrinsics is not None:
        # gz-sensors counts pixels from the edge of the picture, not from the middle of the first one.
        pixels: Tree = {"fx": fx, "fy": fy, "cx": cx + 0.5, "cy": cy + 0.5, "s": 0.0}
        lens = {"lens": {"type": "gnomonical", "scale_to_hfov": True, "intrinsics": pixels}}
    kind = "R_FLOAT32" if isinstance(sensor, DepthSensor) else "R8G8B8"
    add(element, "camera", {
        "camera_info_topic": gazebo_topic(name, sensor.info_topic),
        "horizontal_fov": 2 * math.atan(sensor.width / 2 / fx),
        "image": {"width": sensor.width, "height": sensor.height, "format": kind},
        "clip": {"near": 0.02, "far": 50.0},
        **lens, "visibility_mask": str(sdf.SEEN), "optical_frame_id": sensor.frame or "base_link", **more,
    }, name=element.get("name", ""))  # fmt: skip


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
    eye: Tree = {"pose": [at.x, at.y, at.z, at.roll, at.pitch, at.yaw], "topic": PICTURE, "update_rate": sensor.rate,
                 "always_on": True, "gz_frame_id": PHOTOGRAPHER}  # fmt: skip
    element = add(add(model, "link", name="link"), "sensor", eye, name="camera", type="camera")
    _add_camera(element, sensor, PHOTOGRAPHER, triggered=True, trigger_topic=TRIGGER)
    return model


# URDF: frames for robot_state_publisher, and an outline for those who draw or plan with it


def robot_urdf(robot: RobotDescription) -> str:
    """A URDF document: the base, its wheels, and the frame of each sensor that has a mount and a frame of its own.

    The wheels do not turn in it: no joint states are needed.
    """
    from scipy.spatial.transform import Rotation  # late: who needs the topics alone does without

    root, base, disc = ElementTree.Element("robot", name=robot.name), robot.frames.base, robot.shape.disc
    drum, height = add(root, "link", name=base), CHASSIS.top - CHASSIS.clearance
    for tag in ("visual", "collision"):
        middle = [disc.middle, 0, (CHASSIS.clearance + CHASSIS.top) / 2]
        _add_cylinder(drum, tag, middle, [0, 0, 0], disc.radius, height)
    for name, place in wheel_places(robot.drive).items():
        link = add(root, "link", name=name)
        _add_cylinder(link, "visual", [0, 0, 0], [math.pi / 2, 0, 0], WHEEL_RADIUS, CHASSIS.wheel_width)
        _fix(root, base, name, [*place, WHEEL_RADIUS], [0.0, 0.0, 0.0])
    optical = Rotation.from_euler("xyz", [-math.pi / 2, 0.0, -math.pi / 2])  # z forwards in x forwards (REP 103)
    for sensor in robot.sensors:
        at = sensor.mount
        if at is None or sensor.frame in ("", base):
            continue
        turn = Rotation.from_euler("xyz", [at.roll, at.pitch, at.yaw])
        turn = turn * optical if isinstance(sensor, LensSensor) else turn
        add(root, "link", name=sensor.frame)
        _fix(root, base, sensor.frame, [at.x, at.y, at.z], turn.as_euler("xyz").tolist())
    return document(root)


def _fix(root: Element, parent: str, child: str, place: Sequence[float], turn: Sequence[float]) -> None:
    joint = add(root, "joint", name=f"{child}_joint", type="fixed")
    add(joint, "parent", link=parent)
    add(joint, "child", link=child)
    add(joint, "origin", xyz=text(place), rpy=text(turn))


def _add_cylinder(
    link: Element, tag: str, place: Sequence[float], turn: Sequence[float], radius: float, length: float
) -> None:
    part = add(link, tag)
    if tag == "visual":  # RViz paints in red what has no material
        add(add(part, "material", name="grey"), "color", rgba="0.6 0.6 0.65 1")
    add(part, "origin", xyz=text(place), rpy=text(turn))
    add(add(part, "geometry"), "cylinder", radius=text(radius), length=text(length))


# Topics, for ros_gz_bridge


@dataclass(frozen=True)
class Bridged:
    """One topic: its names and types on both sides, and who hears it."""

    ros_topic: str  # relative: below the robot's namespace
    ros_type: str
    gz_topic: str
    gz_type: str
    direction: Literal["GZ_TO_ROS", "ROS_TO_GZ"] = "GZ_TO_ROS"

    def entry(self) -> dict[str, Any]:
        """As ros_gz_bridge's config_file has it."""
        return {
            "ros_topic_name": self.ros_topic,
            "gz_topic_name": self.gz_topic,
            "ros_type_name": self.ros_type,
            "gz_type_name": self.gz_type,
            "direction": self.direction,
            "publisher_queue": 1,  # the newest command and the newest picture are the ones that count
            "subscriber_queue": 1,
        }


def clock_topics() -> list[Bridged]:
    """The clock, for a process of its own: pictures must not hold it up."""
    return [Bridged("/clock", "rosgraph_msgs/msg/Clock", "/clock", "gz.msgs.Clock")]


def robot_topics(robot: RobotDescription, name: str, prefix: str = "") -> list[Bridged]:
    """The topics of a robot whose model is called `name`; commands come from `command_timeout`.

    Args:
        robot: its description.
        name: of its model, below which a model of ours has its topics.
        prefix: of its topics in Gazebo, where the model is not ours: "/" where they are called as in ROS.
    """
    below = prefix or gazebo_topic(name, "")
    command = "geometry_msgs/msg/TwistStamped" if robot.command.stamped else "geometry_msgs/msg/Twist"
    told = [
        (robot.odometry.topic, "nav_msgs/msg/Odometry", "gz.msgs.Odometry"),
        ("tf", "tf2_msgs/msg/TFMessage", "gz.msgs.Pose_V"),
        ("ground_truth", "geometry_msgs/msg/PoseStamped", "gz.msgs.Pose"),
        ("contacts", "ros_gz_interfaces/msg/Contacts", "gz.msgs.Contacts"),
    ]
    for sensor in robot.sensors:
        if isinstance(sensor, LensSensor):
            told.append((sensor.topic, "sensor_msgs/msg/Image", "gz.msgs.Image"))
            told.append((sensor.info_topic, "sensor_msgs/msg/CameraInfo", "gz.msgs.CameraInfo"))
        elif isinstance(sensor, LaserSensor) and not sensor.is_made:
            told.append((sensor.topic, "sensor_msgs/msg/LaserScan", "gz.msgs.LaserScan"))
        elif isinstance(sensor, ImuSensor):
            told.append((sensor.topic, "sensor_msgs/msg/Imu", "gz.msgs.IMU"))
    driven = Bridged("cmd_vel_base", command, below + robot.command.topic.lstrip("/"), "gz.msgs.Twist", "ROS_TO_GZ")
    return [driven, *(Bridged(topic, ros, below + topic.lstrip("/"), gz) for topic, ros, gz in told)]
