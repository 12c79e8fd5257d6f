"""The part `memory`: places where the robot has been, where it is now, and routes to goals."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command
from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.core.images import THUMBNAIL, encode_thumbnail
from ami_ros.core.scan import Scan, moved
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.sharing.replica import Copies
from ami_ros.memory.types import Route
from ami_ros.planning.types import Reading, RouteRequest
from ami_ros.runtime.history import CommandHistory, OdometryHistory
from ami_ros.runtime.part import (
    CMD_VEL,
    FIND_ROUTE,
    IMAGE,
    INITIAL_POSE,
    KEEP_AWAY,
    LATENT,
    LOCATION,
    MOVING_THINGS,
    ODOM,
    PLACES,
    SCAN,
    SURPRISE,
    Bus,
    Finish,
    Known,
    Motion,
    Part,
    Picture,
    Port,
    Question,
    Said,
)
from ami_ros.runtime.perception import LatentFrame
from ami_ros.safety.moving_things import MovingThings, usable
from ami_ros.safety.tracker import without_moving


@dataclass(frozen=True)
class MemoryInput:
    """One moment for `PlaceMemory.observe`.

    Attributes:
        stamp: of the latent [s].
        latent: (latent_dim,).
        odometry: (3,) pose in odom at that time.
        command: mean since the moment before; None: not known.
        surprise: greatest z score since then; 0: none.
        scan: of that moment, in base_link; None: there is none.
        code: (sight_code,) of the picture of that moment; None: there is none.
    """

    stamp: float
    latent: NDArray[np.float32]
    odometry: Array
    command: Command | None
    surprise: float
    scan: Scan | None = None
    code: NDArray[np.float32] | None = None


class MemoryFeed:
    """Collects between two moments that memory takes in.

    Args:
        width: of a command (`ami_ros.core.commands`).
        period: between two moments [s].
        early: [s] by which a latent may come before its time.
        same_moment: [s] between a latent and its scan; odometry brings the scan to the latent's time.
    """

    def __init__(self, width: int, period: float, early: float = 0.02, same_moment: float = 0.25) -> None:
        self.period, self._early, self._same_moment = period, early, same_moment
        self._commands, self._odometry = CommandHistory(width), OdometryHistory()
        self.clear()

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self._commands.clear()
        self._odometry.clear()
        self._heard, self._surprise, self._taken = False, 0.0, math.nan
        self._scans: deque[tuple[float, Scan]] = deque(maxlen=5)
        self.things: MovingThings | None = None  # what moves, in odom: it is taken out of scans, for it is no wall

    def take_odometry(self, stamp: float, pose: Array, velocity: Command, now: float = math.inf) -> bool:
        """See `OdometryHistory.add`; False: odometry restarted, and memory has to be told (`restart`)."""
        return self._odometry.add(stamp, pose, velocity, now)

    def take_command(self, stamp: float, command: Command) -> None:
        """A command in force from `stamp` [s] on; one that is not finite is none."""
        if all(map(math.isfinite, command)):
            self._commands.add(stamp, command)
            self._heard = True

    def take_scan(self, stamp: float, scan: Scan) -> None:
        """In base_link."""
        self._scans.append((stamp, scan))

    def take_surprise(self, z_score: float) -> None:
        """A reading; NaN: not known."""
        if z_score > self._surprise:
            self._surprise = z_score

    def take_latent(self, frame: LatentFrame) -> MemoryInput | None:
        """The next moment for memory; None: not yet due.

        Raises:
            AmiError: there is no odometry of its time.
        """
        if frame.stamp - self._taken < self.period - self._early:
            return None
        motion = self._odometry.at(frame.stamp)
        if motion is None:
            raise AmiError("latent dropped: no odometry at its time; is odom published, with stamps of the same clock?")
        command = None  # where nobody ever gave one
        if self._heard and self._taken < frame.stamp:
            command = tuple(map(float, self._commands.means(self._taken, frame.stamp - self._taken, 1)[0]))
        surprise, self._surprise, self._taken = self._surprise, 0.0, frame.stamp
        # The nearest scan of the moment, as it would be seen from the latent's pose.
        at, scan = min(self._scans, key=lambda kept: abs(frame.stamp - kept[0]), default=(math.inf, None))
        then = self._odometry.at(at) if abs(frame.stamp - at) < self._same_moment else None
        if scan is None or then is None:
            return MemoryInput(frame.stamp, frame.latent, motion[0], command, surprise, None, frame.picture)
        if (things := usable(self.things, at)) is not None:
            scan = without_moving(scan, then[0], things)
        scan = moved(scan, relative(motion[0], then[0]))
        return MemoryInput(frame.stamp, frame.latent, motion[0], command, surprise, scan, frame.picture)


@dataclass(frozen=True)
class MemorySettings:
    """What it is told."""

    observe_period: float = parameter(
        0.2,
        "Between two latents that memory takes in. Larger saves CPU and localises more slowly.",
        "s",
        (0.0, 10.0),
        True,
    )
    places_period: float = parameter(
        2.0, "Between two publications of places, when they changed. Larger saves CPU.", "s", (0.1, 600.0), True
    )
    thumbnails: bool = parameter(True, "Keep a small picture of each new place.")


class MemoryPart(Part):
    """Takes in latents at a slow pace; whoever else asks the memory or changes it holds `lock` meanwhile.

    Args:
        bus: see `Part`.
        memory: of places.
        config: see there.
        width: of a command.

    Attributes:
        latent: (latent_dim,) the newest that memory took in.
    """

    name = "memory"
    takes: tuple[Port, ...] = (
        ODOM, SCAN.taken(frame="base_link"), MOVING_THINGS, IMAGE, CMD_VEL, SURPRISE, LATENT, INITIAL_POSE,
    )  # fmt: skip
    gives: tuple[Port, ...] = (LOCATION, PLACES, KEEP_AWAY)
    answers = (FIND_ROUTE,)

    def __init__(self, bus: Bus, memory: PlaceMemory, config: MemorySettings, width: int) -> None:
        super().__init__(bus)
        self.memory, self.lock = memory, threading.RLock()
        self.feed = MemoryFeed(width, config.observe_period)
        self.latent: NDArray[np.float32] | None = None
        self._keeps = config.thumbnails
        self._pictures: deque[tuple[float, Picture]] = deque(maxlen=5)  # until their latent comes
        self._shown = -1  # revision of the map that was given last
        self._said = ""  # where the robot is said to be, until it is known what came of it
        self._timer = bus.every(config.places_period, self.show)

    def share(self, robot: str, folder: Path) -> None:
        """From now on takes in what other robots remember.

        Args:
            robot: name of this robot among them.
            folder: of the copies of their memories.
        """
        with self.lock:
            self.memory.share_as(robot)
        self._copies, self._joined = Copies(folder), dict[str, str]()
        self.bus.every(2.0, self._take_copies)

    def _take_copies(self) -> None:
        with self.lock:
            for robot, path, whole in self._copies.changed():
                self.memory.take_in(robot, path, whole)
            joined = {robot: known.message for robot, known in self.memory.joined.items()}
        for robot, message in joined.items():
            if message and self._joined.get(robot) != message:
                self.bus.say(f"robot {robot}: {message}")
        self._joined = joined

    def tune(self, config: MemorySettings) -> None:
        """Other values from now on."""
        self.feed.period = config.observe_period
        self._timer.set_period(config.places_period)

    def restart(self) -> None:
        self.feed.clear()
        self._pictures.clear()
        self._lose()

    def _lose(self) -> None:
        """Odometry or time restarted: the robot may be anywhere."""
        self.bus.forget_work()
        with self.lock:
            self.memory.restart()

    def on_odom(self, stamp: float, motion: Motion) -> None:
        if not self.feed.take_odometry(stamp, *motion, self.bus.now()):
            self.bus.report("odometry", "odometry began anew: looking for the robot's place")
            self._lose()

    def on_scan(self, stamp: float, scan: Scan) -> None:
        if self.memory.takes_scans:
            self.feed.take_scan(stamp, scan)

    def on_moving_things(self, stamp: float, things: MovingThings) -> None:
        self.feed.things = things

    def on_image(self, stamp: float, picture: Picture) -> None:
        if self._keeps:
            self._pictures.append((stamp, picture))

    def on_cmd_vel(self, stamp: float, command: Command) -> None:
        self.feed.take_command(stamp, command)

    def on_surprise(self, stamp: float, reading: Reading) -> None:
        self.feed.take_surprise(reading.z_score)

    def on_latent(self, stamp: float, seen: LatentFrame) -> None:
        moment = self.feed.take_latent(seen)
        if moment is not None:
            picture = next((picture for at, picture in self._pictures if at == stamp), None)
            self.bus.work(lambda: self._observe(moment, picture))

    def on_initialpose(self, stamp: float, said: Said) -> None:
        """Somebody says where the robot is, as RViz's tool "2D Pose Estimate" and Nav2 do."""
        x, y, yaw = said.pose
        with self.lock:
            self.memory.set_initial_pose(*said)
            self._said = f"the robot is said to be at ({x:.2f}, {y:.2f}, {yaw:.2f})"

    def _observe(self, moment: MemoryInput, picture: Picture | None) -> Finish:
        with self.lock:
            recogniser = self.memory.map.recogniser
            side = THUMBNAIL if recogniser is None else recogniser.thumbnail_side  # [px]
            thumbnail = None if picture is None else lambda: encode_thumbnail(picture(), side)
            location = self.memory.observe(
                moment.stamp, moment.latent, moment.odometry, thumbnail, moment.command, moment.surprise, moment.scan,
                moment.code,
            )  # fmt: skip
            self.latent = moment.latent
            said, self._said = self._said, ""

        def tell() -> None:
            self.bus.give(LOCATION, location.stamp, location)
            x, y, yaw = location.pose
            if said and location.localised:
                self.bus.say(f"{said}, and found at ({x:.2f}, {y:.2f}, {yaw:.2f})")
            elif said:
                lost = "what is remembered there is not what the robot sees: it is looked for everywhere"
                self.bus.report("initialpose", f"{said}; {lost}")

        return tell

    def between(self) -> bool:
        """What the next goal will need; else its question would hold this part up for seconds."""
        with self.lock:
            return self.memory.prepare()

    def failed(self, error: Exception) -> None:
        self.bus.report("memory", f"memory failed: {type(error).__name__}: {error}", severe=True)

    def show(self) -> None:
        """Gives all that is known, if that changed."""
        if error := self.memory.map.store.error:
            self.bus.report("store", str(error), severe=True)
        with self.lock:
            if self.memory.map.revision == self._shown:
                return
            self._shown = self.memory.map.revision
            places = self.memory.places()
            known = Known(places.poses, places.ids, places, self.memory.map.graph.edges.columns.copy())
            circles = self.memory.keep_away()
        now = self.bus.now()
        self.bus.give(PLACES, now, known)
        self.bus.give(KEEP_AWAY, now, circles)

    def effort(self, question: Question, request: RouteRequest) -> str:
        return "find_picture" if request.goal.picture is not None else question.name

    def find_route(self, asked: RouteRequest) -> Route:
        """See `PlaceMemory.find_route`."""
        with self.lock:
            return self.memory.find_route(asked.goal, asked.hypothesis, asked.avoid_edges)
