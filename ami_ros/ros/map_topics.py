"""Where the robot is, what it has seen and where it must not go, as the tools of others expect it."""

from __future__ import annotations

import array
import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid
from std_msgs.msg import Header

from ami_ros.background import Slices
from ami_ros.parts.memory import MemoryPart
from ami_ros.places.types import Location
from ami_ros.ros.messages import conversions
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.slam.map_file import read_map
from ami_ros.slam.occupancy_map import OccupancyMap, Seen, drawing

try:
    from map_msgs.msg import OccupancyGridUpdate
except ImportError:  # the ROS wheels do not have it
    OccupancyGridUpdate = None

MAP_PERIOD = 3.0  # [s] between the beginnings of two maps, at least
TICK, SLICE = 0.1, 0.01  # [s] between two slices of drawing one, and how long these are: a large map takes long
PART = 16  # places that are drawn at once
WITHIN = 0.5  # [m], [rad] of the pose: the mass that `Location.confidence` is


class MapTopics:
    """Publishes both for the node memory.

    Args:
        node: that they are of.
        part: has the memory, and the lock that whoever asks it holds.
        frame: of the memory.
        keep_out: a map in that frame, of whose occupied cells the robot has to keep out; None: of none.

    Raises:
        AmiError: `keep_out` cannot be read.
    """

    def __init__(self, node: AmiNode[Any], part: MemoryPart, frame: str, keep_out: Path | None) -> None:
        self._node, self._memory, self._lock, self._frame = node, part.memory, part.lock, frame
        self._pose = node.publisher(PoseWithCovarianceStamped, "pose", RELIABLE)
        self._map = node.publisher(OccupancyGrid, "map", LATCHED)
        self._updates = None if OccupancyGridUpdate is None else node.publisher(OccupancyGridUpdate, "map_updates")
        self._mask = node.publisher(OccupancyGrid, "keep_out_mask", LATCHED)
        self._keep_out = None if keep_out is None else read_map(keep_out.expanduser())
        self._drawn = -1  # revision of the memory
        self._sent: OccupancyMap | None = None
        self._work: Slices[OccupancyMap | None] | None = None  # a map that is being drawn
        self._begun = -math.inf  # [s] steady time, when that was begun
        self._listeners = 0  # to maps
        self._is_heard_anew = False  # by somebody who has not been sent a map since
        self._patched = False  # an update was sent since the last map
        node.every(TICK, self._draw, STEADY)

    def located(self, location: Location, header: Header) -> None:
        """Says where the robot is, once memory knows; `header` is of the memory's frame."""
        if location.localised:
            self._pose.publish(pose_message(location, header))

    def show_keep_out(self) -> None:
        """Says where the robot must not go, if it was told."""
        if self._keep_out is not None:
            header = conversions.header_at(self._node.get_clock().now().to_msg(), self._frame)
            self._mask.publish(grid_message(self._keep_out, header))

    def _draw(self) -> None:
        """Some of a new map, where the old one is out of date and somebody looks.

        What changed is enough where all who have the map hear updates, as RViz does, and nobody is new.
        """
        listeners = self._map.get_subscription_count()
        self._is_heard_anew |= listeners > self._listeners
        self._listeners = listeners
        if self._work is None and not self._begin():
            return
        until = time.perf_counter() + SLICE
        while self._work is not None and time.perf_counter() < until:
            try:
                next(self._work)
            except StopIteration as end:
                self._work = None
                if end.value is not None:
                    self._send(end.value)

    def _begin(self) -> bool:
        """Begins a new map, if it is time for one."""
        if not self._listeners or time.monotonic() - self._begun < MAP_PERIOD:
            return False
        if self._is_heard_anew and self._patched:
            self._drawn = -1  # the map that the new one was given lacks what changed since
        with self._lock:
            if self._memory.map.revision == self._drawn:
                return False
            self._drawn, ids = self._memory.map.revision, self._memory.map.index.ids.tolist()
        self._begun, self._work = time.monotonic(), drawing(partial(self._seen, ids))
        return True

    def _seen(self, ids: list[int]) -> Iterator[Seen]:
        """What was seen around places, some at a time: whoever holds the lock keeps the robot from finding itself."""
        for first in range(0, len(ids), PART):
            with self._lock:
                part = self._memory.submaps(ids[first : first + PART])
            yield part

    def _send(self, drawn: OccupancyMap) -> None:
        hears = self._updates is not None and self._updates.get_subscription_count() >= self._listeners
        header = conversions.header_at(self._node.get_clock().now().to_msg(), self._frame)
        changed = changed_cells(self._sent, drawn) if hears and not self._is_heard_anew else None
        if changed is None:
            self._map.publish(grid_message(drawn, header))
            self._patched = self._is_heard_anew = False
        elif changed[2] and self._updates is not None:
            self._updates.publish(update_message(drawn, changed, header))
            self._patched = True
        self._sent = drawn


def changed_cells(before: OccupancyMap | None, drawn: OccupancyMap) -> tuple[int, int, int, int] | None:
    """Column, row, width and height of what is new, 0 where nothing is; None: the maps do not lie on each other."""
    if before is None or before.cells.shape != drawn.cells.shape:
        return None
    if (before.resolution, before.yaw) != (drawn.resolution, drawn.yaw) or (before.origin != drawn.origin).any():
        return None
    rows, columns = np.nonzero(before.cells != drawn.cells)
    if not len(rows):
        return 0, 0, 0, 0
    (left, right), (low, high) = ((int(v.min()), int(v.max()) + 1) for v in (columns, rows))
    return left, low, right - left, high - low


def update_message(drawn: OccupancyMap, changed: tuple[int, int, int, int], header: Header) -> Any:
    """The cells `changed`, see `changed_cells`."""
    x, y, width, height = changed
    cells = np.ascontiguousarray(drawn.cells[y : y + height, x : x + width])
    data = array.array("b", cells.tobytes())
    return OccupancyGridUpdate(header=header, x=x, y=y, width=width, height=height, data=data)


def pose_message(location: Location, header: Header) -> PoseWithCovarianceStamped:
    """A belief, with the variance of a normal distribution that has so much of its mass so near."""
    share = min(max(location.confidence, 0.01), 0.999)
    variance = WITHIN**2 / (-2.0 * math.log(1.0 - share))
    message = PoseWithCovarianceStamped(header=header)
    message.pose.pose = conversions.pose_to_message(location.pose)
    covariance = np.zeros((6, 6))
    covariance[[0, 1, 5], [0, 1, 5]] = variance
    message.pose.covariance = covariance.ravel()
    return message


def grid_message(drawn: OccupancyMap, header: Header) -> OccupancyGrid:
    """A map; `header` is of the memory's frame."""
    message = OccupancyGrid(header=header)
    message.info.map_load_time = header.stamp
    message.info.resolution = float(drawn.resolution)
    message.info.height, message.info.width = drawn.cells.shape
    message.info.origin = conversions.pose_to_message(np.array([*drawn.origin, drawn.yaw]))
    message.data = array.array("b", drawn.cells.tobytes())
    return message
