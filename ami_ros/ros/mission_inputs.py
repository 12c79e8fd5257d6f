"""Puts the mission node's topics together to moments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from nav_msgs.msg import Odometry
from sensor_msgs.msg import BatteryState, LaserScan

from ami_interfaces.msg import Location as LocationMessage
from ami_interfaces.msg import PlaceGraph, Surprise
from ami_ros.agent.odometry_history import OdometryHistory
from ami_ros.geometry import Array
from ami_ros.mission.place_doubts import PlaceDoubts
from ami_ros.mission.task import WorldState
from ami_ros.places.types import Location
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.memory import location_from_message
from ami_ros.scan import Scan

FRESH = 1.0  # [s] of age up to which scan and location tell about now


class MissionInputs:
    """The newest of everything.

    Args:
        read_scan: makes a scan in base_link of a message.
    """

    def __init__(self, read_scan: Callable[[LaserScan], Scan]) -> None:
        self._read_scan = read_scan
        self.encoder_id = ""  # of the memory's latents
        self.places: Array | None = None  # (n, 3) in the map frame
        self.doubts = PlaceDoubts()  # for as long as the process lives
        self._battery: float | None = None
        self.clear()

    def clear(self) -> None:
        """Forgets what belongs to a time, as after a jump."""
        self._odometry = OdometryHistory()
        self._scan: tuple[float, Scan] | None = None
        self._location: Location | None = None

    def take_odometry(self, message: Odometry) -> None:
        pose, velocity = conversions.odometry_from_message(message)
        self._odometry.add(conversions.stamp_to_seconds(message.header.stamp), pose, velocity)

    def take_scan(self, message: LaserScan) -> None:
        """In base_link."""
        self._scan = (conversions.stamp_to_seconds(message.header.stamp), self._read_scan(message))

    def take_location(self, message: LocationMessage) -> None:
        """In the frame of the memory."""
        self._location, self.encoder_id = location_from_message(message), message.encoder_id

    def take_graph(self, message: PlaceGraph) -> None:
        """Of the memory: where its places are."""
        self.places = np.column_stack([message.x, message.y, message.yaw]).astype(np.float64)

    def take_battery(self, message: BatteryState) -> None:
        """NaN where the robot does not know."""
        self._battery = message.percentage if 0.0 <= message.percentage <= 1.0 else None

    def take_surprise(self, message: Surprise) -> None:
        """Of the world model, at the place where the robot is now; of another model than memory's it says nothing."""
        location = self._location
        if location is None or not location.localised or message.encoder_id != self.encoder_id:
            return
        reading = conversions.reading_from_message(message)
        if abs(reading.stamp - location.stamp) < FRESH:
            self.doubts.note(location.place_id, location.pose, reading.doubt)

    def now(self, stamp: float) -> WorldState:
        """The moment of the newest scan, `stamp` [s] apart; what is too old is missing."""
        scan, seen_at = None, stamp
        if self._scan is not None and abs(stamp - self._scan[0]) < FRESH:
            seen_at, scan = self._scan
        motion = self._odometry.at(seen_at)
        location = self._location
        if location is not None and abs(stamp - location.stamp) > FRESH:
            location = None
        return WorldState(
            stamp, None if motion is None else motion[0], scan, location, self.places, self._battery, self.doubts
        )
