"""Where the robot is sent: goals drawn from a world's free space by a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.geometry import Array

GoalKind = Literal["near", "far"]

NEAR_DISTANCE = (0.5, 1.5)  # [m], straight and along the way
ATTEMPTS = 5000  # draws before a world is called too small


class FreeSpace(Protocol):
    """What is asked of a world's free space (`ami_ros.simulation.free_space.FreeSpace` offers it)."""

    @property
    def rooms(self) -> tuple[str, ...]: ...

    def room_of(self, xy: Array) -> str | None: ...

    def sample_pose(self, rng: np.random.Generator, room: str | None = None) -> Array: ...

    def path_length(self, a: Array, b: Array) -> float: ...


@dataclass(frozen=True)
class SampledGoal:
    """A goal pose (3,) in the world's frame, and the shortest free way to it [m]."""

    kind: GoalKind
    pose: Array
    path_length: float


class GoalSampler:
    """Draws goals: near (same room, 0.5 to 1.5 m) and far (another room) by turns, any heading.

    The goal number `index` depends on the seed, the index and the pose where the robot then stands, on nothing else.

    Args:
        space: free poses of the world, with the clearance that goals shall keep.
        seed: any integer.
    """

    def __init__(self, space: FreeSpace, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._has_far = len(space.rooms) > 1

    def kind(self, index: int) -> GoalKind:
        """Near and far by turns; only near in a world of one room."""
        return "far" if index % 2 and self._has_far else "near"

    def sample(self, index: int, start: Array) -> SampledGoal:
        """The goal number `index` (from 0) for a robot that stands at `start` (3,).

        Raises:
            AmiError: the world holds no such goal.
        """
        kind = self.kind(index)
        rng = np.random.default_rng([self._seed & 0xFFFFFFFF, index])
        room = self._space.room_of(start[:2])
        for _ in range(ATTEMPTS):
            pose = self._candidate(rng, kind, room, start)
            if pose is None:
                continue
            length = self._space.path_length(start, pose)
            if math.isfinite(length) and (kind == "far" or NEAR_DISTANCE[0] <= length <= NEAR_DISTANCE[1]):
                return SampledGoal(kind, pose, length)
        raise AmiError(
            f"the world offers no {kind} goal for a robot at ({start[0]:.2f}, {start[1]:.2f}): "
            "give it more free space or open its doors"
        )

    def _candidate(self, rng: np.random.Generator, kind: GoalKind, room: str | None, start: Array) -> Array | None:
        """A free pose of the right room and straight distance, or None."""
        if kind == "far":
            others = [name for name in self._space.rooms if name != room]
            return self._space.sample_pose(rng, room=others[rng.integers(len(others))])
        pose = self._space.sample_pose(rng, room=room)
        straight = float(np.hypot(*(pose[:2] - start[:2])))
        return pose if NEAR_DISTANCE[0] <= straight <= NEAR_DISTANCE[1] else None
