"""What the planner looks at: a latent with the odometry, scan, location and surprise of its moment."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.commands import Command
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.moving.prediction import usable
from ami_ros.moving.things import MovingThings
from ami_ros.moving.tracker import Tracker
from ami_ros.parts.history import OdometryHistory
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.places.types import Location
from ami_ros.planning.route_follower import pose_in_map
from ami_ros.planning.types import Percept, Reading
from ami_ros.rolling_scan import RollingScan
from ami_ros.scan import Scan

SCAN_TIMEOUT = 0.5  # [s] between a latent and the scan that goes with it
SURPRISE_TIMEOUT = 1.0  # [s] between a latent and the newest reading of surprise


class Percepts:
    """The newest of everything, by stamp."""

    def __init__(self, tracks: bool = True) -> None:
        self.odometry, self._tracks = OdometryHistory(), tracks
        self._around, self._tracker = RollingScan(), Tracker()
        self._keep_away: Array = np.zeros((0, 3))  # stays whatever time does
        self.clear()

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self.odometry.clear()
        self._around.clear()
        self._anchored = -math.inf  # since when odometry has its present origin [s]
        self._scan: tuple[float, Scan] | None = None
        self._location: Location | None = None
        self._surprise: Reading | None = None
        self._tracker.clear()
        self.things = MovingThings(-math.inf)  # what moves, by the scans

    def take_odometry(self, stamp: float, pose: Array, velocity: Command, now: float = math.inf) -> None:
        """See `OdometryHistory.add`; where odometry restarted, locations from before no longer count."""
        if not self.odometry.add(stamp, pose, velocity, now):
            self._anchored, self._location, self.things = stamp, None, MovingThings(-math.inf)
            self._around.clear()
            self._tracker.clear()

    def take_scan(self, stamp: float, scan: Scan) -> MovingThings | None:
        """In base_link; what moves by it, where odometry is known, and tracked."""
        self._scan = (stamp, scan)
        motion = self.odometry.at(stamp)
        if motion is not None:
            self._around.add(scan, motion[0])
            self.things = self._tracker.take(stamp, scan, motion[0]) if self._tracks else self.things
        return None if motion is None or not self._tracks else self.things

    def take_location(self, location: Location) -> None:
        """In the frame of the memory."""
        if location.stamp >= self._anchored:
            self._location = location

    def take_keep_away(self, circles: Array) -> None:
        """(n, 3): x, y [m], radius [m] in the frame of the memory."""
        self._keep_away = circles

    def take_surprise(self, reading: Reading) -> None:
        """Of the model that the latents come from."""
        self._surprise = reading

    @property
    def pose_in_map(self) -> Array | None:
        """(3,) where the robot is now, in the frame of the memory; None while that does not know."""
        here, location = self.odometry.pose, self._location
        return pose_in_map(location, here) if location is not None and location.localised and here is not None else None

    @property
    def z_score(self) -> float:
        """The newest of surprise; NaN without."""
        return math.nan if self._surprise is None else self._surprise.z_score

    def at(self, frame: LatentFrame) -> Percept:
        """The moment of a latent.

        Raises:
            AmiError: there is no odometry of its time.
        """
        stamp, motion = frame.stamp, self.odometry.at(frame.stamp)
        if motion is None:
            raise AmiError("latent dropped: no odometry at its time; is odom published, with stamps of the same clock?")
        scan, around = self._scans_at(stamp)
        surprise = self._surprise
        if surprise is not None and abs(stamp - surprise.stamp) > SURPRISE_TIMEOUT:
            surprise = None
        return Percept(
            stamp, frame.latent, *motion, scan, self._location, frame.picture, self._keep_away, surprise,
            self.odometry.resets, around, usable(self.things, stamp),
        )  # fmt: skip

    def _scans_at(self, stamp: float) -> tuple[Scan | None, Scan | None]:
        """The newest, if it is of that time, and with what has gone out of its sight, where that is known."""
        if self._scan is None or abs(stamp - self._scan[0]) >= SCAN_TIMEOUT:
            return None, None
        measured, scan = self._scan
        motion = self.odometry.at(measured)
        return scan, None if motion is None else self._around.completed(scan, motion[0])
