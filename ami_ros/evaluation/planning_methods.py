"""What scenarios of the kind `planning` show of the stack in a world that memory knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.door_trials import drive_tasks
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.mission_bench import drive_mission
from ami_ros.evaluation.trials import Trial
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import load_model

Row = dict[str, Any]  # JSON: kind, tried, reached, collisions, time_s, plan_ms, and how it went


@dataclass(frozen=True)
class Setting:
    """What all methods of a run share. Goes to other processes."""

    world: str
    goals: int  # a seed; of doors as many of either kind
    model: Path  # its folder
    memory: Path  # of the world
    loop: LoopConfig = field(default_factory=LoopConfig)


def _goals(setting: Setting, seed: int) -> Iterator[Row]:
    """From goal to goal, without being touched."""
    loaded = load_model(setting.model)
    simulator = Simulator(setting.world, simulated_robot(loaded.model.spec), seed=seed)
    loop = ClosedLoop(loaded, simulator, setting.memory, setting.loop, seed)
    began = time.process_time()
    for trial in loop.run(setting.goals):
        yield _row(trial, loop) | {"cpu_s": round(time.process_time() - began, 2)}
        began = time.process_time()


def _doors(setting: Setting, seed: int) -> Iterator[Row]:
    loaded = load_model(setting.model)
    for kind, with_way in (("detour", True), ("no_way", False)):
        trials = drive_tasks(loaded, setting.world, setting.memory, setting.loop, seed, setting.goals, with_way)
        for done in trials:
            yield done.trial.to_json() | {"kind": kind, "tried": 1, "reached": int(done.success), "plan_ms": []}


def _mission(setting: Setting, seed: int) -> Iterator[Row]:
    found = drive_mission(load_model(setting.model), setting.world, setting.memory, setting.loop, seed)
    yield found | {"kind": "leg", "plan_ms": []}


def _row(trial: Trial, loop: ClosedLoop) -> Row:
    decisions = [thought.decision for *_, thought in loop.trace if thought.decision is not None]
    searches = [round(1000 * d.planning_seconds, 2) for d in decisions if d.shares]
    return trial.to_json() | {"tried": 1, "reached": int(trial.success), "plan_ms": searches}


METHODS: dict[str, Callable[[Setting, int], Iterator[Row]]] = {
    "onboard": _goals, "doors": _doors, "mission": _mission,
}  # fmt: skip
