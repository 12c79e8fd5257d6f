"""What a viewer may ask of the robot, as one JSON object each: {"do": NAME, ...its fields}.

Everything is checked here, before anybody acts on it: an unknown field, a number that is no number, a pose beyond any
building or a name that could be a path is one line of error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ami_ros.behaviour.area import FARTHEST, Corners, check_corners
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError

Nodes = Literal["safety", "perception", "world_model", "memory", "planner", "mission", "supervisor"]


@dataclass(frozen=True)
class Request:
    """What all have.

    Attributes:
        words: what it does, for the log, with its fields in braces.
        free: whoever watches may ask for it, also with a key that is for watching only.
        drives: only who has the robot may ask for it; nobody has it: who asks takes it.
        goes: the robot sets out; not while it is stopped, or it would at the release.
    """

    words: ClassVar[str] = ""
    free: ClassVar[bool] = False
    drives: ClassVar[bool] = True
    goes: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.words.format(**vars(self))


class Stop(Request):
    """An emergency stop, which holds until `Release`."""

    words, free, drives = "STOP", True, False


class Release(Request):
    """Ends an emergency stop."""

    words = "release of the stop"


class TakeOver(Request):
    """Whoever had the robot has it no more."""

    words, drives = "takes over", False


class GiveBack(Request):
    """Nobody has the robot."""

    words = "gives the robot back"


@dataclass(frozen=True)
class Steer(Request):
    """A share of the speeds by hand; has to be said again before `HandConfig.silence` is over."""

    words = "drives by hand"
    linear: float = 0.0  # ahead [-1, 1]
    angular: float = 0.0  # to the left [-1, 1]

    def __post_init__(self) -> None:
        if not (abs(self.linear) <= 1 and abs(self.angular) <= 1):
            raise ValueError("linear and angular must be from -1 to 1")


@dataclass(frozen=True)
class GoTo(Request):
    """Drives to a pose in the map; without a heading any will do."""

    words, goes = "goal {x:.2f}, {y:.2f} m", True
    x: float  # [m]
    y: float  # [m]
    yaw: float | None = None  # [rad]

    def __post_init__(self) -> None:
        check_numbers("x, y and yaw", self.x, self.y, self.yaw or 0.0)


@dataclass(frozen=True)
class GoToPlace(Request):
    """Drives to a place by its name."""

    words, goes = "goal: the place {name}", True
    name: str

    def __post_init__(self) -> None:
        check_name(self.name)


@dataclass(frozen=True)
class GoToPicture(Request):
    """Drives to where a picture was taken that is kept here."""

    words, goes = "goal: picture {picture}", True
    picture: int


class GoHome(Request):
    """Drives to the place called home, else to where the memory began."""

    words, goes = "goal: home", True


@dataclass(frozen=True)
class Explore(Request):
    """Looks around by itself, in an area of the map [m] if it has corners, and comes back."""

    goes = True
    minutes: float = 10.0
    area: Corners = ()

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= 240:
            raise ValueError("minutes must be above 0 and at most 240")
        if self.area:
            check_corners(self.area)

    def __str__(self) -> str:
        return f"explores {f'an area of {len(self.area)} corners ' if self.area else ''}for {self.minutes:g} min"


@dataclass(frozen=True)
class Patrol(Request):
    """Visits places in order."""

    goes = True
    names: tuple[str, ...]
    rounds: int = 1

    def __post_init__(self) -> None:
        if not 1 <= len(self.names) <= 20 or not 1 <= self.rounds <= 5:
            raise ValueError("a patrol has 1 to 20 names and 1 to 5 rounds")
        for name in self.names:
            check_name(name)

    def __str__(self) -> str:
        return f"patrol: {', '.join(self.names)}"


class Cancel(Request):
    """Ends what the robot does; it stands."""

    words = "cancels"


class Pause(Request):
    """The robot stands until `Resume`."""

    words = "pauses"


class Resume(Request):
    """Goes on with what was paused."""

    words, goes = "goes on", True


@dataclass(frozen=True)
class NamePlace(Request):
    """Names the place where the robot is, or that of `place`."""

    words = "names a place {name}"
    name: str
    place: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 0 <= self.place < 2**63:
            raise ValueError("place must be an id of memory's")


@dataclass(frozen=True)
class KeepOut(Request):
    """Paints where the robot must not go: a stroke of a round brush in the map."""

    points: tuple[tuple[float, float], ...]  # [m]
    radius: float = 0.3  # [m]

    def __post_init__(self) -> None:
        if not 1 <= len(self.points) <= 200:
            raise ValueError("a stroke has 1 to 200 points")
        check_numbers("points", *(v for point in self.points for v in point))
        if not 0.1 <= self.radius <= 2.0:
            raise ValueError("radius must be from 0.1 to 2.0 m")

    def __str__(self) -> str:
        return f"keep-out area of {len(self.points)} points"


@dataclass(frozen=True)
class ClearKeepOut(Request):
    """Takes all painted areas away, or the one that was painted last."""

    words = "takes keep-out areas away"
    last: bool = False


class KeepView(Request):
    """Keeps what the camera sees now as a goal for later."""

    words, drives = "keeps this view", False


class SaveBag(Request):
    """Writes the last minutes into a bag."""

    words, drives = "saves a bag", False


@dataclass(frozen=True)
class Thumbnail(Request):
    """The picture that memory has of a place."""

    words, free, drives = "looks at a place", True, False
    x: float = 0.0  # [m]
    y: float = 0.0
    place: int = 0

    def __post_init__(self) -> None:
        check_numbers("x and y", self.x, self.y)


class History(Request):
    """What was seen in the last minutes."""

    words, free, drives = "looks back", True, False


@dataclass(frozen=True)
class Parameters(Request):
    """Which parameters of a node may change while it runs, and what they are."""

    words, free, drives = "looks at parameters", True, False
    node: Nodes


@dataclass(frozen=True)
class Tune(Request):
    """Sets a parameter of a node; the node has the last word."""

    words = "sets {node} {name} to {value}"
    node: Nodes
    name: str
    value: Any

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= 200 or not self.name.isprintable():
            raise ValueError("name must be that of a parameter, of at most 200 characters")
        is_number = isinstance(self.value, int | float) and abs(self.value) <= 1e12
        if not is_number and not (isinstance(self.value, str) and len(self.value) <= 200):
            raise ValueError("value must be true, false, a short text, or a number of at most 1e+12")


KINDS: dict[str, type[Request]] = {
    "stop": Stop, "release": Release, "take_over": TakeOver, "give_back": GiveBack, "steer": Steer, "goto": GoTo,
    "goto_place": GoToPlace, "goto_picture": GoToPicture, "home": GoHome, "explore": Explore, "patrol": Patrol,
    "cancel": Cancel, "pause": Pause, "resume": Resume, "name": NamePlace, "keep_out": KeepOut,
    "clear_keep_out": ClearKeepOut, "keep_view": KeepView, "save_bag": SaveBag, "thumbnail": Thumbnail,
    "history": History, "parameters": Parameters, "tune": Tune,
}  # fmt: skip


def request_of(values: dict[str, Any]) -> Request:
    """A request out of a JSON object.

    Raises:
        AmiError: it is none; the line says why.
    """
    name = values.pop("do", None)
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise AmiError(f"there is no request {str(name)[:40]!r}; it is one of {', '.join(KINDS)}")
    return from_mapping(kind, values, f"request {name}")


def read_json(text: str) -> dict[str, Any]:
    """A JSON object; numbers that JSON lacks are refused.

    Raises:
        AmiError: it is none.
    """

    def refuse(name: str) -> float:
        raise ValueError(name)

    try:
        values = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise AmiError("request: this is no JSON, or has numbers that are NaN or infinite") from error
    if not isinstance(values, Mapping):
        raise AmiError("request: a JSON object is expected")
    return dict(values)


def check_numbers(what: str, *numbers: float) -> None:
    """Raises ValueError on what is beyond any building [m], or no number."""
    if not all(math.isfinite(number) and abs(number) <= FARTHEST for number in numbers):
        raise ValueError(f"{what} must be finite, and at most {FARTHEST:g}")


def check_name(name: str) -> None:
    """Raises ValueError on what no place should be called."""
    if not 1 <= len(name.strip()) <= len(name) <= 64 or not name.isprintable():
        raise ValueError("a name has 1 to 64 printable characters")
    if any(c in name for c in "/\\") or name.startswith("."):
        raise ValueError("a name is no path: it has no slash and does not begin with a dot")
