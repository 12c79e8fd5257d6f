"""A task in the closed loop, with the truth beside: where each leg ended, and what the robot came to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.geometry import Array
from ami_ros.images import decode_image
from ami_ros.memory.types import Route
from ami_ros.planning.place_doubts import PlaceDoubts
from ami_ros.planning.task import Leg, Phase, Task, WorldState
from ami_ros.planning.types import Goal, Percept


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
class ErrandDrive:
    """Runs one task with one robot.

    Attributes:
        loop: the robot and its stack.
        task: sends it about.
        legs: those that ended.
        truths: the true pose (3,) at which each place was founded meanwhile, by id.
        believed: poses (3,) in the map frame at the moments at which memory was sure, with ...
        true: ... the true ones.
        doubts: of the model, by place.
        readings: error of each prediction, and the error that the model had expected [latent units; NaN: no word].
        driven: [m].
        elapsed: simulated [s].
    """

    loop: ClosedLoop
    task: Task
    legs: list[LegRecord] = field(default_factory=list)
    truths: dict[int, Array] = field(default_factory=dict)
    believed: list[Array] = field(default_factory=list)
    true: list[Array] = field(default_factory=list)
    doubts: PlaceDoubts = field(default_factory=PlaceDoubts)
    readings: list[tuple[float, float]] = field(default_factory=list)
    driven: float = 0.0
    elapsed: float = 0.0

    def run(self, patience: float) -> Iterator[None]:
        """Drives until the task is done, stopping at each moment; raises AmiError after `patience` [s]."""
        loop, leg = self.loop, None
        began = set_out = loop.simulator.time
        last = loop.simulator.ground_truth().pose
        while self.task.phase is not Phase.DONE:
            percept = self._perceive()
            found = self._next_leg(percept)
            if found is not None:
                leg, set_out = found, percept.stamp
                loop.navigator.start(self._goal(leg))
            decision = loop.decide(percept)
            if decision.done and leg is not None:
                truth = loop.simulator.ground_truth().pose
                outcome = (decision.succeeded, int(decision.code), decision.message)
                self.legs.append(LegRecord(leg, *outcome, set_out, percept.stamp, truth))
                self.task.ended(leg.number, *outcome, percept.stamp)
                leg = None
            loop.execute(decision)
            here = loop.simulator.ground_truth().pose
            self.driven += float(np.hypot(*(here[:2] - last[:2])))
            last = here
            self.elapsed = percept.stamp - began
            if self.elapsed > patience:
                raise AmiError(f"the task was not over after {patience:.0f} s: {self.task.message}")
            yield

    def _perceive(self) -> Percept:
        memory, truth = self.loop.memory, self.loop.simulator.ground_truth().pose
        known = len(memory)
        percept = self.loop.perceive()
        self.truths |= {int(i): truth for i in memory.map.index.ids[known:]}
        if percept.location is not None and percept.location.localised:
            self.believed.append(percept.location.pose)
            self.true.append(truth)
            if percept.surprise is not None:
                self.doubts.note(percept.location.place_id, percept.location.pose, percept.surprise.doubt)
        if percept.surprise is not None:
            self.readings.append((percept.surprise.error, percept.surprise.expected))
        return percept

    def _next_leg(self, percept: Percept) -> Leg | None:
        memory = self.loop.memory
        state = WorldState(
            percept.stamp,
            percept.odometry,
            percept.scan,
            percept.location,
            np.array(memory.map.index.poses[:, :2]),
            doubts=self.doubts,
        )
        step = self.task.step(state)
        if step.wants_routes:
            answers: list[Route | AmiError] = []
            for request in step.wants_routes:
                try:
                    answers.append(memory.find_route(request.goal))
                except AmiError as error:
                    answers.append(error)
            self.task.set_routes(answers)
            step = self.task.step(state)
        return step.leg

    def _goal(self, leg: Leg) -> Goal:
        goal = leg.destination.goal(leg.allowance)
        if leg.destination.kind == "picture":
            picture = decode_image(leg.destination.picture_bytes)
            seen = self.loop.goal_of(picture)
            goal = replace(goal, latent=seen.latent, picture=seen.picture)
        return goal
