"""Tasks: what sends a robot from goal to goal. A mission is one, exploring is another; neither knows who drives."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.mission.mission_codes import Code
from ami_ros.mission.place_doubts import PlaceDoubts
from ami_ros.moving.things import MovingThings
from ami_ros.places.types import GoalQuery, Location, Route
from ami_ros.planning.types import Goal, RouteRequest
from ami_ros.safety.keep_out import Mask
from ami_ros.scan import Scan

LONGEST_WAIT = 86_400.0  # [s] at one destination


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
        if not 0.0 <= self.wait <= LONGEST_WAIT:
            raise ValueError(f"wait must be 0 to {LONGEST_WAIT:.0f} s, found {self.wait}")
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
        ...

    def set_routes(self, answers: Sequence[Route | AmiError]) -> None:
        """Memory's answers to `Step.wants_routes`, in its order."""
        ...

    def ended(self, leg: int, succeeded: bool, code: int, message: str, stamp: float) -> None:
        """The leg of that number ended; a replaced one is ignored."""
        ...

    def interrupted(self) -> None:
        """The planner is gone: the current leg has to be driven again."""
        ...

    def finish(self, code: Code, message: str) -> None:
        """Ends it, whatever it is doing."""
        ...
