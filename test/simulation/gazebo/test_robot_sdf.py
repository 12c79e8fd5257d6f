"""Robots as Gazebo, robot_state_publisher and the bridge get them: what their descriptions say, and nothing else."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.derived import topics
from ami_ros.core.robots.description import RobotDescription, load_robot
from ami_ros.core.robots.sensors import LaserSensor, LensSensor
from ami_ros.ros.interfaces import INTERFACES
from ami_ros.ros.start.gazebo import write_files
from ami_ros.simulation.gazebo.robot_sdf import (
    PHOTOGRAPHER,
    clock_topics,
    photographer_model,
    robot_model,
    robot_topics,
    robot_urdf,
    write_robot,
)
from ami_ros.simulation.gazebo.sdf import gazebo_topic
from ami_ros.simulation.gazebo.world_sdf import write_world
from ami_ros.simulation.robot import wheel_angles
from ami_ros.simulation.robot_model import STEERED, steering_of
from ami_ros.simulation.world import World
from harness import sdf
from harness.processes import REPOSITORY
from harness.sdf import ROBOTS


@pytest.fixture(params=ROBOTS)
def robot(request: pytest.FixtureRequest) -> RobotDescription:
    return load_robot(request.param)


def number(element: ElementTree.Element, path: str) -> float:
    return float(element.findtext(path) or "nan")


def test_robot_stands_in_a_world_that_keeps_the_rules(robot: RobotDescription, empty: World, tmp_path: Path) -> None:
    path = write_world(empty, tmp_path, robot_model(robot), (1.0, 1.5, 0.5))
    assert sdf.broken_rules(path) == []
    poses = [model.findtext("pose") for model in ElementTree.parse(path).getroot().iter("model")]
    assert "1 1.5 0 0 0 0.5" in poses


def test_camera_has_the_lens_mount_and_frame_that_are_described(robot: RobotDescription) -> None:
    camera = robot.camera
    sensor = robot_model(robot).find("link/sensor[@type='camera']")
    if camera is None:
        assert sensor is None
        return
    assert camera.mount is not None and sensor is not None
    at = camera.mount
    assert sensor.findtext("pose") == " ".join(f"{v:.9g}" for v in (at.x, at.y, at.z, at.roll, at.pitch, at.yaw))
    assert number(sensor, "camera/image/width") / 2 / math.tan(
        number(sensor, "camera/horizontal_fov") / 2
    ) == pytest.approx(camera.matrix[0], rel=1e-6)
    assert sensor.findtext("camera/optical_frame_id") == sensor.findtext("gz_frame_id") == camera.frame
    assert number(sensor, "update_rate") == camera.rate


def test_calibrated_camera_draws_a_point_where_its_intrinsics_say() -> None:
    """gz-sensors (8.2) counts pixels from the picture's edge, ROS and we from the middle of the first one."""
    camera = load_robot("turtlebot3_waffle_pi").camera
    assert camera is not None and camera.intrinsics is not None
    sensor = robot_model(load_robot("turtlebot3_waffle_pi")).find("link/sensor[@type='camera']")
    assert sensor is not None
    fx, fy, cx, cy = (number(sensor, f"camera/lens/intrinsics/{tag}") for tag in ("fx", "fy", "cx", "cy"))
    for x, y in ((0.0, 0.0), (0.3, -0.2)):  # to the right and below, at a depth of 1
        theirs = np.array([fx * x + cx, fy * y + cy]) - 0.5  # CameraSensor::BuildProjectionMatrix, in whole pixels
        assert theirs == pytest.approx(
            [camera.matrix[0] * x + camera.matrix[2], camera.matrix[1] * y + camera.matrix[3]]
        )


def test_beams_of_the_lidar_are_those_of_the_described_laser(robot: RobotDescription) -> None:
    laser = robot.laser
    assert laser is not None
    sensor = robot_model(robot).find("link/sensor[@type='gpu_lidar']")
    assert sensor is not None
    turn = sensor.find("lidar/scan/horizontal")
    assert turn is not None
    theirs = np.linspace(number(turn, "min_angle"), number(turn, "max_angle"), int(number(turn, "samples")))
    assert theirs == pytest.approx(laser.scan(np.zeros(laser.beams, np.float32)).angles, abs=1e-6)
    assert number(sensor, "lidar/range/min") == laser.range_min and number(sensor, "lidar/range/max") == laser.range_max


def test_sensors_do_not_see_their_own_robot(robot: RobotDescription) -> None:
    model = robot_model(robot)
    flags = [int(v.text or "") for v in model.iter("visibility_flags")]
    masks = [int(v.text or "") for v in model.iter("visibility_mask")]
    assert len(flags) == len(list(model.iter("visual"))) and len(masks) == 1 + (robot.camera is not None)
    assert not any(flag & mask for flag in flags for mask in masks)


def test_drive_keeps_the_limits_and_frames_of_the_robot(robot: RobotDescription) -> None:
    model = robot_model(robot, "r2")
    systems = ("DiffDrive", "VelocityControl", "AckermannSteering")
    drive = next(p for p in model.iter("plugin") if p.get("name", "").endswith(systems))
    assert drive.findtext("topic") == "/model/r2/cmd_vel"
    if robot.drive.kind != "differential":
        return
    assert number(drive, "wheel_separation") == robot.drive.track
    assert number(drive, "max_linear_velocity") == robot.limits.linear
    assert number(drive, "min_linear_velocity") == -robot.limits.backward
    assert number(drive, "max_angular_velocity") == robot.limits.angular
    assert drive.findtext("odom_topic") == gazebo_topic("r2", robot.odometry.topic)
    sides = [float(v.split()[1]) for link in model.findall("link")[1:] if (v := link.findtext("pose"))]
    assert sides == [robot.drive.track / 2, -robot.drive.track / 2]


def test_car_has_the_geometry_and_the_tightest_curve_of_the_robot() -> None:
    robot = load_robot("ami_bot_ackermann")
    model, drive = robot_model(robot, "r2"), robot.drive
    steering = next(p for p in model.iter("plugin") if p.get("filename") == "gz-sim-ackermann-steering-system")
    places = {link.get("name"): [float(v) for v in link.findtext("pose", "0 0").split()[:2]] for link in model}
    named = {tag: steering.findtext(tag, "").removesuffix("_joint") for tag in ("left_joint", "right_joint")}
    named |= {tag: steering.findtext(tag, "").removesuffix("_joint") for tag in ("left_steering_joint",)}
    assert places[named["left_joint"]] == [0.0, drive.track / 2] and places[named["right_joint"]][1] == -drive.track / 2
    assert places[named["left_steering_joint"]] == [drive.wheelbase, drive.track / 2]
    assert number(steering, "wheel_separation") == number(steering, "kingpin_width") == drive.track
    # As gz-sim 8 has it, in AckermannSteering.cc.
    tightest = number(steering, "wheel_base") / math.sin(number(steering, "steering_limit"))
    assert tightest == pytest.approx(drive.turning_radius)
    assert steering.findtext("odom_topic") == gazebo_topic("r2", robot.odometry.topic)


def test_front_wheels_turn_on_knuckles_as_far_and_as_fast_as_they_are_steered() -> None:
    robot = load_robot("ami_bot_ackermann")
    model = robot_model(robot)
    inner, _ = wheel_angles(robot.drive, 1 / robot.drive.turning_radius)
    for wheel in STEERED:
        knuckle = model.find(f"joint[@name='{steering_of(wheel)}_joint']")
        assert knuckle is not None and knuckle.findtext("axis/xyz") == "0 0 1"
        assert number(knuckle, "axis/limit/upper") == -number(knuckle, "axis/limit/lower") == pytest.approx(inner)
        assert number(knuckle, "axis/limit/velocity") == robot.simulated.steering_rate
        rolls = model.find(f"joint[@name='{wheel}_joint']")
        assert rolls is not None and rolls.findtext("parent") == steering_of(wheel)


def test_robots_that_gazebo_cannot_have_are_refused() -> None:
    car = load_robot("ami_bot_ackermann")
    with pytest.raises(AmiError, match="by 45 degrees at most"):
        robot_model(replace(car, drive=replace(car.drive, wheelbase=0.4)))
    with pytest.raises(AmiError, match="has no mount"):
        robot_model(load_robot("turtlebot4").with_sensor("oakd", mount=None))


def test_urdf_places_the_frames_of_sensors_as_described(robot: RobotDescription) -> None:
    root = ElementTree.fromstring(robot_urdf(robot))
    links = [link.get("name", "") for link in root.findall("link")]
    children = [child.get("link", "") for child in root.findall("joint/child")]
    assert len(set(links)) == len(links) and sorted(children) == sorted(links[1:]) and links[0] == robot.frames.base
    for sensor in robot.sensors:
        if not isinstance(sensor, LensSensor | LaserSensor) or sensor.frame in ("", robot.frames.base):
            continue
        origin = root.find(f"joint[@name='{sensor.frame}_joint']/origin")
        assert origin is not None and sensor.mount is not None
        at = sensor.mount
        assert [float(v) for v in origin.get("xyz", "").split()] == pytest.approx([at.x, at.y, at.z])
        turn = Rotation.from_euler("xyz", [float(v) for v in origin.get("rpy", "").split()])
        ahead = turn.apply([0, 0, 1] if isinstance(sensor, LensSensor) else [1, 0, 0])
        assert ahead == pytest.approx(
            Rotation.from_euler("xyz", [at.roll, at.pitch, at.yaw]).apply([1, 0, 0]), abs=1e-6
        )


@pytest.mark.parametrize("name", ["ami_bot", "ami_bot_ackermann", "ami_bot_omnidirectional"])
def test_description_that_ships_is_that_of_the_robot(name: str, tmp_path: Path) -> None:
    write_robot(load_robot(name), tmp_path)
    ours = {file.name: file.read_text() for file in (REPOSITORY / "description" / name).iterdir()}
    assert ours == {file.name: file.read_text() for file in tmp_path.iterdir()}, f"write it: ./ami robot {name} --out"


# The camera that takes pictures of goals


def test_a_photographers_lens_and_mount_are_the_robots_and_it_waits_for_a_trigger(tmp_path: Path) -> None:
    world = write_files(tmp_path, "two_rooms", "ami_bot", photographer=True).world
    assert sdf.broken_rules(world) == []
    models = {model.get("name"): model for model in ElementTree.parse(world).getroot().iter("model")}
    own = models[PHOTOGRAPHER].find(".//sensor")
    robots = models["ami_bot"].find(".//sensor[@type='camera']")
    assert own is not None and robots is not None
    for path in ("pose", "camera/horizontal_fov", "camera/image/width", "camera/clip/near", "camera/visibility_mask"):
        assert own.findtext(path) == robots.findtext(path) is not None
    assert own.findtext("camera/triggered") == "true" and robots.find("camera/triggered") is None
    assert models[PHOTOGRAPHER].find(".//collision") is None and models[PHOTOGRAPHER].find(".//visual") is None


def test_robot_without_a_camera_has_no_photographer() -> None:
    robot = load_robot("ami_bot")
    blind = replace(robot, sensors=tuple(s for s in robot.sensors if s is not robot.camera))
    with pytest.raises(AmiError, match="no camera"):
        photographer_model(blind)


# The bridge

# What ros_gz_bridge of Jazzy converts into each other (its README).
CONVERTED = {
    "geometry_msgs/msg/PoseStamped": "gz.msgs.Pose", "geometry_msgs/msg/Twist": "gz.msgs.Twist",
    "geometry_msgs/msg/TwistStamped": "gz.msgs.Twist", "nav_msgs/msg/Odometry": "gz.msgs.Odometry",
    "ros_gz_interfaces/msg/Contacts": "gz.msgs.Contacts", "rosgraph_msgs/msg/Clock": "gz.msgs.Clock",
    "sensor_msgs/msg/CameraInfo": "gz.msgs.CameraInfo", "sensor_msgs/msg/Image": "gz.msgs.Image",
    "sensor_msgs/msg/Imu": "gz.msgs.IMU", "sensor_msgs/msg/LaserScan": "gz.msgs.LaserScan",
    "tf2_msgs/msg/TFMessage": "gz.msgs.Pose_V",
}  # fmt: skip


def test_bridge_has_what_the_stack_hears_of_a_simulated_robot(robot: RobotDescription) -> None:
    names = topics(robot)
    # Beside Gazebo robot_state_publisher tells the description, as on a robot.
    lacking = {"image": robot.camera is None, "camera_info": robot.camera is None, "robot_description": True}
    bridged = {t.ros_topic: t.ros_type for t in (*robot_topics(robot, "r"), *clock_topics())}
    for topic, kind in INTERFACES["simulator"].publishes.items():
        if topic.startswith("~") or lacking.get(topic):
            continue
        assert bridged[names.get(topic, topic)] == kind, topic
    # Commands take the way over the node that stops the base when they cease.
    assert names["cmd_vel"] not in bridged and "cmd_vel_base" in INTERFACES["command_timeout"].publishes


def test_bridge_and_model_speak_of_the_same_topics_of_gazebo(robot: RobotDescription) -> None:
    model = robot_model(robot, "r")
    tags = ("topic", "odom_topic", "tf_topic", "camera_info_topic")
    theirs = {element.text for tag in tags for element in model.iter(tag)}
    assert {t.gz_topic for t in robot_topics(robot, "r")} == theirs


def test_a_model_of_its_maker_has_topics_where_its_maker_put_them() -> None:
    """As turtlebot3_gazebo's model.sdf of the Waffle Pi has them: beside each other, called as in ROS."""
    found = {t.gz_topic for t in robot_topics(load_robot("turtlebot3_waffle_pi"), "turtlebot3_waffle_pi", prefix="/")}
    assert {"/cmd_vel", "/odom", "/tf", "/scan", "/imu", "/camera/image_raw", "/camera/camera_info"} <= found


def test_bridge_asks_for_conversions_that_there_are(robot: RobotDescription) -> None:
    for topic in (*robot_topics(robot, "r"), *clock_topics()):
        assert CONVERTED[topic.ros_type] == topic.gz_type
        entry = topic.entry()
        assert set(entry) <= {
            "ros_topic_name", "gz_topic_name", "ros_type_name", "gz_type_name", "direction", "publisher_queue",
            "subscriber_queue",
        }  # fmt: skip
        assert entry["direction"] == ("ROS_TO_GZ" if topic.ros_topic == "cmd_vel_base" else "GZ_TO_ROS")


def test_commands_have_the_type_that_the_robot_takes() -> None:
    robot = load_robot("ami_bot")
    plain = replace(robot, command=replace(robot.command, stamped=False))
    types = [next(t.ros_type for t in robot_topics(r, "r") if t.ros_topic == "cmd_vel_base") for r in (robot, plain)]
    assert types == ["geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist"]
    assert [t.ros_topic for t in clock_topics()] == ["/clock"], "it has a bridge of its own"
    assert "/clock" not in {t.ros_topic for t in robot_topics(robot, "r")}
