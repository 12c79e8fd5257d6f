"""Puts what the planner hears on several topics together to moments."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from nav_msgs.msg import Odometry
from sensor_msgs.msg import LaserScan

from ami_interfaces.msg import KeepAway, Latent
from ami_interfaces.msg import Location as LocationMessage
from ami_interfaces.msg import Surprise as SurpriseMessage
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.memory.types import Location
from ami_ros.planning.situations import Reading
from ami_ros.planning.types import Percept
from ami_ros.ros import conversions
from ami_ros.ros.memory_messages import keep_away_from_message, location_from_message
from ami_ros.ros.odometry_buffer import OdometryBuffer
from ami_ros.scan import Scan

SCAN_TIMEOUT = 0.5  # [s] between a latent and the scan that goes with it
SURPRISE_TIMEOUT = 1.0  # [s] between a latent and the newest word of the world model


class Percepts:
    """The newest of everything, by stamp.

    Args:
        encoder_id: whose latents are taken.
        read_scan: makes a scan in base_link of a message.
    """

    def __init__(self, encoder_id: str, read_scan: Callable[[LaserScan], Scan]) -> None:
        self._encoder_id, self._read_scan = encoder_id, read_scan
        self._keep_away: Array = np.zeros((0, 3))  # stays whatever time does
        self.clear()

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self.odometry = OdometryBuffer()
        self.pose: Array | None = None  # (3,) in odom, the newest
        self._scan: tuple[float, Scan] | None = None
        self._location: Location | None = None
        self._surprise: Reading | None = None

    def take_odometry(self, message: Odometry) -> None:
        """May be NaN: refused, and so missing when the next latent comes."""
        pose, velocity = conversions.odometry_from_message(message)
        self.odometry.add(conversions.stamp_to_seconds(message.header.stamp), pose, velocity)
        self.pose = pose

    def take_scan(self, message: LaserScan) -> None:
        """In base_link."""
        self._scan = (conversions.stamp_to_seconds(message.header.stamp), self._read_scan(message))

    def take_location(self, message: LocationMessage) -> None:
        """In the frame of the memory."""
        self._location = location_from_message(message)

    def take_keep_away(self, message: KeepAway) -> None:
        """In the frame of the memory."""
        self._keep_away = keep_away_from_message(message)

    def take_surprise(self, message: SurpriseMessage) -> None:
        """Of the world model; surprise of another model says nothing about this one."""
        if message.encoder_id == self._encoder_id:
            self._surprise = conversions.reading_from_message(message)

    @property
    def z_score(self) -> float:
        """The newest of surprise; NaN without."""
        return math.nan if self._surprise is None else self._surprise.z_score

    def combine(self, message: Latent) -> Percept:
        """The moment of a latent.

        Raises:
            AmiError: the latent is of another encoder, or there is no odometry of its time.
        """
        latent = conversions.latent_from_message(message, self._encoder_id)
        stamp = conversions.stamp_to_seconds(message.header.stamp)
        motion = self.odometry.at(stamp)
        if motion is None:
            raise AmiError("latent not used: no odometry of its time; is odom alive, and its stamps of the same clock?")
        pose, velocity = motion
        scan = self._scan[1] if self._scan is not None and abs(stamp - self._scan[0]) < SCAN_TIMEOUT else None
        picture = conversions.picture_from_message(message)
        surprise = self._surprise
        if surprise is not None and abs(stamp - surprise.stamp) > SURPRISE_TIMEOUT:
            surprise = None
        return Percept(stamp, latent, pose, velocity, scan, self._location, picture, self._keep_away, surprise)
