"""One drive to one goal, and the rule that says whether the goal was reached."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ami_ros.evaluation.goals import GoalKind, SampledGoal
from ami_ros.geometry import Array, wrap

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
