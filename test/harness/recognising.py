"""A model that recognises pictures by the true poses, and drives with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import from_cos_sin
from ami_ros.core.scan import Scan
from ami_ros.memory.types import Code as MemoryCode
from ami_ros.planning.types import Decision, Goal
from ami_ros.world_model.array_pairs import Compared
from ami_ros.world_model.image_alignment import Alignment
from ami_ros.world_model.layers import Floats
from harness.course import GOAL, WITH_MEMORY, Course
from harness.exact_model import ExactModel, latent_of
from harness.percepts import robot_at

OTHER = GOAL + [0.0, -1.2, 0.0]  # looks like the goal to whoever compares latents
NOT_FOUND = AmiError("memory: the goal has only 1 hypotheses", MemoryCode.NOT_FOUND)


class Recognising(ExactModel):
    """Recognises what its camera sees within 1.5 m of where a picture was taken; pictures are latents here."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs = Pairs(self.relative_pose)  # type: ignore[assignment]


class Pairs:
    threshold = 0.9
    error = 0.05  # [m] that it expects
    same = 1.0  # probability where it sees the goal
    difference = 0.0  # of the aligned pictures ...
    difference_per_metre = 0.0  # ... and the more for each metre that they were taken apart

    def __init__(self, pose: Any) -> None:
        self._pose = pose

    def columns(self, scan: Any) -> None:
        return None

    def align(
        self, here: Floats, there: Floats, pose: Floats, scan: Scan | None = None, hidden: Any = None
    ) -> Alignment:
        of_goal = np.array_equal(there, latent_of(GOAL))  # not of two of the robot's own
        difference = self.difference + self.difference_per_metre * float(np.hypot(*pose[:2]))
        off = np.array([difference * 0.003 if of_goal else 0.0, 0.0], np.float32)
        return Alignment(from_cos_sin(pose).astype(np.float32), off)

    def moved_off(self, code: Floats) -> Floats:
        return np.zeros(2, np.float32)

    def compare(self, here: Floats, there: Floats, columns: Floats | None = None) -> Compared:
        pose = self._pose(here, there)
        near = np.hypot(pose[:, 0], pose[:, 1]) < 1.5
        return Compared(pose, np.full(len(pose), self.error, np.float32), np.asarray(self.same * near, np.float32))


class Seeing(Course):
    """The camera's picture is the true latent; `blind` makes it one that resembles nothing."""

    blind = False

    def step(self, **changes: Any) -> Decision:
        picture = latent_of(self.robot.ground_truth().pose)
        return super().step(picture=picture + 50 * self.blind, **changes)


def course(answer: Any, blind: bool = False) -> Seeing:
    made = Seeing(Navigator(Recognising(), WITH_MEMORY), robot_at(1.2, 1.5, 2.0), answer)
    made.blind = blind
    made.navigator.start(Goal(latent=latent_of(GOAL), picture=latent_of(GOAL), time_allowance=25.0 if blind else 0.0))
    return made
