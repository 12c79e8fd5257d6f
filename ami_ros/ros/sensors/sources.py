"""Sensors beside the laser, for the safety gate, in the words of Nav2's collision monitor: what each message shows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from sensor_msgs.msg import LaserScan, PointCloud2, Range
from std_msgs.msg import Bool

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.sensors.scanner import TF_STATIC
from ami_ros.ros.sensors.tf import TFMessage
from ami_ros.safety.zones import corners_of
from ami_ros.scan import scan_points
from ami_ros.static_frames import StaticFrames

KINDS = {"scan": LaserScan, "pointcloud": PointCloud2, "range": Range, "bool": Bool}


@dataclass(frozen=True)
class Source:
    """A sensor beside the laser; also the laser itself, which then is not heard twice."""

    type: Literal["scan", "pointcloud", "range", "bool"] = "scan"  # LaserScan, PointCloud2, Range, or Bool (see points)
    topic: str = "scan"  # of its messages
    enabled: bool = True  # false: it is not heard
    source_timeout: float = -1.0  # [s] as that of the node, for this one; below 0: that of the node
    min_height: float = 0.05  # [m] of pointcloud, above base_link; what is lower is the floor
    max_height: float = 0.5  # [m] of pointcloud; what is higher does not matter
    obstacles_angle: float = math.pi / 180  # [rad] of range: between points on its arc
    points: Any = ""  # [m] of bool (bumper, cliff): x1, y1, ... in base_link where something is while it is true

    def __post_init__(self) -> None:
        if self.type == "bool":
            corners_of(self.points)
        if not self.min_height < self.max_height:
            raise ValueError("min_height must be less than max_height")
        if not 0.001 <= self.obstacles_angle < math.inf:
            raise ValueError("obstacles_angle must be 0.001 or greater, and finite")
        if not math.isfinite(self.source_timeout):
            raise ValueError("source_timeout must be finite")


class Sources:
    """Hears all sources but the laser.

    Args:
        node: hears them.
        base: name of base_link.
        sources: by name.
        take: called with the name of a source, points (n, 2) [m] in base_link, and their stamp [s]; None: no stamp.
    """

    def __init__(
        self,
        node: AmiNode[Any],
        base: str,
        sources: Mapping[str, Source],
        take: Callable[[str, Array, float | None], None],
    ) -> None:
        self._base, self._take, self._frames = base, take, StaticFrames()
        self.names: list[str] = []  # of those that are heard
        laser = node.resolve_topic_name("scan")
        for name, source in sources.items():
            if source.enabled and not (source.type == "scan" and node.resolve_topic_name(source.topic) == laser):
                node.subscribe(KINDS[source.type], source.topic, partial(self._hear, name, source))
                self.names.append(name)
        if self.names and TFMessage is not None:
            node.subscribe(TFMessage, "/tf_static", self._frames_of, TF_STATIC, always=True)

    def _frames_of(self, message: Any) -> None:
        for transform in message.transforms:
            self._frames.put_message(transform)

    def _hear(self, name: str, source: Source, message: Any) -> None:
        if source.type == "bool":
            self._take(name, corners_of(source.points) if message.data else np.zeros((0, 2)), None)
            return
        pose = np.eye(4)
        if message.header.frame_id != self._base:
            found = self._frames.pose_of(message.header.frame_id, self._base)
            if found is None:
                frame = message.header.frame_id
                raise AmiError(f"it is not known where {name}'s frame '{frame}' sits; publish a static transform")
            pose = found
        self._take(name, points_of(source, message, pose), conversions.stamp_of(message))


def points_of(source: Source, message: LaserScan | PointCloud2 | Range, pose: Array) -> Array:
    """What a message shows: points (n, 2) [m] in base_link, of a sensor at `pose` (4, 4) there.

    Raises:
        AmiError: it is no measurement.
    """
    if source.type == "scan":
        scan = range_sensors.scan_from_message(message)
        if np.isnan(scan.ranges).all():
            raise AmiError("a scan without a reading shows nothing: is its laser covered?")
        local = _flat(scan_points(scan, math.inf))
    elif source.type == "range":
        local = _flat(range_sensors.arc_from_message(message, source.obstacles_angle))
    else:
        local = range_sensors.cloud_from_message(message)
    points = local @ pose[:3, :3].T + pose[:3, 3]
    if source.type == "pointcloud":
        points = points[(points[:, 2] >= source.min_height) & (points[:, 2] <= source.max_height)]
    return points[:, :2]


def _flat(points: Array) -> Array:
    return np.column_stack([points, np.zeros(len(points))])
