"""Where the robot is sent: goals drawn from a world's free space by a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.simulation.free_space import FreeSpace

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
