"""Goals drawn from a world's free space, one drive to one goal, and the rule that says whether it was reached."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, wrap
from ami_ros.simulation.free_space import FreeSpace

GoalKind = Literal["near", "far"]
CLEARANCE = 0.10  # [m] of goals beyond the robot's radius and the usual margin
# Simulated [s] for a goal; and in a building that the robot knows from exploring it alone: what it has not seen there
# it looks for. Robots get 500 to 1000 steps of 0.25 m or 30 degrees in the field's episodes (ImageNav; Anderson et al.,
# "On evaluation of embodied navigation agents", arXiv 1807.06757).
ALLOWANCES: dict[str, dict[GoalKind, float]] = {
    "known": {"near": 30.0, "far": 90.0},
    "explored": {"near": 60.0, "far": 300.0},
}


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
        kind, room, draws = self.kind(index), self._space.room_of(start), 2000
        rng = np.random.default_rng([self._seed & 0xFFFFFFFF, index])
        others = [name for name in self._rooms if name != room]
        for attempt in range(2 * draws):
            if kind == "far":
                pose = self._pose_in(rng, others[rng.integers(len(others))])
            else:
                pose = self._pose_in(rng, room if attempt < draws else None)
            if pose is None or (kind == "near" and not 0.5 <= np.hypot(*(pose[:2] - start[:2])) <= 1.5):
                continue
            length = self._space.path_length(start, pose)
            if math.isfinite(length) and (kind == "far" or 0.5 <= length <= 1.5):
                return SampledGoal(kind, pose, length)
        raise AmiError(
            f"world '{self._space.world.name}' offers no {kind} goal for a robot at ({start[0]:.2f}, {start[1]:.2f}): "
            "give it more free space, or open its doors"
        )

    def _pose_in(self, rng: np.random.Generator, room: str | None) -> Array | None:
        """A free pose; None: the robot does not fit into the room, as into a cupboard."""
        try:
            return self._space.sample_pose(rng, room, CLEARANCE)
        except AmiError:
            return None


def allowance_of(goal: SampledGoal, explored: bool = False) -> float:
    """[s] for a goal: as for any of its kind, and 6 s for each metre of its way if that is more.

    Args:
        goal: see there.
        explored: whether the robot knows the building from exploring it.
    """
    return max(ALLOWANCES["explored" if explored else "known"][goal.kind], 6.0 * goal.path_length)


def goal_errors(pose: Array, goal: Array) -> tuple[float, float]:
    """Distance [m] and absolute heading error [rad] between two poses (3,)."""
    return float(np.hypot(*(pose[:2] - goal[:2]))), float(abs(wrap(pose[2] - goal[2])))


def is_at(pose: Array, goal: Array) -> bool:
    """Whether who stands at `pose` (3,) stands at `goal` (3,): within 0.30 m and 30 degrees."""
    distance, heading = goal_errors(pose, goal)
    return distance <= 0.30 and heading <= math.radians(30.0)


def stands_still(times: Array, poses: Array) -> bool:
    """Whether the true poses (n, 3) at `times` (n,) [s] show no motion over their last half second."""
    window = 0.5
    if len(times) == 0 or times[0] > times[-1] - window + 1e-6:
        return False
    recent = poses[times >= times[-1] - window - 1e-6]
    distance, heading = goal_errors(recent[0], recent[-1])
    return distance <= 0.01 and heading <= 0.03  # [m], [rad]


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
        return self.status == "succeeded" and self.still and is_at(np.asarray(self.final), np.asarray(self.goal))

    @property
    def success(self) -> bool:
        """It is there, and in time."""
        return self.there and self.time_s <= self.allowance_s

    def to_json(self) -> dict[str, Any]:
        """Everything but the path; numbers rounded to a tenth of a millimetre, what is not finite as None."""
        values = {name: value for name, value in vars(self).items() if name != "path"}
        derived = "success", "final_distance_m", "heading_error_rad", "driven_m"
        return {k: _rounded(v) for k, v in (values | {name: getattr(self, name) for name in derived}).items()}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    return value


def judged(trial: Trial) -> dict[str, Any]:
    """A row of one drive to a picture of this building."""
    claimed, reached = trial.status == "succeeded", trial.success
    share = trial.path_length_m / max(trial.driven_m, trial.path_length_m, 1e-6)
    return trial.to_json() | {
        "reached": reached,
        "claimed": claimed,
        "false_success": claimed and not trial.there,
        "spl": round(share, 4) if reached else 0.0,
    }
