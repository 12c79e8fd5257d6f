"""What scenarios of the kind `planning` show of the stack in a world that memory knows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.door_trials import drive_tasks
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.mission_bench import drive_mission
from ami_ros.evaluation.trials import Trial
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel

Row = dict[str, Any]  # JSON: kind, tried, reached, collisions, time_s, plan_ms, and how it went


def _goals(loaded: LoadedModel, world: str, memory: Path, config: LoopConfig, seed: int, count: int) -> Iterator[Row]:
    """From goal to goal, without being touched."""
    simulator = Simulator(world, simulated_robot(loaded.model.spec), seed=seed)
    loop = ClosedLoop(loaded, simulator, memory, config, seed)
    began = time.process_time()
    for trial in loop.run(count):
        yield _row(trial, loop) | {"cpu_s": round(time.process_time() - began, 2)}
        began = time.process_time()


def _doors(loaded: LoadedModel, world: str, memory: Path, config: LoopConfig, seed: int, count: int) -> Iterator[Row]:
    for kind, with_way in (("detour", True), ("no_way", False)):
        for done in drive_tasks(loaded, world, memory, config, seed, count, with_way):
            yield done.trial.to_json() | {"kind": kind, "tried": 1, "reached": int(done.success), "plan_ms": []}


def _mission(loaded: LoadedModel, world: str, memory: Path, config: LoopConfig, seed: int, count: int) -> Iterator[Row]:
    yield drive_mission(loaded, world, memory, config, seed) | {"kind": "leg", "plan_ms": []}


def _row(trial: Trial, loop: ClosedLoop) -> Row:
    decisions = [thought.decision for *_, thought in loop.trace if thought.decision is not None]
    searches = [round(1000 * d.planning_seconds, 2) for d in decisions if d.shares]
    return trial.to_json() | {"tried": 1, "reached": int(trial.success), "plan_ms": searches}


# Each takes a model, a world and its memory, the loop, a seed, and how many goals; of doors as many of either kind.
METHODS: dict[str, Callable[[LoadedModel, str, Path, LoopConfig, int, int], Iterator[Row]]] = {
    "onboard": _goals, "doors": _doors, "mission": _mission,
}  # fmt: skip
