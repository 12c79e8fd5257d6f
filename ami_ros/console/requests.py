"""What a viewer may ask of the robot, as one JSON object each: {"do": NAME, ...its fields}.

Everything is checked here, before anybody acts on it: an unknown field, a number that is no number, a pose beyond any
building or a name that could be a path is one line of error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from ami_ros.behaviour.area import FARTHEST, Corners, check_corners
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError

MAX_NAME = 64  # characters of a place's name
MAX_PLACES = 20  # of a patrol
MAX_MINUTES = 240.0  # to explore
MAX_STROKE = 200  # points of a stroke of the keep-out brush
MAX_PARAMETER = 200  # characters of a parameter's name, or of its value
MOST_VALUE = 1e12  # of a parameter
BRUSH = 0.1, 2.0  # [m] radius of that brush


@dataclass(frozen=True)
class Request:
    """What all have.

    Attributes:
        words: what it does, for the log.
        free: whoever watches may ask for it, also with a key that is for watching only.
        drives: only who has the robot may ask for it; nobody has it: who asks takes it.
        goes: the robot sets out; not while it is stopped, or it would at the release.
    """

    words: ClassVar[str] = ""
    free: ClassVar[bool] = False
    drives: ClassVar[bool] = True
    goes: ClassVar[bool] = False

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Stop(Request):
    """An emergency stop, which holds until `Release`."""

    words, free, drives = "STOP", True, False


@dataclass(frozen=True)
class Release(Request):
    """Ends an emergency stop."""

    words = "release of the stop"


@dataclass(frozen=True)
class TakeOver(Request):
    """Whoever had the robot has it no more."""

    words, drives = "takes over", False


@dataclass(frozen=True)
class GiveBack(Request):
    """Nobody has the robot."""

    words = "gives the robot back"


@dataclass(frozen=True)
class Steer(Request):
    """A share of the speeds by hand; has to be said again within `dead_man.SILENCE`."""

    words = "drives by hand"
    linear: float = 0.0  # ahead [-1, 1]
    angular: float = 0.0  # to the left [-1, 1]

    def __post_init__(self) -> None:
        if not (abs(self.linear) <= 1 and abs(self.angular) <= 1):
            raise ValueError("linear and angular must be from -1 to 1")


@dataclass(frozen=True)
class GoTo(Request):
    """Drives to a pose in the map; without a heading any will do."""

    goes = True
    x: float  # [m]
    y: float  # [m]
    yaw: float | None = None  # [rad]

    def __post_init__(self) -> None:
        numbers = [self.x, self.y, self.yaw or 0.0]
        if not all(map(math.isfinite, numbers)) or max(map(abs, numbers)) > FARTHEST:
            raise ValueError(f"x, y and yaw must be finite, and at most {FARTHEST:g}")

    def __str__(self) -> str:
        return f"goal {self.x:.2f}, {self.y:.2f} m"


@dataclass(frozen=True)
class GoToPlace(Request):
    """Drives to a place by its name."""

    goes = True
    name: str

    def __post_init__(self) -> None:
        check_name(self.name)

    def __str__(self) -> str:
        return f"goal: the place {self.name}"


@dataclass(frozen=True)
class GoToPicture(Request):
    """Drives to where a picture was taken that is kept here."""

    goes = True
    picture: int

    def __str__(self) -> str:
        return f"goal: picture {self.picture}"


@dataclass(frozen=True)
class GoHome(Request):
    """Drives to the place called home, else to where the memory began."""

    goes = True
    words = "goal: home"


@dataclass(frozen=True)
class Explore(Request):
    """Looks around by itself, in an area of the map [m] if it has corners, and comes back."""

    goes = True
    minutes: float = 10.0
    area: Corners = ()

    def __post_init__(self) -> None:
        if not 0 < self.minutes <= MAX_MINUTES:
            raise ValueError(f"minutes must be above 0 and at most {MAX_MINUTES:g}")
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
        if not 1 <= len(self.names) <= MAX_PLACES or not 1 <= self.rounds <= 5:
            raise ValueError(f"a patrol has 1 to {MAX_PLACES} names and 1 to 5 rounds")
        for name in self.names:
            check_name(name)

    def __str__(self) -> str:
        return f"patrol: {', '.join(self.names)}"


@dataclass(frozen=True)
class Cancel(Request):
    """Ends what the robot does; it stands."""

    words = "cancels"


@dataclass(frozen=True)
class Pause(Request):
    """The robot stands until `Resume`."""

    words = "pauses"


@dataclass(frozen=True)
class Resume(Request):
    """Goes on with what was paused."""

    goes = True
    words = "goes on"


@dataclass(frozen=True)
class NamePlace(Request):
    """Names the place where the robot is, or that of `place`."""

    name: str
    place: int = 0

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 0 <= self.place < 2**63:
            raise ValueError("place must be an id of memory's")

    def __str__(self) -> str:
        return f"names a place {self.name}"


@dataclass(frozen=True)
class KeepOut(Request):
    """Paints where the robot must not go: a stroke of a round brush in the map."""

    points: tuple[tuple[float, float], ...]  # [m]
    radius: float = 0.3  # [m]

    def __post_init__(self) -> None:
        if not 1 <= len(self.points) <= MAX_STROKE:
            raise ValueError(f"a stroke has 1 to {MAX_STROKE} points")
        if not all(math.isfinite(v) and abs(v) <= FARTHEST for point in self.points for v in point):
            raise ValueError(f"points must be finite, and at most {FARTHEST:g} m")
        if not BRUSH[0] <= self.radius <= BRUSH[1]:
            raise ValueError(f"radius must be from {BRUSH[0]} to {BRUSH[1]} m")

    def __str__(self) -> str:
        return f"keep-out area of {len(self.points)} points"


@dataclass(frozen=True)
class ClearKeepOut(Request):
    """Takes all painted areas away, or the one that was painted last."""

    words = "takes keep-out areas away"
    last: bool = False


@dataclass(frozen=True)
class KeepView(Request):
    """Keeps what the camera sees now as a goal for later."""

    words, drives = "keeps this view", False


@dataclass(frozen=True)
class SaveBag(Request):
    """Writes the last minutes into a bag."""

    words, drives = "saves a bag", False


@dataclass(frozen=True)
class Thumbnail(Request):
    """The picture that memory has of a place."""

    free, drives = True, False
    words = "looks at a place"
    x: float = 0.0  # [m]
    y: float = 0.0
    place: int = field(default=0)

    def __post_init__(self) -> None:
        if not all(math.isfinite(v) and abs(v) <= FARTHEST for v in (self.x, self.y)):
            raise ValueError("x and y must be finite")


@dataclass(frozen=True)
class History(Request):
    """What was seen in the last minutes."""

    free, drives = True, False
    words = "looks back"


Nodes = Literal["safety", "perception", "world_model", "memory", "planner", "mission", "supervisor"]


@dataclass(frozen=True)
class Parameters(Request):
    """Which parameters of a node may change while it runs, and what they are."""

    free, drives = True, False
    words = "looks at parameters"
    node: Nodes


@dataclass(frozen=True)
class Tune(Request):
    """Sets a parameter of a node; the node has the last word."""

    node: Nodes
    name: str
    value: Any

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_PARAMETER or not self.name.isprintable():
            raise ValueError(f"name must be that of a parameter, of at most {MAX_PARAMETER} characters")
        is_number = isinstance(self.value, int | float) and abs(self.value) <= MOST_VALUE
        if not is_number and not (isinstance(self.value, str) and len(self.value) <= MAX_PARAMETER):
            raise ValueError(f"value must be true, false, a short text, or a number of at most {MOST_VALUE:g}")

    def __str__(self) -> str:
        return f"sets {self.node} {self.name} to {self.value}"


KINDS: dict[str, type[Request]] = {
    "stop": Stop, "release": Release, "take_over": TakeOver, "give_back": GiveBack, "steer": Steer, "goto": GoTo,
    "goto_place": GoToPlace, "goto_picture": GoToPicture, "home": GoHome, "explore": Explore, "patrol": Patrol,
    "cancel": Cancel, "pause": Pause, "resume": Resume, "name": NamePlace, "keep_out": KeepOut,
    "clear_keep_out": ClearKeepOut, "keep_view": KeepView, "save_bag": SaveBag, "thumbnail": Thumbnail,
    "history": History, "parameters": Parameters, "tune": Tune,
}  # fmt: skip


def parse(text: str) -> Request:
    """A request out of what a viewer sent; see `request_of`."""
    return request_of(read_json(text))


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
    try:
        values = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise AmiError("request: this is no JSON, or has numbers that are NaN or infinite") from error
    if not isinstance(values, Mapping):
        raise AmiError("request: a JSON object is expected")
    return dict(values)


def _no_constant(name: str) -> float:
    raise ValueError(name)


def check_name(name: str) -> None:
    """Raises ValueError on what no place should be called."""
    if not 1 <= len(name.strip()) <= len(name) <= MAX_NAME or not name.isprintable():
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    if any(c in name for c in "/\\") or name.startswith("."):
        raise ValueError("a name is no path: it has no slash and does not begin with a dot")
