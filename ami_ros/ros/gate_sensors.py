"""What the safety gate hears beside the laser: sensors in the words of Nav2's collision monitor, and where to keep out
of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from nav_msgs.msg import OccupancyGrid
from sensor_msgs.msg import LaserScan, PointCloud2, Range
from std_msgs.msg import Bool

from ami_interfaces.msg import KeepAway, Location
from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames
from ami_ros.core.geometry import Array, compose, inverse
from ami_ros.core.scan import scan_points
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.messages.memory import keep_away_from_message
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import ANY_LATCHED, LATCHED, RELIABLE
from ami_ros.ros.scanner import TF_STATIC, TFMessage
from ami_ros.safety.keep_out import KeepOut
from ami_ros.safety.zones import corners_of

# Sensors beside the laser, for the safety gate, in the words of Nav2's collision monitor: what each message shows.


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
        kinds = {"scan": LaserScan, "pointcloud": PointCloud2, "range": Range, "bool": Bool}
        laser = node.resolve_topic_name("scan")
        for name, source in sources.items():
            if source.enabled and not (source.type == "scan" and node.resolve_topic_name(source.topic) == laser):
                node.subscribe(kinds[source.type], source.topic, partial(self._hear, name, source))
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
        local = scan_points(scan, math.inf)
    elif source.type == "range":
        local = range_sensors.arc_from_message(message, source.obstacles_angle)
    else:
        local = range_sensors.cloud_from_message(message)
    if local.shape[1] == 2:
        local = np.column_stack([local, np.zeros(len(local))])
    points = local @ pose[:3, :3].T + pose[:3, 3]
    if source.type == "pointcloud":
        points = points[(points[:, 2] >= source.min_height) & (points[:, 2] <= source.max_height)]
    return points[:, :2]


# Where the gate keeps the robot out of: a mask as Nav2's map server sends it, and what memory was told to avoid.


@dataclass(frozen=True)
class KeepOutParameters:
    """Where the robot must not go. A mask's cells of 100 are meant, as those of Nav2's keepout filter."""

    mask_topic: str = parameter("", "Of a nav_msgs/OccupancyGrid; the robot stands until it came. Empty: none.")
    memory: bool = parameter(False, "Keep out of what memory was told to keep away from, once the robot is localised.")
    timeout: float = parameter(
        5.0,
        "Age of what relates the map to odom at which the robot stands. Larger drives longer by odometry.",
        "s",
        (0.1, 60.0),
    )
    odom_frame: str = parameter("odom", "Frame of odometry.")
    map_frame: str = parameter("map", "Frame that /tf, or memory's location, relates to odom.")


class KeepOutAreas:
    """Hears where the robot must not go, and where odometry's frame is in the map.

    Args:
        node: hears it.
        config: what to hear.
        margin: [m] kept free beyond the robot's outline.
    """

    def __init__(self, node: AmiNode[Any], config: KeepOutParameters, margin: float) -> None:
        self._node, self._config = node, config
        self._by_memory: set[str] = set()  # frames of which memory says whether the robot is localised in them
        expected = ("mask",) if config.mask_topic else ()
        self.areas = KeepOut(config.odom_frame, margin, expected, config.timeout)
        if config.mask_topic:
            node.subscribe(OccupancyGrid, config.mask_topic, self._mask, ANY_LATCHED, always=True)
        if config.memory:
            node.subscribe(KeepAway, "keep_away", self._circles, LATCHED, always=True)
        if config.mask_topic or config.memory:
            node.subscribe(Location, "location", self._located, RELIABLE, always=True)
            if TFMessage is not None:
                node.subscribe(TFMessage, "/tf", self._transforms, always=True)

    def _mask(self, message: OccupancyGrid) -> None:
        cells = range_sensors.mask_from_message(message)
        self.areas.mask("mask", message.header.frame_id, *cells, stamp=self._node.now())

    def _circles(self, message: KeepAway) -> None:
        circles = keep_away_from_message(message)
        self.areas.circles("memory", message.header.frame_id, circles, stamp=self._node.now())

    def _located(self, message: Location) -> None:
        self._by_memory.add(message.header.frame_id)
        if not message.localised:
            self.areas.lose(message.header.frame_id)
            return
        here, there = map(conversions.pose_from_message, (message.odom_pose, message.pose))
        self.areas.place(message.header.frame_id, compose(there, inverse(here)), self._stamp(message))

    def _transforms(self, message: Any) -> None:
        """Of /tf, but for a frame of memory's: that sends transforms also while it is not sure."""
        frames = self._config.map_frame, self._config.odom_frame
        for transform in message.transforms:
            if (transform.header.frame_id, transform.child_frame_id) == frames and frames[0] not in self._by_memory:
                pose = conversions.pose_from_transform(transform.transform)
                self.areas.place(frames[0], pose, self._stamp(transform))

    def _stamp(self, message: Any) -> float:
        """When it was so [s]: localisers send transforms that hold for some time yet."""
        return min(conversions.stamp_of(message) or self._node.now(), self._node.now())
