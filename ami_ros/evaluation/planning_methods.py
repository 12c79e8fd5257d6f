"""What `./ami bench planning` compares: our loop, its rivals, and what else it has to show."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.door_trials import drive_tasks
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.mission_bench import ENOUGH, Settings, run_exploration, run_mission
from ami_ros.evaluation.rival_loops import RandomLoop, TrueLoop
from ami_ros.evaluation.trials import Trial
from ami_ros.places.files import memory_beside
from ami_ros.planning.types import Mode
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import load_model

Row = dict[str, Any]  # JSON: kind, tried, reached, collisions, time_s, plan_ms, and how it went
MISSION_LEGS = 8
EXPLORE_MINUTES = 15.0

CameraName = Literal["onboard", "ceiling"]


@dataclass(frozen=True)
class Setting:
    """What all methods of a run share. Goes to other processes."""

    world: str
    goals: int  # a seed; of doors as many of either kind
    onboard: Path  # model folder
    ceiling: Path  # likewise, of the camera above
    memory: Path | None = None  # of the world, by the onboard model; None: the one in its folder
    loop: LoopConfig = field(default_factory=LoopConfig)

    def memory_of(self, camera: CameraName) -> Path:
        """The memory that a robot with that camera begins with."""
        if camera == "onboard" and self.memory is not None:
            return self.memory
        return memory_beside(self.model_of(camera), self.world)

    def model_of(self, camera: CameraName) -> Path:
        """Its model folder."""
        return self.ceiling if camera == "ceiling" else self.onboard


Drive = Callable[[Setting, int, Sequence[Row]], Iterator[Row]]


@dataclass(frozen=True)
class Method:
    """One way to drive.

    Attributes:
        drive: (setting, seed, the course where it follows one) -> what happened, task by task.
        floors: the kinds of its tasks, and the least rate that is wanted of each, if any.
        camera: whose model and memory it needs.
        follows: it is placed where `onboard` stood before each goal: it has no memory to be told that it was carried.
        tasks: (goals) -> how many rows it yields.
    """

    drive: Drive
    floors: Mapping[str, float | None]
    camera: CameraName = "onboard"
    follows: bool = False
    tasks: Callable[[int], int] = lambda goals: goals

    @property
    def ours(self) -> bool:
        """Whether it is what others are compared with."""
        return any(self.floors.values())


def _impulsive(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
    """The policy in place of every search for a latent; all else is ours."""
    navigator = setting.loop.agent.navigator
    use = replace(navigator.planner.mode_one, alone="always")
    changed = replace(navigator, planner=replace(navigator.planner, mode_one=use))
    return _ours(replace(setting, loop=setting.loop.navigating(changed)), seed, "onboard")


def _ours(setting: Setting, seed: int, camera: CameraName) -> Iterator[Row]:
    """From goal to goal, without being touched."""
    loaded, memory = load_model(setting.model_of(camera)), setting.memory_of(camera)
    simulator = Simulator(setting.world, simulated_robot(loaded.model.spec), seed=seed)
    loop = ClosedLoop(loaded, simulator, memory, setting.loop, seed)
    trials = loop.run(setting.goals)
    yield from _timed(_row(trial, loop) for trial in trials)


def _followed(make: Callable[..., ClosedLoop]) -> Drive:
    """A method that takes each goal of the course from where `onboard` stood."""

    def drive(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
        loaded = load_model(setting.onboard)
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
    loaded, memory = load_model(setting.onboard), setting.memory_of("onboard")
    for kind, with_way in (("detour", True), ("no_way", False)):
        trials = drive_tasks(loaded, setting.world, memory, setting.loop, seed, setting.goals, with_way)
        for done in trials:
            yield done.trial.to_json() | {"kind": kind, "tried": 1, "reached": int(done.success), "plan_ms": []}


def _silent(what: str, done: float, total: float) -> None:
    """Progress is shown by the number of rows."""


def _mission(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
    settings = Settings(MISSION_LEGS, 0.0, seed, setting.loop)
    found = run_mission(load_model(setting.onboard), _robot(setting), setting.memory_of("onboard"), settings, _silent)
    own = {"tried": MISSION_LEGS, "reached": found["mission_reached"], "collisions": found["mission_contacts"]}
    yield found | own | {"kind": "leg", "time_s": found["mission_s"], "plan_ms": []}


def _explore(setting: Setting, seed: int, course: Sequence[Row]) -> Iterator[Row]:
    """Reached: so much of the world was seen in time; `time_s` is when."""
    found = run_exploration(
        load_model(setting.onboard), _robot(setting), Settings(0, EXPLORE_MINUTES, seed, setting.loop), _silent
    )
    when = found["explore_seen_90_percent_s"]
    reached = when is not None and when <= 60 * EXPLORE_MINUTES and (found["explore_seen_share"] or 0) >= ENOUGH
    own = {"tried": 1, "reached": int(reached), "time_s": when or found["explore_s"]}
    yield found | own | {"kind": "world", "collisions": found["explore_contacts"], "plan_ms": []}


def _robot(setting: Setting) -> Callable[[int], Simulator]:
    robot = simulated_robot(load_model(setting.onboard).model.spec)
    return lambda seed: Simulator(setting.world, robot, seed=seed)


def _row(trial: Trial, loop: ClosedLoop) -> Row:
    decisions = [thought.decision for *_, thought in loop.trace if thought.decision is not None]
    searches = [round(1000 * d.planning_seconds, 2) for d in decisions if d.shares]
    impulses = sum(d.mode is Mode.IMPULSE for d in decisions)
    return trial.to_json() | {"tried": 1, "reached": int(trial.success), "plan_ms": searches, "impulses": impulses}


def _timed(rows: Iterator[Row]) -> Iterator[Row]:
    began = time.process_time()
    for row in rows:
        yield row | {"cpu_s": round(time.process_time() - began, 2)}
        began = time.process_time()


COURSE = "onboard"  # whose goals others follow
IMPULSIVE = "mode 1"  # needs a policy
METHODS: dict[str, Method] = {
    COURSE: Method(lambda setting, seed, _: _ours(setting, seed, "onboard"), {"near": 0.95, "far": 0.90}),
    "ceiling": Method(lambda setting, seed, _: _ours(setting, seed, "ceiling"), {"near": 0.98, "far": 0.95}, "ceiling"),
    IMPULSIVE: Method(_impulsive, {"near": None, "far": None}),
    "flat": Method(_followed(_flat), {"near": None, "far": None}, follows=True),
    "random": Method(_followed(RandomLoop), {"near": None, "far": None}, follows=True),
    "true dynamics": Method(_followed(TrueLoop), {"near": None, "far": None}, follows=True),
    "doors": Method(_doors, {"detour": 0.90, "no_way": 0.90}, tasks=lambda goals: 2 * goals),
    "mission": Method(_mission, {"leg": 0.90}, tasks=lambda goals: 1),
    "explore": Method(_explore, {"world": 0.90}, tasks=lambda goals: 1),
}
SECTIONS = ("doors", "mission", "explore")  # take long: only with --all, or by name


def choose_methods(setting: Setting, wanted: str, everything: bool) -> tuple[list[str], list[str]]:
    """Names of the methods to drive, and a line about each that is left out for want of a memory.

    Args:
        setting: of the run.
        wanted: names with commas between; none: all that this world and these models allow.
        everything: `SECTIONS` as well.

    Raises:
        AmiError: one that was named is not known, or lacks what it needs.
    """
    named = [name.strip() for name in wanted.split(",") if name.strip()]
    for name in named:
        if name not in METHODS:
            raise AmiError(f"bench planning: there is no method '{name}'; there are {', '.join(METHODS)}")
    if any(METHODS[name].follows for name in named):
        named.append(COURSE)
    chosen, left_out = [], []
    for name in METHODS:
        if name not in named if named else (name in SECTIONS and not everything):
            continue
        lack = _lack(name, setting)
        if not lack:
            chosen.append(name)
        elif named or name == COURSE:
            raise AmiError(f"bench planning: {name}: {lack}")
        else:
            left_out.append(f"without {name}: {lack}")
    return chosen, left_out


def _lack(name: str, setting: Setting) -> str:
    """What a method lacks; nothing: it can be driven."""
    camera = METHODS[name].camera
    file = setting.memory_of(camera)
    if not file.is_file():
        return f"there is no memory {file}; make one with ./ami remember"
    if name == IMPULSIVE and not load_model(setting.model_of(camera)).model.spec.policy:
        return "this model has no policy head; give it one with ./ami train DATA --from MODEL --heads"
    return ""
