"""The map of the robot without learning: scan matching, loop closure and a pose graph, as slam_toolbox does it.

They are those of a laser-only memory, which has learned nothing. What was seen hangs on its places, so that grid and
pictures move when a loop is closed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ami_ros.geometry import Array, compose, pose_gap, relative
from ami_ros.mission.occupancy import Grid
from ami_ros.places.laser_model import ENCODER, LaserModel
from ami_ros.planning.route_follower import pose_in_map
from ami_ros.scan import Scan
from ami_ros.slam.place_memory import MemoryConfig, PlaceMemory

DRAWN = 0.1  # [m] or [rad] between two scans that are drawn into the grid
MOVED = 0.1  # [m] or [rad] by which a correction has to move the robot, for the grid to be drawn anew


@dataclass(frozen=True)
class Anchor:
    """A pose that hangs on a place: `relative` (3,) to it; place 0 is the origin of the map."""

    place: int
    relative: Array


class Mapping:
    """Where the robot is, and what is free.

    Attributes:
        pose: (3,) of base_link in the map, whose origin is where it was switched on first.
        localised: whether that is known.
        grid: occupancy in the map.
    """

    def __init__(self) -> None:
        self.memory = PlaceMemory(LaserModel(), ENCODER, None, MemoryConfig())
        self.pose, self.localised, self.grid = np.zeros(3), False, Grid()
        self._odometry: Array | None = None  # (3,) of the newest moment
        self._scans: list[tuple[Anchor, Scan]] = []

    def restart(self) -> None:
        """It was switched on anew, and may be anywhere."""
        self.memory.restart()
        self._odometry, self.localised = None, False

    def take(self, stamp: float, odometry: Array, scan: Scan) -> None:
        """One moment; the scan is in base_link."""
        location = self.memory.observe(stamp, None, odometry, scan=scan)
        expected = self.pose if self._odometry is None else compose(self.pose, relative(self._odometry, odometry))
        self.localised = location.localised
        self.pose = pose_in_map(location, odometry) if location.localised else expected
        self._odometry = odometry
        if not self.localised:
            return
        if self._scans and max(pose_gap(expected, self.pose)) > MOVED:
            self._redraw()
        if not self._scans or max(pose_gap(self.pose_of(self._scans[-1][0]), self.pose)) > DRAWN:
            self._scans.append((self.anchor(location.place_id), scan))
            self.grid.add(self.pose, scan)

    def anchor(self, place: int | None = None) -> Anchor:
        """The robot's pose, which goes where the place goes; by default the nearest place."""
        if place is None:
            location = self.memory.location()
            place = 0 if location is None else location.place_id
        base = self._pose_of_place(place)
        return Anchor(0, self.pose.copy()) if base is None else Anchor(place, relative(base, self.pose))

    def pose_of(self, anchor: Anchor) -> Array:
        """Where (3,) that is in the map by now; of a place that was forgotten, where it was at first."""
        base = self._pose_of_place(anchor.place)
        return anchor.relative if base is None else compose(base, anchor.relative)

    def _pose_of_place(self, place: int) -> Array | None:
        index: Any = self.memory.map.index
        return np.array(index.poses[index.rows(np.array([place]))[0]]) if place in index else None

    def _redraw(self) -> None:
        """A loop was closed: scans are where their places are now."""
        self.grid = Grid()
        for anchor, scan in self._scans:
            self.grid.add(self.pose_of(anchor), scan)
