"""Which model fits a robot: its commands, speeds, rates and sensors have to be those that the model learned from."""

from __future__ import annotations

import math

from ami_ros.core.camera import Camera, Rectifier
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import DEFAULT, RobotDescription
from ami_ros.core.robots.sensors import INTRINSICS_TOLERANCE, CameraSensor, LaserSensor
from ami_ros.world_model.model_files import identify_model, shipped_models
from ami_ros.world_model.spec import InputSpec, ModelSpec

LASER = "laser"  # preset of robots without a camera, and the folder of their model in models/


def check_model(robot: RobotDescription, spec: ModelSpec, model: str) -> None:
    """Whether a model of `spec` can drive the robot.

    Args:
        model: what the user calls it, for messages.

    Raises:
        AmiError: it cannot, and why.
    """
    reason = _misfit(robot, spec)
    if reason:
        fitting = [name for name in shipped_models() if not _misfit(robot, identify_model(name).spec)]
        remedy = f"of those that come with ami_ros, {', '.join(fitting)} would" if fitting else "./ami train makes one"
        raise AmiError(f"model {model} does not fit robot {robot.name}: {reason}; {remedy}")


def _misfit(robot: RobotDescription, spec: ModelSpec) -> str:
    if spec.command_dim != robot.command_dim:
        drive = robot.drive.kind
        return f"its commands have {spec.command_dim} numbers, and a robot that is {drive} takes {robot.command_dim}"
    if spec.turning_radius and robot.drive.kind != "ackermann":
        return f"it has learned from a car, and a robot that is {robot.drive.kind} turns on the spot"
    if spec.turning_radius > robot.drive.turning_radius + 1e-9:
        return f"it has learned curves from {spec.turning_radius} m on, turning_radius is {robot.drive.turning_radius}"
    for speed in ("linear", "angular", "lateral"):
        learned, planned = getattr(spec, f"max_{speed}"), getattr(robot.planned, speed)
        if planned > learned + 1e-9:
            return f"it has learned speeds of up to {learned}, planned.{speed} is {planned}"
    sensors = (robot.camera, robot.laser, robot.odometry)
    slow = next((s for s in sensors if s is not None and s.rate * spec.period < 1 - 1e-6), None)
    if slow is not None:
        return f"it wants a moment every {spec.period} s, and sensor {slow.name} has a rate of {slow.rate} Hz"
    return _camera_misfit(robot.camera, spec.inputs) or _laser_misfit(robot.laser, spec.inputs)


def _camera_misfit(camera: CameraSensor | None, inputs: InputSpec) -> str:
    size = inputs.image_size
    if not size:
        return ""
    if camera is None:
        return "it wants pictures, and the robot has no camera"
    if min(camera.width, camera.height) < size:
        return f"it wants pictures of {size} px, and camera {camera.name} has {camera.width}x{camera.height}"
    seen, needed = math.degrees(camera.square_view), math.degrees(inputs.narrowest or inputs.field_of_view)
    if needed > seen * (1 + INTRINSICS_TOLERANCE):
        return f"it needs pictures of {needed:.0f} degrees, and those of camera {camera.name} show {seen:.0f}"
    return ""


def _laser_misfit(laser: LaserSensor | None, inputs: InputSpec) -> str:
    beams = inputs.scan_beams
    if not beams:
        return ""
    if laser is None:
        return "it wants scans, and the robot has no laser"
    if laser.beams * 360 < beams * laser.fov:
        has = f"{laser.beams} in {laser.fov:g} degrees"
        return f"it wants {beams} beams all round, and laser {laser.name} has {has}"
    return ""


def rectifier_for(robot: RobotDescription, inputs: InputSpec) -> Rectifier | None:
    """Brings pictures of the robot's camera to that of a model, as nodes do by camera_info; None: they stay as they
    are, since the model does not know its camera.

    Raises AmiError: the camera sees too little.
    """
    camera = robot.camera
    if camera is None or not (inputs.image_size and inputs.field_of_view):
        return None
    fx, fy, cx, cy = camera.matrix
    seen = Camera(camera.width, camera.height, (fx, fy), (cx, cy))
    return Rectifier(seen, inputs.field_of_view, inputs.narrowest)


def learned_limits(robot: RobotDescription) -> dict[str, float]:
    """The fields of `ModelSpec` that are the robot's."""
    found = {f"max_{speed}": getattr(robot.limits, speed) for speed in ("linear", "angular", "lateral")}
    return found | ({"turning_radius": robot.drive.turning_radius} if robot.drive.kind == "ackermann" else {})


def preset_of(robot: RobotDescription) -> str:
    """The preset by which a model of the robot is trained."""
    return LASER if robot.camera is None else "onboard"


def shipped_model(robot: RobotDescription) -> str:
    """The name of the model that comes for a robot like this: of its kind, or else the general one, which drives in
    places and by cameras that it has not learned from, if that fits it."""
    preset = preset_of(robot)
    if preset == "onboard" and robot.drive.kind != "differential":
        preset = robot.drive.kind
    fitting = (name for name in (preset, "general") if not _misfit(robot, identify_model(name).spec))
    return next(fitting, preset)


def simulated_robot(spec: ModelSpec) -> str:
    """The simulated robot that a model of `spec` can drive, where the user names none."""
    if not spec.inputs.image_size:
        return f"{DEFAULT}_laser"
    return DEFAULT if spec.drive == "differential" else f"{DEFAULT}_{spec.drive}"
