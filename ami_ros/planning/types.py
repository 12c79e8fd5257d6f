"""What the navigator takes and gives: goals, percepts, decisions, and the codes of its results."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import STILL, Command
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.memory.types import GoalQuery, Location, View
from ami_ros.safety.moving_things import MovingThings

if TYPE_CHECKING:
    from ami_ros.planning.costs import CostShare


class Code(IntEnum):
    """Codes of the planner's results, as in NavigateToGoal: 10300 and up; 0 is success."""

    NONE = 0
    UNKNOWN = 10300
    INVALID_GOAL = 10301
    GOAL_NOT_REMEMBERED = 10302
    ENCODER_MISMATCH = 10303
    TF_ERROR = 10304
    STALE_OBSERVATION = 10305
    MODEL_FAILURE = 10306
    NO_VALID_PLAN = 10307
    FAILED_TO_MAKE_PROGRESS = 10309
    SURPRISE_EXCEEDED = 10310
    DEADLINE_MISSED = 10312
    TIMEOUT = 10313
    PREEMPTED = 10314
    DEACTIVATED = 10315
    NO_MEMORY = 10316
    UNKNOWN_PLACE = 10317
    EMERGENCY_STOP = 10318


class State(IntEnum):
    """As in PlannerState.msg."""

    IDLE = 0
    PLANNING = 1
    CONTROLLING = 2
    RECOVERING = 3
    STOPPING = 4
    FAULT = 5


@dataclass(frozen=True)
class Reading:
    """How surprising a moment was."""

    stamp: float  # of that moment [s]
    z_score: float  # NaN: not yet known
    alarm: bool
    error: float = math.nan  # of the prediction [latent units]
    expected: float = math.nan  # error that the model expected; NaN: it has no ensemble
    usual: float = math.nan  # error of a prediction as hard as this one

    @property
    def doubt(self) -> float:
        """Expected error relative to the usual one; 1 until the usual one is known, NaN: no ensemble."""
        if math.isnan(self.expected):
            return math.nan
        return 1.0 if math.isnan(self.z_score) or self.usual <= 0.0 else self.expected / self.usual


@dataclass(frozen=True)
class Goal:
    """Where to, and how. Exactly one of latent, pose and place is given."""

    latent: NDArray[np.float32] | None = None  # (latent_dim,), as of a picture
    picture: NDArray[np.float32] | None = None  # its code beside the latent, where the model compares pictures
    pose: Array | None = None  # (3,) in odom, or in the map frame if `in_map`
    in_map: bool = False
    place_id: int = 0
    place_label: str = ""
    distance_tolerance: float = 0.0  # [m]; 0: as configured
    angle_tolerance: float = 0.0  # [rad]; 0: as configured
    time_allowance: float = 0.0  # [s]; 0: no limit
    max_linear: float = 0.0  # [m/s]; 0: as configured
    max_angular: float = 0.0  # [rad/s]; 0: as configured
    recognised: bool = False  # whether its picture has to be recognised before it counts as reached
    more: tuple[View, ...] = ()  # further pictures from the same place: who looks another way knows it by them

    @property
    def only_in_memory(self) -> bool:
        """Whether nothing but memory can tell where the goal is."""
        return self.latent is None and (self.pose is None or self.in_map)

    def query(self) -> GoalQuery:
        """The goal as memory can search it."""
        pose = self.pose if self.in_map else None
        picture, more = (self.picture, self.more) if self.recognised else (None, ())
        return GoalQuery(self.latent, pose, self.place_id, self.place_label, picture, more=more)

    @property
    def views(self) -> tuple[View, ...]:
        """All pictures that were taken there, as the goal looks first."""
        return () if self.latent is None else (View(self.latent, self.picture), *self.more)


@dataclass(frozen=True)
class Percept:
    """One moment, as the navigator sees it."""

    stamp: float  # [s]
    latent: NDArray[np.float32]  # (latent_dim,)
    odometry: Array  # (3,) in odom
    velocity: Command  # as measured
    scan: Scan | None
    location: Location | None
    picture: NDArray[np.float32] | None = None  # code of what the camera sees, where the model compares pictures
    keep_away: Array = field(
        default_factory=lambda: np.zeros((0, 3))
    )  # (n, 3): x, y [m, map], radius [m]; not to enter
    surprise: Reading | None = None  # the newest, where somebody watches
    odometry_resets: int = 0  # how often odometry has begun anew: poses in odom from before mean nothing any more
    around: Scan | None = None  # `scan`, and what stands where it does not look; None: there is no more than `scan`
    things: MovingThings | None = None  # what moves, where somebody tells of this moment

    @property
    def standing(self) -> Scan | None:
        """What is known to stand around the robot; `scan` says besides where there is nothing."""
        return self.scan if self.around is None else self.around


@dataclass(frozen=True)
class RouteRequest:
    """A question to memory."""

    goal: GoalQuery
    hypothesis: int = 0
    avoid_edges: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Decision:
    """What to do from the percept's stamp on."""

    state: State
    message: str  # the reason, for people
    commands: Array = field(
        default_factory=lambda: np.zeros((0, 2))
    )  # (k, 2 or 3) as `ami_ros.core.commands` has them; empty: stand still
    poses: Array = field(default_factory=lambda: np.zeros((0, 3)))  # (n, 3) expected, in odom
    others: Array = field(default_factory=lambda: np.zeros((0, 0, 3)))  # (k, n, 3) of other futures, likewise
    code: Code = Code.NONE
    done: bool = False
    succeeded: bool = False
    wants_route: RouteRequest | None = None
    energy: float = float("nan")  # to the goal by the latents alone [m]
    distance: float = float("nan")  # to the goal by the best belief [m]
    subgoal: int = 0
    subgoals: int = 1
    replans: int = 0
    recoveries: int = 0
    planning_seconds: float = 0.0
    shares: tuple[CostShare, ...] = ()  # of each cost, where there was a plan
    goal: Array | None = None  # (3,) in odom, where the goal is believed to be; None: nowhere for certain
    compares: bool = False  # whether pictures are compared at such a moment
    behaviour: str = ""  # which of the behaviours decided, see docs/planning.md; "": none, as at the end

    @classmethod
    def hold(cls, state: State, message: str, command: Command = STILL) -> Decision:
        """One command, held for two periods; nothing follows it."""
        return cls(state, message, np.tile(command, (2, 1)))

    @classmethod
    def failed(cls, code: Code, message: str) -> Decision:
        """The end of a goal that was not reached."""
        return cls(State.IDLE, message, code=code, done=True)
