"""The part `mission`: sends the planner from goal to goal, as a task says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL
from ami_ros.geometry import Array
from ami_ros.mission.mission_file import MissionFile
from ami_ros.mission.place_doubts import PlaceDoubts
from ami_ros.mission.task import WorldState
from ami_ros.moving.prediction import usable
from ami_ros.moving.things import MovingThings
from ami_ros.parts.history import OdometryHistory
from ami_ros.parts.part import Bus, Part
from ami_ros.parts.ports import (
    BATTERY,
    FIND_ROUTE,
    LOCATION,
    MOVING_THINGS,
    ODOM,
    PLACES,
    SCAN,
    SURPRISE,
    Known,
    Motion,
    Port,
)  # fmt: skip
from ami_ros.parts.routes import Routes
from ami_ros.parts.task_runner import Legs, TaskRunner
from ami_ros.places.types import Location
from ami_ros.planning.types import Reading
from ami_ros.safety.keep_out import Mask
from ami_ros.scan import Scan

MISSION_RATE = 5.0  # [Hz] of decisions
ROUTE_TIMEOUT = 3.0  # [s] to wait for memory when goals are put in order
FRESH = 1.0  # [s] of age up to which scan and location tell about now


class MissionPart(Part):
    """Puts streams together to moments, and carries out the task under way. Call `tick` some times a second.

    Args:
        bus: see `Part`.
        legs: sends them to the planner.
        file: of the task.
        route_timeout: to wait for memory when goals are put in order [s].
        silence: [s] without feedback after which the planner counts as gone.
        patience: [s] without a planner after which the task is suspended.
    """

    name = "mission"
    takes: tuple[Port, ...] = (
        ODOM,
        SCAN.taken(frame="base_link", max_age=FRESH),
        BATTERY,
        MOVING_THINGS,
        LOCATION.taken(max_age=FRESH),
        SURPRISE.taken(max_age=FRESH),
        PLACES,
    )
    asks = (FIND_ROUTE,)

    def __init__(
        self, bus: Bus, legs: Legs, file: MissionFile, route_timeout: float, silence: float, patience: float
    ) -> None:
        super().__init__(bus)
        self.routes = Routes(bus, route_timeout)
        self.runner = TaskRunner(legs, self.routes, file, bus.steady, silence, patience)
        self.places: Array | None = None  # (n, 3) in the map frame
        self._place_ids: NDArray[np.int64] | None = None  # (n,) of them
        self.keep_out: Mask | None = None  # in the map frame
        self.doubts = PlaceDoubts()  # for as long as the process lives
        self._battery: float | None = None
        self.restart()

    def restart(self) -> None:
        self._odometry = OdometryHistory()
        self._scan: tuple[float, Scan] | None = None
        self._location: Location | None = None
        self._things: MovingThings | None = None

    def on_odom(self, stamp: float, motion: Motion) -> None:
        self._odometry.add(stamp, *motion)

    def on_scan(self, stamp: float, scan: Scan) -> None:
        self._scan = stamp, scan

    def on_location(self, stamp: float, location: Location) -> None:
        self._location = location

    def on_moving_things(self, stamp: float, things: MovingThings) -> None:
        self._things = things

    def on_place_graph(self, stamp: float, known: Known) -> None:
        self.places, self._place_ids = known.poses, known.ids

    def on_battery_state(self, stamp: float, charge: float) -> None:
        """NaN where the robot does not know."""
        self._battery = charge if 0.0 <= charge <= 1.0 else None

    def on_surprise(self, stamp: float, reading: Reading) -> None:
        """Of the world model, at the place where the robot is now."""
        location = self._location
        if location is not None and location.localised and abs(reading.stamp - location.stamp) < FRESH:
            self.doubts.note(location.place_id, location.pose, reading.doubt)

    def world(self) -> WorldState:
        """The moment of the newest scan; what is too old is missing."""
        now = self.bus.now()
        scan, seen_at = None, now
        if self._scan is not None and abs(now - self._scan[0]) < FRESH:
            seen_at, scan = self._scan
        motion = self._odometry.at(seen_at)
        location = self._location
        if location is not None and abs(now - location.stamp) > FRESH:
            location = None
        pose, velocity = motion or (None, STILL)
        things = usable(self._things, seen_at)
        return WorldState(
            now, pose, scan, location, self.places, self._battery, self.doubts, things, velocity[0], self.keep_out,
            self._place_ids,
        )  # fmt: skip

    def tick(self) -> None:
        """Does what is due."""
        if self.runner.task is not None:
            self.runner.tick(self.world())
