"""What scenarios of the kind `planning` compare: our loop, its rivals, and what else it has to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.door_trials import drive_tasks
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.mission_bench import Settings, run_mission
from ami_ros.evaluation.rival_loops import TrueLoop
from ami_ros.evaluation.trials import Trial
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import load_model

Row = dict[str, Any]  # JSON: kind, tried, reached, collisions, time_s, plan_ms, and how it went
MISSION_LEGS = 8


@dataclass(frozen=True)
class Setting:
    """What all methods of a run share. Goes to other processes."""

    world: str
    goals: int  # a seed; of doors as many of either kind
    model: Path  # its folder
    memory: Path  # of the world
    loop: LoopConfig = field(default_factory=LoopConfig)


Drive = Callable[[Setting, int, Sequence[Row]], Iterator[Row]]


@dataclass(frozen=True)
class Method:
    """One way to drive."""

    drive: Drive  # (setting, seed, the course where it follows one) -> what happened, task by task
    follows: bool = False  # it is placed where `onboard` stood before each goal: it has no memory to be told of that


def _ours(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
    """From goal to goal, without being touched."""
    loaded, memory = load_model(setting.model), setting.memory
    simulator = Simulator(setting.world, simulated_robot(loaded.model.spec), seed=seed)
    loop = ClosedLoop(loaded, simulator, memory, setting.loop, seed)
    trials = loop.run(setting.goals)
    yield from _timed(_row(trial, loop) for trial in trials)


def _followed(make: Callable[..., ClosedLoop]) -> Drive:
    """A method that takes each goal of the course from where `onboard` stood."""

    def drive(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
        loaded = load_model(setting.model)
        simulator = Simulator(setting.world, simulated_robot(loaded.model.spec), seed=seed)
        loop = make(loaded, simulator, setting.loop, seed)

        def rows() -> Iterator[Row]:
            for given in course:
                start, goal = np.array(given["start"]), np.array(given["goal"])
                simulator.place(start)
                yield _row(loop.drive(given["kind"], start, goal, given["path_length_m"]), loop)

        yield from _timed(rows())

    return drive


def _flat(loaded: Any, simulator: Simulator, config: LoopConfig, seed: int) -> ClosedLoop:
    flat = config.navigating(replace(config.agent.navigator, use_memory=False))
    return ClosedLoop(loaded, simulator, None, flat, seed)


def _doors(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
    loaded, memory = load_model(setting.model), setting.memory
    for kind, with_way in (("detour", True), ("no_way", False)):
        trials = drive_tasks(loaded, setting.world, memory, setting.loop, seed, setting.goals, with_way)
        for done in trials:
            yield done.trial.to_json() | {"kind": kind, "tried": 1, "reached": int(done.success), "plan_ms": []}


def _silent(what: str, done: float, total: float) -> None:
    """Progress is shown by the number of rows."""


def _mission(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
    settings = Settings(MISSION_LEGS, seed, setting.loop)
    found = run_mission(load_model(setting.model), _robot(setting), setting.memory, settings, _silent)
    own = {"tried": MISSION_LEGS, "reached": found["mission_reached"], "collisions": found["mission_contacts"]}
    yield found | own | {"kind": "leg", "time_s": found["mission_s"], "plan_ms": []}


def _robot(setting: Setting) -> Callable[[int], Simulator]:
    robot = simulated_robot(load_model(setting.model).model.spec)
    return lambda seed: Simulator(setting.world, robot, seed=seed)


def _row(trial: Trial, loop: ClosedLoop) -> Row:
    decisions = [thought.decision for *_, thought in loop.trace if thought.decision is not None]
    searches = [round(1000 * d.planning_seconds, 2) for d in decisions if d.shares]
    return trial.to_json() | {"tried": 1, "reached": int(trial.success), "plan_ms": searches}


def _timed(rows: Iterator[Row]) -> Iterator[Row]:
    began = time.process_time()
    for row in rows:
        yield row | {"cpu_s": round(time.process_time() - began, 2)}
        began = time.process_time()


COURSE = "onboard"  # whose goals others follow
METHODS: dict[str, Method] = {
    COURSE: Method(_ours),
    "flat": Method(_followed(_flat), follows=True),
    "true dynamics": Method(_followed(TrueLoop), follows=True),
    "doors": Method(_doors),
    "mission": Method(_mission),
}
