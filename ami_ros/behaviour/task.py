"""Tasks: what sends a robot from goal to goal. A mission is one, exploring is another; neither knows who drives."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import partial
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.memory.coverage import Raster, gaussian_sums
from ami_ros.memory.types import GoalQuery, Location, Route
from ami_ros.planning.types import Goal, RouteRequest
from ami_ros.safety.keep_out import Mask
from ami_ros.safety.moving_things import MovingThings


class Code(IntEnum):
    """Codes of missions, as in RunMission: 10321 and up; 0 is success. Those of single goals are the planner's."""

    NONE = 0
    INVALID_MISSION = 10321
    GOALS_MISSED = 10322
    TIMEOUT = 10323
    PREEMPTED = 10324
    DEACTIVATED = 10325
    NOTHING_TO_RESUME = 10326
    PLANNER_GONE = 10327
    TAKEN_OVER = 10328
    NOT_LOCALISED = 10329
    BAD_FILE = 10330
    CANCELED = 10331
    EMERGENCY_STOP = 10332


class PlaceDoubts:
    """A running mean of the doubt near each place. Kept over missions: what one met, another may look into.

    Doubt is the prediction error that the model's ensemble expected, over the one that is usual for a prediction as
    hard: 1 is as usual, 2 twice as unsure. By itself the expected error tells how fast the robot moved rather
    than where.

    Args:
        reach: [m] over which doubt met at one place tells about others: a Gaussian's deviation.
        prior: readings of usual doubt that are assumed before any come.

    Attributes:
        silent: readings came without doubt: the model has no ensemble.
    """

    def __init__(self, reach: float = 0.7, prior: float = 5.0) -> None:
        self._reach, self._prior, self.silent = reach, prior, False
        self._met: dict[int, tuple[float, float, float, int]] = {}  # place id -> x, y [m, map], mean doubt, readings

    def __len__(self) -> int:
        return len(self._met)

    def note(self, place_id: int, at: Array, doubt: float) -> None:
        """The robot is at `at` (2+,) in the map frame, nearest to that place (0: to none); NaN: doubt unknown."""
        if not math.isfinite(doubt):
            self.silent = not self._met
            return
        self.silent = False
        if place_id:
            _, _, mean, count = self._met.get(place_id, (0.0, 0.0, 0.0, 0))
            self._met[place_id] = (float(at[0]), float(at[1]), mean + (doubt - mean) / (count + 1), count + 1)

    def near(self, points: Array) -> Array:
        """The doubt expected at points (k, 2) [m] in the map frame (k,); 1 where nothing near is known."""
        if not self._met:
            return np.ones(len(points))
        met = np.array(list(self._met.values()))
        raster = Raster.of(points)
        sums = partial(gaussian_sums, points) if raster is None else raster.near
        weight, doubt = (sums(met[:, :2], met[:, 3] * of, self._reach) for of in (1.0, met[:, 2] - 1.0))
        return np.asarray(1.0 + doubt / (weight + self._prior))

    def doubtful(self, least: float) -> tuple[NDArray[np.int64], Array]:
        """Ids (n,) and positions (n, 2) of places around which doubt of at least `least` is expected."""
        if not self._met:
            return np.zeros(0, np.int64), np.zeros((0, 2))
        ids, at = np.array(list(self._met), np.int64), np.array(list(self._met.values()))[:, :2]
        unsure = self.near(at) >= least
        return ids[unsure], at[unsure]


@dataclass(frozen=True)
class DestinationView:
    """One more picture of a destination; see `places.types.View`."""

    turn: float  # [rad]
    picture: str  # JPEG or PNG in base64

    def __post_init__(self) -> None:
        if not np.isfinite(self.turn) or not self.picture:
            raise ValueError("a further picture needs a finite turn, and must not be empty")


@dataclass(frozen=True)
class Destination:
    """Where to go, in plain values that a file can hold. Fields of other kinds than `kind` are ignored."""

    kind: Literal["pose", "place", "latent", "picture"]
    pose: tuple[float, float, float] = (0.0, 0.0, 0.0)  # [m], [m], [rad]
    in_map: bool = False  # the pose is in the memory's frame, else in odom
    place_id: int = 0  # 0: by label
    place_label: str = ""
    latent: tuple[float, ...] = ()
    encoder_id: str = ""  # of the latent
    picture: str = ""  # JPEG or PNG in base64, for whoever has the model
    views: tuple[DestinationView, ...] = ()  # further pictures from there
    wait: float = 0.0  # [s] to stay there

    def __post_init__(self) -> None:
        if not 0.0 <= self.wait <= 86_400.0:
            raise ValueError(f"wait must be 0 to 86400 s, found {self.wait}")
        if self.kind == "pose" and not np.isfinite(self.pose).all():
            raise ValueError(f"pose must be three finite numbers, found {list(self.pose)}")
        if self.kind == "place" and not (self.place_id > 0 or self.place_label):
            raise ValueError("a place needs its id or its label")
        if self.kind == "latent" and not (self.latent and np.isfinite(self.latent).all()):
            raise ValueError("latent must be finite numbers")
        if self.kind == "picture" and not self.picture:
            raise ValueError("the picture is empty")

    @property
    def pictures(self) -> list[tuple[float, bytes]]:
        """The encoded pictures, each with the turn [rad] at which it was taken. Raises AmiError: one is not base64."""
        try:
            views = [(0.0, self.picture), *((view.turn, view.picture) for view in self.views)]
            return [(turn, base64.b64decode(picture, validate=True)) for turn, picture in views]
        except ValueError as error:
            raise AmiError("mission: a picture is not base64", Code.INVALID_MISSION) from error

    def goal(self, allowance: float = 0.0) -> Goal:
        """The goal for the navigator; that of a picture still lacks its latent. `allowance` in s, 0: no limit."""
        if self.kind == "pose":
            return Goal(pose=np.array(self.pose), in_map=self.in_map, time_allowance=allowance)
        if self.kind == "place":
            return Goal(place_id=self.place_id, place_label=self.place_label, time_allowance=allowance)
        latent = np.array(self.latent, np.float32) if self.kind == "latent" else None
        return Goal(latent=latent, time_allowance=allowance)

    def query(self) -> GoalQuery | None:
        """The goal for memory; None where memory cannot search it: a picture without a model, a pose in odom."""
        if self.kind == "picture" or (self.kind == "pose" and not self.in_map):
            return None
        return self.goal().query()


@dataclass(frozen=True)
class WorldState:
    """One moment, as a task sees it."""

    stamp: float  # [s]
    odometry: Array | None = None  # (3,) in odom
    scan: Scan | None = None
    location: Location | None = None
    places: Array | None = None  # (n, 3) of all remembered places in the map frame
    battery: float | None = None  # charge [0, 1]
    doubts: PlaceDoubts | None = None  # of the world model, wherever the robot was so far
    things: MovingThings | None = None  # what moves, where somebody tells of this moment
    speed: float = 0.0  # [m/s] ahead
    keep_out: Mask | None = None  # where the robot must not go, in the map frame
    place_ids: NDArray[np.int64] | None = None  # (n,) of `places`


@dataclass(frozen=True)
class Leg:
    """One trip to one destination. A leg that is given while another is under way takes its place."""

    number: int  # counts up within a task
    destination: Destination
    allowance: float  # [s]; 0: no limit
    reason: str  # for people


@dataclass(frozen=True)
class Step:
    """What to do now: start a leg, ask memory for routes to several destinations, or nothing."""

    leg: Leg | None = None
    wants_routes: tuple[RouteRequest, ...] = ()


class Phase(str, Enum):
    """What a task is about."""

    CHOOSING = "choosing"  # which way to go
    DRIVING = "driving"
    WAITING = "waiting"  # at a destination, or before another attempt
    RETURNING = "returning"  # to the place of safety
    DONE = "done"


class Task(Protocol):
    """Goals one after the other. Not thread-safe; knows time only from stamps."""

    phase: Phase
    code: Code  # how it ended
    message: str  # what it is about, or how it ended
    revision: int  # grows with each change that a restart must not forget

    def step(self, state: WorldState) -> Step:
        """What to do at this moment."""

    def set_routes(self, answers: Sequence[Route | AmiError]) -> None:
        """Memory's answers to `Step.wants_routes`, in its order."""

    def ended(self, leg: int, succeeded: bool, code: int, message: str, stamp: float) -> None:
        """The leg of that number ended; a replaced one is ignored."""

    def interrupted(self) -> None:
        """The planner is gone: the current leg has to be driven again."""

    def finish(self, code: Code, message: str) -> None:
        """Ends it, whatever it is doing."""
