"""The streams between parts: what passes on each, in which frame and unit, and how it is carried."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ami_ros.commands import Command
from ami_ros.geometry import Array
from ami_ros.moving.prediction import STALE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # The gate's process does without memory.
    from ami_ros.places.types import Places

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
