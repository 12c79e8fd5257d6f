"""Robot -> a model for Gazebo, from its description: body, drive and sensors, on topics below /model/NAME.

A photographer is a camera like the robot's that stands anywhere: a robot that is put where a picture is to be taken,
and back, would see places pass that it never drove by.
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

from ami_ros.errors import AmiError
from ami_ros.robots.description import RobotDescription
from ami_ros.robots.sensors import CameraSensor, DepthSensor, ImuSensor, LaserSensor, LensSensor, Pose3, Sensor
from ami_ros.simulation.gazebo import sdf
from ami_ros.simulation.gazebo.drive_sdf import add_drive
from ami_ros.simulation.gazebo.robot_urdf import CLEARANCE, TOP, robot_urdf
from ami_ros.simulation.gazebo.sdf import DARK, Element, add, add_friction, add_part, add_plugin, gazebo_topic, paint
from ami_ros.simulation.noise import noise_of
from ami_ros.simulation.robot_model import WHEEL_RADIUS
from ami_ros.simulation.world import BLIND

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
