"""What others take from the description of a robot: parameters and topics of nodes."""

from __future__ import annotations

import math
from typing import Any

from ami_ros.core.camera import Camera, CameraMount
from ami_ros.core.config import to_mapping
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.sensors import LensSensor

QUICK = 0.5  # [m/s] above which a robot looks farther ahead than is configured:
LOOKAHEAD, LEG = 3.0, 5.0  # [s] to a sub-goal, and in a leg of exploring, at the planned speed
# What is recorded beside the robot's own topics: for evaluation, where the scanner sits, and all that RViz's file,
# Foxglove's layout and the page of a replay show.
STACK_TOPICS = (
    *("ground_truth", "latent", "surprise", "location", "plan", "/tf_static", "/tf", "/diagnostics"),
    *("map", "keep_out_mask", "robot_description", "places", "place_graph", "pose", "footprint", "imagined"),
    *("moving_things", "people", "goal", "goal_markers", "goal_picture/compressed", "cmd_vel_raw", "planner/state"),
    *("planner/decision", "mission/decision", "safety/status", "supervisor/state"),
)


def safety_settings(robot: RobotDescription) -> dict[str, Any]:
    """The fields of `SafetyConfig` that are the robot's."""
    limits, braking, outline = robot.limits, robot.braking, [float(x) for xy in robot.shape.polygon for x in xy]
    return {
        "max_linear": limits.linear,
        "max_angular": limits.angular,
        "max_lateral": limits.lateral,
        "max_linear_acceleration": limits.linear_acceleration,
        "max_angular_acceleration": limits.angular_acceleration,
        "robot_radius": robot.shape.radius,
        **to_mapping(braking),
        **({"footprint": outline} if outline else {}),
        **({} if measures(robot) else {"measured": False}),
    }


def navigator_settings(robot: RobotDescription) -> dict[str, Any]:
    """The fields of `NavigatorConfig` that are the robot's; kinematics among them."""
    planned, disc = robot.planned, robot.shape.disc
    corridor_margin = 0.01  # [m] beyond the radius, that must be free on each side of the way to a sub-goal
    kinematics = {
        "drive": robot.drive.kind,
        "max_linear": planned.linear,
        "max_reverse": planned.backward,
        "max_retreat": min(planned.linear, robot.limits.backward),
        "max_angular": planned.angular,
        "max_lateral": planned.lateral,
        "turning_radius": robot.drive.turning_radius,
        "deceleration": robot.braking.deceleration,
        "reaction": robot.braking.reaction,
    }
    return {
        "planner": {
            "robot_radius": round(disc.radius, 6),
            "robot_middle": round(disc.middle, 6),
            "kinematics": kinematics,
        },
        "follower": {
            "width": round(disc.radius + corridor_margin, 6),
            **({"lookahead": round(LOOKAHEAD * planned.linear, 6)} if planned.linear > QUICK else {}),
        },
        **({} if measures(robot) else {"measured": False}),
    }


def measures(robot: RobotDescription) -> bool:
    """Whether a sensor measures its scans. Those that are guessed from pictures do not tell what moves."""
    return robot.laser is None or not robot.laser.from_camera


def memory_settings(robot: RobotDescription) -> dict[str, Any]:
    """The fields of `MemoryConfig` that are the robot's."""
    if measures(robot):
        return {}
    # Guessed scans tell no motion; wheels count for more once pictures have taught them their gains; places are off by
    # so much [m], [rad] at least, and beyond so much [m] other rooms look alike to guesses.
    odometry = {"measured": False, "turn_noise": 0.03, "drift_noise": 0.01}
    return {"front_end": {"odometry": odometry, "loop_closure": {"floor": [0.2, 0.06], "farthest": 3.0}}}


def exploration_settings(robot: RobotDescription) -> dict[str, Any]:
    """The fields of `ExplorationConfig` that are the robot's: one without a camera has no need to look around."""
    looks = {} if robot.camera is not None else {"look_apart": 0.0}
    looks |= {} if measures(robot) else {"measured": False}
    speed, stop = robot.planned.linear, robot.braking.distance(robot.planned.linear)
    quick = {"sight": LEG * speed, "passed": stop} if speed > QUICK else {}
    legs = {name: round(value, 6) for name, value in (quick | {"coast": stop / speed}).items()}
    return {"robot_radius": round(robot.shape.disc.radius, 6), **looks, **legs}


def picture_scan_settings(robot: RobotDescription) -> dict[str, Any]:
    """The fields of `PictureScanConfig`, of a robot whose scans are made of pictures; of others there are none."""
    laser = robot.laser
    if laser is None or not laser.from_camera:
        return {}
    shape = {"beams": laser.beams, "fov": laser.fov, "range_min": laser.range_min, "range_max": laser.range_max}
    return {**shape, "frame": laser.frame or robot.frames.base}


def depth_settings(robot: RobotDescription) -> dict[str, Any]:
    """The fields of `DepthConfig`, of a robot with a depth camera; of others there are none."""
    depth, laser = robot.depth, robot.laser
    if depth is None:
        return {}
    own = ("range_min", "range_max", "min_height", "max_height")
    found: dict[str, Any] = {name: getattr(depth, name) for name in own} | {"mount": to_mapping(_mount_of(depth))}
    if laser is not None and laser.from_depth:
        shape = {"beams": laser.beams, "fov": laser.fov, "scan_max": laser.range_max, "is_scan": True}
        return found | shape | {"frame": laser.frame or robot.frames.base}
    fov = math.degrees(2 * math.atan(depth.half_view[0]))
    return found | {"beams": max(2, round(fov)), "fov": round(fov, 3), "scan_max": min(3.0, depth.range_max)}


def depth_camera(robot: RobotDescription) -> Camera | None:
    """Its depth camera, as camera_info tells it."""
    depth = robot.depth
    if depth is None:
        return None
    fx, fy, cx, cy = depth.matrix
    return Camera(depth.width, depth.height, (fx, fy), (cx, cy))


def node_parameters(robot: RobotDescription) -> dict[str, dict[str, Any]]:
    """Parameters by node, nested; what a parameter file says goes above them."""
    frames, stamped = robot.frames, {"enable_stamped_cmd_vel": robot.command.stamped}
    mount = robot.laser.level_mount if robot.laser is not None else None
    scanner = {"scanner": to_mapping(mount)} if mount is not None else {}
    camera = {"compressed": robot.camera is not None and robot.camera.type == "compressed"}
    sits = {"camera": to_mapping(camera_mount(robot))}
    depth = {"depth_camera": settings} if (settings := depth_settings(robot)) else {}
    guessed = {"picture_scan": settings} if (settings := picture_scan_settings(robot)) else {}
    memory = {"memory": settings} if (settings := memory_settings(robot)) else {}
    exploration = {"exploration": settings} if (settings := exploration_settings(robot)) else {}
    return {
        "safety": {
            **stamped,
            **scanner,
            "base_frame": frames.base,
            "gate": safety_settings(robot),
            **depth,
            "keep_out": {"odom_frame": frames.odom, "map_frame": frames.map},
        },
        "supervisor": {**stamped, "base_frame": frames.base},
        "perception": {**camera, **sits, **guessed, **depth},
        "world_model": {**stamped, **camera, "odom_frame": frames.odom},
        "memory": {
            **stamped,
            **camera,
            **scanner,
            **sits,
            **memory,
            "base_frame": frames.base,
            "odom_frame": frames.odom,
            "map_frame": frames.map,
        },
        "planner": {
            **stamped,
            **scanner,
            **sits,
            "frames": to_mapping(frames),
            "tracks": measures(robot),
            "navigator": navigator_settings(robot),
        },
        "mission": {**scanner, "frames": to_mapping(frames), **exploration},
    }


def topics(robot: RobotDescription) -> dict[str, str]:
    """The robot's own name of each topic of the stack that leads to it or comes from it."""
    found = {"cmd_vel": robot.command.topic, "odom": robot.odometry.topic}
    if robot.camera is not None:
        found |= {"image": robot.camera.topic, "camera_info": robot.camera.info_topic}
    if robot.laser is not None:
        found["scan"] = robot.laser.topic
    if robot.depth is not None:
        found |= {"depth": robot.depth.topic, "depth_info": robot.depth.info_topic}
    return found


def recorded_topics(robot: RobotDescription) -> tuple[str, ...]:
    """What `Recorder` records of it; see there."""
    own = [topic for sensor in robot.sensors for topic in sensor.recorded]
    return (*own, robot.command.topic, *STACK_TOPICS)


def extraction_settings(robot: RobotDescription) -> dict[str, Any]:
    """The fields of `ExtractConfig` that are the robot's."""
    roles = {"odometry": robot.odometry.topic, "command": robot.command.topic}
    if robot.camera is not None:
        roles["image"] = robot.camera.recorded[0]
    if robot.laser is not None:
        roles["scan"] = robot.laser.topic
    mount = robot.laser.level_mount if robot.laser is not None else None
    scanner = {**to_mapping(mount), "fixed": False} if mount else None
    drive = {"lateral": robot.command_dim == 3}
    return {"topics": roles, "scanner": scanner, "pictures": robot.camera is not None, **drive}


def camera_mount(robot: RobotDescription) -> CameraMount:
    """Where the robot's camera sits; in its middle, where the description does not tell."""
    return _mount_of(robot.camera)


def _mount_of(sensor: LensSensor | None) -> CameraMount:
    at = sensor.mount if sensor is not None else None
    return CameraMount(at.x, at.y, at.yaw, at.z, at.pitch, at.roll) if at is not None else CameraMount()
