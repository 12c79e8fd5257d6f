"""A task in the closed loop, with the truth beside: where each leg ended, and what the robot came to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.geometry import Array
from ami_ros.mission.task import Leg, Phase, Task
from ami_ros.parts.task_runner import LegOutcome
from ami_ros.planning.types import Percept


@dataclass(frozen=True)
class LegRecord:
    """One leg that ended; one that another took the place of leaves none."""

    leg: Leg
    succeeded: bool
    code: int
    message: str
    began: float  # simulated [s]
    ended: float
    final: Array  # (3,) true pose in the world's frame


@dataclass
class TaskDrive:
    """Runs one task with one robot.

    Attributes:
        loop: the robot and its stack.
        task: sends it about.
        legs: those that ended.
        truths: the true pose (3,) at which each place was founded meanwhile, by id.
        believed: poses (3,) in the map frame at the moments at which memory was sure, with ...
        true: ... the true ones.
        distance: that was driven [m].
        elapsed: simulated [s].
    """

    loop: ClosedLoop
    task: Task
    legs: list[LegRecord] = field(default_factory=list)
    truths: dict[int, Array] = field(default_factory=dict)
    believed: list[Array] = field(default_factory=list)
    true: list[Array] = field(default_factory=list)
    distance: float = 0.0
    elapsed: float = 0.0
    _began: float = 0.0  # when the leg under way was given

    def run(self, patience: float) -> Iterator[None]:
        """Drives until the task is done, stopping at each thought; raises AmiError after `patience` [s]."""
        loop = self.loop
        began, last = loop.simulator.time, loop.simulator.ground_truth().pose
        loop.legs.begun, loop.legs.over = self._set_out, self._over
        loop.mission.runner.begin(self.task)
        try:
            while self.task.phase is not Phase.DONE:
                known = len(loop.memory)
                thought, here = loop.tick(), loop.simulator.ground_truth().pose
                self.truths |= {int(i): last for i in loop.memory.map.index.ids[known:]}
                self.distance += float(np.hypot(*(here[:2] - last[:2])))
                last = here
                self.elapsed = loop.simulator.time - began
                if self.elapsed > patience:
                    raise AmiError(f"the task was not over after {patience:.0f} s: {self.task.message}")
                if thought is not None:
                    self._note(thought.percept)
                    yield
        finally:
            loop.mission.runner.task = None

    def _set_out(self, leg: Leg) -> None:
        self._began = self.loop.simulator.time

    def _over(self, leg: Leg, outcome: LegOutcome) -> None:
        here, now = self.loop.simulator.ground_truth().pose, self.loop.simulator.time
        self.legs.append(LegRecord(leg, outcome.succeeded, outcome.code, outcome.message, self._began, now, here))

    def _note(self, percept: Percept) -> None:
        """Where the robot believes to be, beside the truth."""
        if percept.location is not None and percept.location.localised:
            self.believed.append(percept.location.pose)
            self.true.append(self.loop.truth_at(percept.location.stamp))
