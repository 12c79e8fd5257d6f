"""Where the gate keeps the robot out of: a mask as Nav2's map server sends it, and what memory was told to avoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nav_msgs.msg import OccupancyGrid

from ami_interfaces.msg import KeepAway, Location
from ami_ros.config import parameter
from ami_ros.geometry import compose, inverse
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.messages.memory import keep_away_from_message
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import ANY_LATCHED, LATCHED, RELIABLE
from ami_ros.ros.sensors.tf import TFMessage
from ami_ros.safety.keep_out import KeepOut

MASK = "mask"


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
        expected = (MASK,) if config.mask_topic else ()
        self.areas = KeepOut(config.odom_frame, margin, expected, config.timeout)
        if config.mask_topic:
            node.subscribe_any(OccupancyGrid, config.mask_topic, self._mask, ANY_LATCHED, always=True)
        if config.memory:
            node.subscribe(KeepAway, "keep_away", self._circles, LATCHED, always=True)
        if config.mask_topic or config.memory:
            node.subscribe(Location, "location", self._located, RELIABLE, always=True)
            if TFMessage is not None:
                node.subscribe(TFMessage, "/tf", self._transforms, always=True)

    def _mask(self, message: OccupancyGrid) -> None:
        cells = range_sensors.mask_from_message(message)
        self.areas.mask(MASK, message.header.frame_id, *cells, stamp=self._node.now())

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
