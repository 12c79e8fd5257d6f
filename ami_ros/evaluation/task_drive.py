"""A task in the closed loop, with the truth beside: where each leg ended, and what the robot came to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ami_ros.agent.routes import routes_of
from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.geometry import Array
from ami_ros.images import decode_image
from ami_ros.mission.place_doubts import PlaceDoubts
from ami_ros.mission.task import Leg, Phase, Task, WorldState
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
        doubts: of the model, by place.
        readings: error of each prediction, and the error that the model had expected [latent units; NaN: no word].
        distance: that was driven [m].
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
    distance: float = 0.0
    elapsed: float = 0.0

    def run(self, patience: float) -> Iterator[None]:
        """Drives until the task is done, stopping at each moment; raises AmiError after `patience` [s]."""
        loop, leg = self.loop, None
        began = set_out = loop.simulator.time
        last = loop.simulator.ground_truth().pose
        while self.task.phase is not Phase.DONE:
            known = len(loop.memory)
            thought, here = loop.tick(), loop.simulator.ground_truth().pose
            self.truths |= {int(i): last for i in loop.memory.map.index.ids[known:]}
            self.distance += float(np.hypot(*(here[:2] - last[:2])))
            last = here
            self.elapsed = loop.simulator.time - began
            if self.elapsed > patience:
                raise AmiError(f"the task was not over after {patience:.0f} s: {self.task.message}")
            if thought is None:
                continue
            self._note(thought.percept)
            decision = thought.decision
            if decision is not None and decision.done and leg is not None and thought.execution is loop.agent.execution:
                outcome = (decision.succeeded, int(decision.code), decision.message)
                self.legs.append(LegRecord(leg, *outcome, set_out, loop.simulator.time, here))
                self.task.ended(leg.number, *outcome, loop.simulator.time)
                loop.agent.cancel()
                leg = None
            found = self._next_leg(thought.percept)
            if found is not None:
                leg, set_out = found, loop.simulator.time
                self._start(leg)
            yield

    def _note(self, percept: Percept) -> None:
        """What the robot believes and how surprised it is, beside the truth."""
        if percept.location is not None and percept.location.localised:
            self.believed.append(percept.location.pose)
            self.true.append(self.loop.truth_at(percept.location.stamp))
            if percept.surprise is not None:
                self.doubts.note(percept.location.place_id, percept.location.pose, percept.surprise.doubt)
        if percept.surprise is not None:
            self.readings.append((percept.surprise.error, percept.surprise.expected))

    def _next_leg(self, percept: Percept) -> Leg | None:
        memory = self.loop.memory
        state = WorldState(
            percept.stamp,
            percept.odometry,
            percept.scan,
            percept.location,
            np.array(memory.map.index.poses),
            doubts=self.doubts,
        )
        step = self.task.step(state)
        if step.wants_routes:
            routes = routes_of(memory)
            routes.ask(step.wants_routes, "")
            self.task.set_routes(routes.poll() or [])
            step = self.task.step(state)
        return step.leg

    def _start(self, leg: Leg) -> None:
        picture = decode_image(leg.destination.picture_bytes) if leg.destination.kind == "picture" else None
        self.loop.start(leg.destination.goal(leg.allowance), picture)
