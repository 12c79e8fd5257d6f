"""What a part is, what it needs from outside (its bus), and the streams between parts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol

from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.safety.moving_things import STALE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ami_ros.memory.types import Places


# newest: only the newest counts, one may be lost; every: each arrives; latched: who comes late gets the last one, too.
Quality = Literal["newest", "every", "latched"]


@dataclass(frozen=True)
class Port:
    """One end of a stream.

    Attributes:
        name: of the stream, and of its topic.
        kind: type of the values, as Python spells it.
        quality: how it is carried.
        frame: of the values; "": they have none. The bus converts to it.
        unit: of the values.
        rate: that is usual [Hz]; 0: as it comes.
        max_age: beyond which whoever takes it does not use it [s].
    """

    name: str
    kind: Any
    quality: Quality = "newest"
    frame: str = ""
    unit: str = ""
    rate: float = 0.0
    max_age: float = math.inf

    def taken(self, **changes: Any) -> Port:
        """The same stream as one part takes it: with an age or a frame of its own."""
        return replace(self, **changes)


@dataclass(frozen=True)
class Question:
    """What a part can be asked; it answers with an `answer` or an AmiError."""

    name: str
    request: Any
    answer: Any


class Motion(NamedTuple):
    """Odometry of one moment."""

    pose: Array  # (3,) in odom
    velocity: Command  # measured


class Said(NamedTuple):
    """Where somebody says that the robot is."""

    pose: Array  # (3,) in the map
    reach: float  # [m] that this may be off
    turn: float  # [rad] likewise


class Known(NamedTuple):
    """What memory knows, as others see it."""

    poses: Array  # (n, 3) of all places in the map
    ids: NDArray[np.int64]  # (n,) of them
    places: Places | None = None  # more of them, for who shows them
    edges: NDArray[np.void] | None = None  # (m,) with the fields of `WAYS`


# Decodes when it is called: (H, W, 3) RGB, rectified as the model's camera takes it; or (H, W) depths.
Picture = Callable[[], Any]

# From and to the robot
IMAGE = Port("image", Picture, frame="camera", rate=10.0)
SCAN = Port("scan", "Scan", frame="laser", unit="m", rate=10.0)  # as it was measured; some take it in base_link
DEPTH = Port("depth", Picture, frame="camera", unit="m", rate=15.0)
ODOM = Port("odom", Motion, frame="odom", unit="m, rad; m/s, rad/s", rate=25.0)
BATTERY = Port("battery_state", float, unit="charge [0, 1]")
CMD_VEL = Port("cmd_vel", Command, "every", "base_link", "m/s, rad/s, m/s", rate=20.0)
# Between parts
LATENT = Port("latent", "LatentFrame", rate=10.0)
SURPRISE = Port("surprise", "Reading", "every", unit="z score", rate=5.0)
LOCATION = Port("location", "Location", "every", "map", "m, rad", rate=5.0)
PLACES = Port("place_graph", Known, "latched", "map", "m, rad")
MOVING_THINGS = Port("moving_things", "MovingThings", frame="odom", unit="m, m/s", rate=10.0, max_age=STALE)
KEEP_AWAY = Port("keep_away", Array, "latched", "map", "m")
ADAPTATION = Port("adaptation", "Weights", "latched")
CMD_VEL_RAW = Port("cmd_vel_raw", Command, "every", "base_link", "m/s, rad/s, m/s", rate=10.0)
# From people and other nodes
INITIAL_POSE = Port("initialpose", Said, "every", "map", "m, rad")
EMERGENCY_STOP = Port("emergency_stop", bool, "every")
# For people and other nodes
ATTENTION = Port("attention", bool, "latched")  # whether the planner compares pictures: else nobody needs codes
STATE = Port("planner/state", "PlannerStatus", "every", rate=10.0)
THOUGHT = Port("planner/thought", "Thought", "every", rate=10.0)
GATE = Port("safety/status", "SafetyOutput", "latched")

FIND_ROUTE = Question("find_route", "RouteRequest", "Route")


Finish = Callable[[], None]
Job = Callable[[], Finish | None]  # heavy; what it returns is done when the work is over: give, follow, tell
Answered = Callable[[Any], None]  # gets an answer, or an AmiError


class Timer(Protocol):
    """Calls something again and again."""

    def reset(self) -> None:
        """The next call is a period from now."""

    def set_period(self, seconds: float) -> None:
        """From the next call on."""


class Bus(Protocol):
    """All that one part has of the world around it. Any thread may call it."""

    def now(self) -> float:
        """The robot's clock [s]; stamps are of it."""

    def steady(self) -> float:
        """Time that nobody sets [s]."""

    def give(self, port: Port, stamp: float, value: Any) -> None:
        """Sends a value of `stamp` [s] to all who take it."""

    def work(self, job: Job) -> None:
        """Leaves a job to the part's one worker, in place of one that has not begun. What it raises goes to
        `Part.failed`."""

    def forget_work(self) -> None:
        """Takes back the job that has not begun."""

    def busy_for(self) -> float:
        """Steady time [s] for which the worker has been at its job; 0: idle."""

    def soon(self, call: Callable[[], None]) -> None:
        """Calls it on the thread that the handlers run on."""

    def every(self, period: float, call: Callable[[], None], steady: bool = False) -> Timer:
        """Calls it every `period` [s] of the robot's clock, or of steady time."""

    def ask(self, question: Question, request: Any, answered: Answered) -> bool:
        """Asks whoever answers that; False if nobody is there (yet)."""

    def report(self, kind: str, text: str, severe: bool = False) -> None:
        """Tells people that something is wrong."""

    def say(self, text: str) -> None:
        """Tells people what is worth knowing."""


class Part:
    """A part of the robot's mind.

    Derived classes have a method `on_NAME(stamp, value)` for each port that they take; "/" and "~" in names are "_".
    Handlers are quick; an AmiError that they raise drops the message, and is reported.

    Args:
        bus: see there.
    """

    name: ClassVar[str] = ""
    works: ClassVar[bool] = True  # it may leave jobs to a worker
    takes: tuple[Port, ...] = ()
    gives: tuple[Port, ...] = ()
    answers: ClassVar[tuple[Question, ...]] = ()
    asks: ClassVar[tuple[Question, ...]] = ()

    def __init__(self, bus: Bus) -> None:
        self.bus = bus

    def handler(self, port: Port) -> Callable[[float, Any], None]:
        """What handles the values of a port: takes their stamp [s] and them."""
        found: Callable[[float, Any], None] = getattr(self, f"on_{port.name.replace('/', '_')}")
        return found

    def answer(self, question: Question, request: Any) -> Any:
        """The answer to a question. Raises AmiError where there is none."""
        return getattr(self, question.name)(request)

    def effort(self, question: Question, request: Any) -> str:
        """Which of `Timing` it takes to answer."""
        return question.name

    def working(self) -> tuple[str, ...]:
        """Which of `Timing` the job takes that begins now."""
        return (self.name,)

    def between(self) -> bool:
        """A short piece of work for the worker while no job waits; False: there is none until after the next job."""
        return False

    def restart(self) -> None:
        """Time was turned back, or the robot was switched on: what is buffered belongs to another time."""

    def failed(self, error: Exception) -> None:
        """A job raised something."""
        text = str(error) if isinstance(error, AmiError) else f"{type(error).__name__}: {error}"
        self.bus.report("model", f"{self.name} failed: {text}", severe=True)
