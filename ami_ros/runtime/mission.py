"""The part `mission`: sends the planner from goal to goal, as a task says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.mission_file import MissionFile
from ami_ros.behaviour.task import Code, Leg, Phase, PlaceDoubts, Task, WorldState
from ami_ros.core.commands import STILL
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.memory.types import Location
from ami_ros.planning.types import Code as GoalCode
from ami_ros.planning.types import Reading
from ami_ros.runtime.history import OdometryHistory
from ami_ros.runtime.part import (
    BATTERY,
    FIND_ROUTE,
    LOCATION,
    MOVING_THINGS,
    ODOM,
    PLACES,
    SCAN,
    SURPRISE,
    Bus,
    Known,
    Motion,
    Part,
    Port,
)
from ami_ros.runtime.routes import Routes
from ami_ros.safety.keep_out import Mask
from ami_ros.safety.moving_things import MovingThings, usable


@dataclass(frozen=True)
class LegOutcome:
    """How a leg ended."""

    leg: int
    succeeded: bool
    code: int  # of navigate_to_goal
    message: str


class Legs(Protocol):
    """Sends the planner one goal at a time, and says when it ended or the planner fell silent."""

    @property
    def leg(self) -> Leg | None: ...  # under way
    @property
    def distance(self) -> float: ...  # what is left of it [m]
    @property
    def ready(self) -> bool: ...  # a planner is there
    @property
    def silence(self) -> float: ...  # steady time [s] without a word of the leg under way; 0 where there is none
    def send(self, leg: Leg) -> None: ...  # at the planner it replaces the current goal
    def cancel(self) -> None: ...  # nothing more is heard of it
    def take_outcome(self) -> LegOutcome | None: ...  # how the leg ended, once


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

    Attributes:
        task: under way, or done and not yet fetched; None: nothing to do.
        suspended: why the task was left as it is, to be resumed; then it is no longer under way.
        notice: what it waits for, for people; empty: nothing.
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
        self._legs, self._file, self.silence, self.patience = legs, file, silence, patience
        self.task: Task | None = None
        self.suspended: AmiError | None = None
        self.notice = ""
        self._saved = -1
        self._alone_since: float | None = None
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

    def begin(self, task: Task) -> None:
        """Takes up a task in place of the one under way."""
        self.routes.forget()
        self._legs.cancel()
        self.task, self.suspended, self._saved, self._alone_since = task, None, -1, None

    def tick(self) -> None:
        """Does what is due."""
        task = self.task
        if task is None or self.suspended is not None:
            return
        state = self.world()
        self._hear(task, state.stamp)
        if self._planner_is_there(task):
            answers = self.routes.poll()
            if answers is not None:
                task.set_routes(answers)
            if not self.routes.pending:
                step = task.step(state)
                if step.wants_routes:
                    self.routes.ask(step.wants_routes)
                if step.leg is not None:
                    self._legs.send(step.leg)
        if task.phase is Phase.DONE:
            self._legs.cancel()
        self._save(task)

    def stop(self, code: Code, message: str) -> None:
        """Ends the task for good; the robot stands."""
        if self.task is not None and self.suspended is None:
            self.task.finish(code, message)
            self._legs.cancel()
            self.routes.forget()
            self._save(self.task)

    def suspend(self, code: Code, message: str) -> None:
        """Leaves the task as it is on disk; the robot stands."""
        self._legs.cancel()
        self.routes.forget()
        if self.task is not None and self.suspended is None:
            self.suspended = AmiError(message, code)

    def _hear(self, task: Task, stamp: float) -> None:
        """What became of the leg."""
        outcome = self._legs.take_outcome()
        if outcome is not None:
            if outcome.code == GoalCode.PREEMPTED:
                task.finish(Code.TAKEN_OVER, f"another client took over: {outcome.message}")
            elif outcome.code == GoalCode.DEACTIVATED:
                task.interrupted()
            elif outcome.code == GoalCode.EMERGENCY_STOP:
                task.interrupted()
                self._save(task, by_itself=False)
                self.suspend(Code.EMERGENCY_STOP, "an emergency stop: release it, then send kind RESUME")
            else:
                task.ended(outcome.leg, outcome.succeeded, outcome.code, outcome.message, stamp)
        elif self._legs.silence > self.silence:
            self._legs.cancel()
            task.interrupted()

    def _planner_is_there(self, task: Task) -> bool:
        if self._legs.ready:
            self._alone_since, self.notice = None, ""
            return True
        if self._alone_since is None:
            self._alone_since = self.bus.steady()
        self.notice = "waiting for the planner"
        if self._legs.leg is not None:
            self._legs.cancel()
            task.interrupted()
        if self.bus.steady() - self._alone_since > self.patience:
            self.suspend(Code.PLANNER_GONE, f"no planner for {self.patience:.0f} s; start it, then send kind RESUME")
        return False

    def _save(self, task: Task, by_itself: bool = True) -> None:
        if by_itself and task.revision == self._saved:
            return
        self._saved = task.revision
        try:
            self._file.save(task, by_itself)
        except AmiError as error:
            self.suspend(Code.BAD_FILE, str(error))
