"""Whatever stands in the fields of a message, its conversion gives finite values, or one line that says why not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Pose, Transform, TransformStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, LaserScan, PointCloud2, Range

from ami_interfaces.action import NavigateToGoal, RunMission
from ami_interfaces.msg import Adaptation, KeepAway, Latent, Location, MovingThings, NavigationGoal
from ami_interfaces.msg import Place as PlaceMessage
from ami_interfaces.srv import FindRoute
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.camera import Rectifier, camera_of
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames, mount_of
from ami_ros.core.geometry import Array
from ami_ros.core.images import image_of
from ami_ros.ros.gate_sensors import Source, points_of
from ami_ros.ros.messages import conversions, memory, range_sensors
from ami_ros.ros.messages import conversions as moving
from ami_ros.ros.messages.goals import Frames, goal_from_message
from ami_ros.ros.messages.missions import task_from_message
from ami_ros.ros.node.health import beat_from_message
from ami_ros.safety.keep_out import KeepOut
from ami_ros.world_model.adaptation import unpack
from ami_ros.world_model.spec import InputSpec, ModelSpec
from harness.hostile import message_of

ENCODER, SLOW = "exact@0", 5.0  # [s] of CPU time for a small message
SPEC = ModelSpec(InputSpec(image_size=16, scan_beams=8), latent_dim=4, encoder_width=16)
HERE = np.eye(4)


def camera(message: CameraInfo) -> Any:
    found = camera_of(message)
    return Rectifier(found, 90.0) if found is not None else None


def mask(message: OccupancyGrid) -> None:
    area = KeepOut(margin=0.03)
    area.mask("mask", "odom", *range_sensors.mask_from_message(message))
    area.holds(np.array([[0.0, 0.0], [3.0, -1.0]]))


def transform(message: TransformStamped) -> Array | None:
    frames = StaticFrames()
    frames.put_message(message)
    pose = frames.pose_of(message.child_frame_id, message.header.frame_id)
    if pose is not None:
        mount_of(pose, "laser")
    return pose


CONVERSIONS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "scan": (LaserScan, lambda m: range_sensors.scan_from_message(m).angles),
    "second laser": (LaserScan, lambda m: points_of(Source("scan"), m, HERE)),
    "range": (Range, lambda m: points_of(Source("range"), m, HERE)),
    "cloud": (PointCloud2, lambda m: points_of(Source("pointcloud"), m, HERE)),
    "mask": (OccupancyGrid, mask),
    "pose": (Pose, conversions.pose_from_message),
    "transform": (Transform, conversions.pose_from_transform),
    "static transform": (TransformStamped, transform),
    "odometry": (Odometry, conversions.odometry_from_message),
    "image": (Image, image_of),
    "compressed image": (CompressedImage, image_of),
    "camera": (CameraInfo, camera),
    "latent": (Latent, lambda m: conversions.latent_from_message(m, ENCODER, 0, 4)),
    "picture of a latent": (Latent, lambda m: conversions.picture_from_message(m, 4)),
    "location": (Location, lambda m: (found := memory.location_from_message(m)).pose + found.odometry),
    "place": (PlaceMessage, lambda m: memory.place_from_message(m, ENCODER).pose),
    "query": (NavigationGoal, lambda m: memory.query_from_message(m, ENCODER, 4, "map", 4)),
    "route": (FindRoute.Response, lambda m: memory.route_from_response(m, ENCODER)),
    "circles": (KeepAway, memory.keep_away_from_message),
    "moving things": (MovingThings, moving.things_from_message),
    "adaptation": (Adaptation, lambda m: unpack(bytes(m.tensors), ENCODER, "a message")),
    "goal": (NavigateToGoal.Goal, lambda m: goal_from_message(m, ENCODER, SPEC, Frames(), image_of)),
    "mission": (RunMission.Goal, lambda m: task_from_message(m, Frames(), ExplorationConfig())),
    "heartbeat": (DiagnosticStatus, beat_from_message),
}


def numbers_in(found: Any) -> list[float]:
    """All that a conversion gave."""
    if isinstance(found, np.ndarray):
        return [float(v) for v in found.ravel()] if found.dtype.kind == "f" else []
    if isinstance(found, float):
        return [found]
    if isinstance(found, tuple | list):
        return [number for each in found for number in numbers_in(each)]
    if is_dataclass(found) and not isinstance(found, type):
        return [number for f in fields(found) for number in numbers_in(getattr(found, f.name))]
    return []


@pytest.mark.fault("messages with any values in their fields")
@pytest.mark.parametrize("name", CONVERSIONS)
def test_whatever_a_message_holds_gives_finite_values_or_one_line(name: str) -> None:
    kind, convert = CONVERSIONS[name]
    refused = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        message, began = message_of(kind, rng, float(rng.choice([0.0, 0.5, 0.8, 0.95]))), time.process_time()
        try:
            found = convert(message)
        except AmiError as error:
            refused += 1
            assert str(error).isprintable() and str(error), (seed, str(error))
        else:
            assert all(map(math.isfinite, numbers_in(found))), (seed, found)
        assert time.process_time() - began < SLOW, seed
    assert refused or name == "heartbeat"
