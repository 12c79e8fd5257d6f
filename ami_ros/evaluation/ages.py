"""How old things are by which a robot drives, on whichever bus: image to command, location, answers of memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.control import ControlRecord
from ami_ros.evaluation.trials import Trial
from ami_ros.parts.planner import PlannerPart, PlannerStatus, Thought
from ami_ros.parts.ports import CMD_VEL_RAW, STATE, THOUGHT, Port
from ami_ros.planning.types import State


class Watched(Protocol):
    """A bus on which one can look on."""

    def now(self) -> float: ...
    def watch(self, port: Port, take: Callable[[float, Any], None]) -> None: ...


@dataclass
class Ages:
    """Ages at each decision of one planner [s]; all on the robot's clock but those of routes, which are steady.

    Attributes:
        command: from the stamp of an image to the first command that was decided on it.
        location: of memory's belief, when the decision was made.
        routes: from a question to its answer's use.
    """

    command: list[float] = field(default_factory=list)
    location: list[float] = field(default_factory=list)
    routes: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, planner: PlannerPart, bus: Watched) -> Ages:
        """Those of a planner from now on; `bus` is the one that it gives to."""
        ages, decided = cls(routes=planner.routes.took), list[float]()

        def think(stamp: float, thought: Thought) -> None:
            if thought.decision is None:
                return
            decided[:] = [stamp]
            if (location := thought.percept.location) is not None:
                ages.location.append(bus.now() - location.stamp)

        def command(stamp: float, value: Any) -> None:
            if decided:
                ages.command.append(bus.now() - decided.pop())

        bus.watch(THOUGHT, think)
        bus.watch(CMD_VEL_RAW, command)
        return ages

    def figures(self) -> dict[str, float | None]:
        """p50 and p95 of each, by names with units."""
        named = {"image_to_command": self.command, "location_age": self.location, "route_answer": self.routes}
        return {
            f"{name}_p{q}_ms": round(1000 * float(np.percentile(values, q)), 1) if values else None
            for name, values in named.items()
            for q in (50, 95)
        }


def drive_and_record(loop: ClosedLoop, goals: int) -> tuple[ControlRecord, Ages, list[Trial]]:
    """Drives to goals in simulated time; how regularly commands came is recorded as the client of real nodes does."""
    control, ages = ControlRecord(), Ages.of(loop.planner, loop.bus)

    def observe(stamp: float, status: PlannerStatus) -> None:
        if status.verdict.state is State.CONTROLLING and status.execution is not None:
            control.observation(stamp, stamp - status.execution.plan.stamp)

    loop.bus.watch(CMD_VEL_RAW, lambda stamp, command: control.command(stamp, stamp))
    loop.bus.watch(STATE, observe)
    trials = []
    for trial in loop.run(goals):
        control.end()
        trials.append(trial)
    return control, ages, trials
