"""Goals drawn from a world's free space, one drive to one goal, and the rule that says whether it was reached."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, wrap
from ami_ros.simulation.free_space import FreeSpace

# Where the robot is sent: goals drawn from a world's free space by a seed.

GoalKind = Literal["near", "far"]

NEAR_DISTANCE = (0.5, 1.5)  # [m], straight and along the way
CLEARANCE = 0.10  # [m] beyond the robot's radius and the usual margin
ATTEMPTS = 2000  # draws before a world is called too small


@dataclass(frozen=True)
class SampledGoal:
    """A goal pose (3,) in the world's frame, and the shortest free way to it [m]."""

    kind: GoalKind
    pose: Array
    path_length: float


class GoalSampler:
    """Draws goals: near (same room, 0.5 to 1.5 m) and far (another room) by turns, any heading.

    In a room that is too small for a near goal it may lie in the next one.

    The goal number `index` depends on the seed, the index and the pose where the robot then stands, on nothing else.

    Args:
        space: the free space of the world that the robot is in.
        seed: any integer.
    """

    def __init__(self, space: FreeSpace, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._rooms = [room.name for room in space.world.rooms]

    def kind(self, index: int) -> GoalKind:
        """Near and far by turns; only near in a world of one room."""
        return "far" if index % 2 and len(self._rooms) > 1 else "near"

    def sample(self, index: int, start: Array) -> SampledGoal:
        """The goal number `index` (from 0) for a robot that stands at `start` (3,).

        Raises:
            AmiError: the world holds no such goal.
        """
        kind = self.kind(index)
        rng = np.random.default_rng([self._seed & 0xFFFFFFFF, index])
        for attempt in range(2 * ATTEMPTS):
            pose = self._candidate(rng, kind, start, anywhere=attempt >= ATTEMPTS)
            if pose is None:
                continue
            length = self._space.path_length(start, pose)
            if math.isfinite(length) and (kind == "far" or NEAR_DISTANCE[0] <= length <= NEAR_DISTANCE[1]):
                return SampledGoal(kind, pose, length)
        raise AmiError(
            f"world '{self._space.world.name}' offers no {kind} goal for a robot at ({start[0]:.2f}, {start[1]:.2f}): "
            "give it more free space, or open its doors"
        )

    def _candidate(self, rng: np.random.Generator, kind: GoalKind, start: Array, anywhere: bool) -> Array | None:
        """A free pose of the right room and straight distance, or None; `anywhere`: a near one in any room."""
        room = self._space.room_of(start)
        if kind == "far":
            others = [name for name in self._rooms if name != room]
            return self._pose_in(rng, others[rng.integers(len(others))])
        pose = self._pose_in(rng, None if anywhere else room)
        if pose is None:
            return None
        straight = float(np.hypot(*(pose[:2] - start[:2])))
        return pose if NEAR_DISTANCE[0] <= straight <= NEAR_DISTANCE[1] else None

    def _pose_in(self, rng: np.random.Generator, room: str | None) -> Array | None:
        """A free pose; None: the robot does not fit into the room, as into a cupboard."""
        try:
            return self._space.sample_pose(rng, room, CLEARANCE)
        except AmiError:
            return None


# One drive to one goal, and the rule that says whether the goal was reached.

REACHED_DISTANCE = 0.30  # [m]
REACHED_HEADING = math.radians(30.0)  # [rad]
TIME_ALLOWANCE: dict[GoalKind, float] = {"near": 30.0, "far": 90.0}  # simulated [s]
# [s] likewise, in a building that the robot knows from exploring it alone: what it has not seen there it looks for.
# Robots get 500 to 1000 steps of 0.25 m or 30 degrees in the field's episodes (ImageNav; Anderson et al., "On
# evaluation of embodied navigation agents", arXiv 1807.06757).
SEARCH_ALLOWANCE: dict[GoalKind, float] = {"near": 60.0, "far": 300.0}
SECONDS_A_METRE = 6.0  # that a goal is allowed where its way is long

STILL_DISTANCE = 0.01  # [m] within STILL_WINDOW
STILL_HEADING = 0.03  # [rad] within STILL_WINDOW
STILL_WINDOW = 0.5  # simulated [s]


def allowance_of(goal: SampledGoal, explored: bool = False) -> float:
    """[s] for a goal: as for any of its kind, and SECONDS_A_METRE of its way if that is more.

    Args:
        goal: see there.
        explored: whether the robot knows the building from exploring it.
    """
    return max((SEARCH_ALLOWANCE if explored else TIME_ALLOWANCE)[goal.kind], SECONDS_A_METRE * goal.path_length)


def goal_errors(pose: Array, goal: Array) -> tuple[float, float]:
    """Distance [m] and absolute heading error [rad] between two poses (3,)."""
    return float(np.hypot(*(pose[:2] - goal[:2]))), float(abs(wrap(pose[2] - goal[2])))


def stands_still(times: Array, poses: Array) -> bool:
    """Whether the true poses (n, 3) at `times` (n,) [s] show no motion over their last STILL_WINDOW seconds."""
    if len(times) == 0 or times[0] > times[-1] - STILL_WINDOW + 1e-6:
        return False
    recent = poses[times >= times[-1] - STILL_WINDOW - 1e-6]
    distance, heading = goal_errors(recent[0], recent[-1])
    return distance <= STILL_DISTANCE and heading <= STILL_HEADING


@dataclass(frozen=True)
class Trial:
    """What happened between sending one goal and the robot's standing still. Poses (x, y, yaw) in the world's frame.

    `status` is how the action ended ("succeeded", "aborted", "canceled" or "no answer"); `still` whether the robot
    stood; `collisions` counts contacts begun; `path` is where the robot truly was, (n, 2) [m]; `allowance_s` the time
    that it had.
    """

    kind: GoalKind
    start: tuple[float, float, float]
    goal: tuple[float, float, float]
    path_length_m: float  # shortest free way from start to goal
    status: str
    still: bool
    final: tuple[float, float, float]
    time_s: float  # simulated
    collisions: int
    replans: int
    recoveries: int
    error_code: int
    error_msg: str
    allowance_s: float = field(kw_only=True)
    path: Array = field(repr=False, compare=False, default_factory=lambda: np.zeros((0, 2)))

    @property
    def final_distance_m(self) -> float:
        return goal_errors(np.asarray(self.final), np.asarray(self.goal))[0]

    @property
    def heading_error_rad(self) -> float:
        return goal_errors(np.asarray(self.final), np.asarray(self.goal))[1]

    @property
    def driven_m(self) -> float:
        """Length of the driven path [m]."""
        return float(np.hypot(*np.diff(self.path, axis=0).T).sum()) if len(self.path) > 1 else 0.0

    @property
    def there(self) -> bool:
        """The action succeeded, the robot stands, and it truly is at the goal, however long it took."""
        return (
            self.status == "succeeded"
            and self.still
            and self.final_distance_m <= REACHED_DISTANCE
            and self.heading_error_rad <= REACHED_HEADING
        )

    @property
    def success(self) -> bool:
        """It is there, and in time."""
        return self.there and self.time_s <= self.allowance_s

    def to_json(self) -> dict[str, Any]:
        """Everything but the path; numbers rounded to a tenth of a millimetre, what is not finite as None."""
        values = asdict(self)
        del values["path"]
        values |= {
            "success": self.success,
            "final_distance_m": self.final_distance_m,
            "heading_error_rad": self.heading_error_rad,
            "driven_m": self.driven_m,
        }
        return {k: _rounded(v) for k, v in values.items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value
