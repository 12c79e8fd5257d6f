"""The kinds of scenarios that drive: each is its options, says which parts there are, and drives one of them.

Parts can run side by side in processes; one that follows another gets its rows. What a part does is in the module that
it calls; here stands only how options reach it, and what becomes a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol

from ami_ros.errors import AmiError
from ami_ros.evaluation.loop_config import LoopConfig, loop_config
from ami_ros.places.files import memory_beside
from ami_ros.robots.derived import simulated_robot
from ami_ros.share import share
from ami_ros.simulation.buildings.names import FIRST_TEST_SEED, PREFIX

Row = dict[str, Any]
Report = Callable[[str], None]  # what is going on
GHOSTS = "ghosts"  # part of `People`: what the layers of the map still hold of who left


@dataclass(frozen=True)
class Part:
    """A piece of a scenario that is driven as a whole, for each seed."""

    name: str
    after: str = ""  # name of the part that it follows


class Kind(Protocol):
    """Options of a kind of scenario; a frozen dataclass, made by `config.from_mapping`."""

    def parts(self) -> Sequence[Part]:
        """What there is to do for each seed. Raises AmiError: options that cannot be driven."""
        ...

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        """Drives a part; `before` are the rows of the part that it follows. Raises AmiError as what it calls."""
        ...


def model_at(named: str, otherwise: str) -> Path:
    if Path(named).is_dir() and named:
        return Path(named)
    return share("models", named.removeprefix("models/") or otherwise)


def _memory(named: str, model: Path, world: str) -> Path:
    file = Path(named) if named else memory_beside(model, world)
    if not file.is_file():
        raise AmiError(f"bench: there is no memory {file}; make one with ./ami remember, and set options.memory")
    return file


def chosen(named: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of `known` that are named; all, where none is. Raises AmiError: one is not known."""
    for name in named:
        if name not in known:
            raise AmiError(f"bench: there is no baseline '{name}'; there are {', '.join(known)}")
    return [name for name in known if not named or name in named]


@dataclass(frozen=True)
class Planning:
    """Image goals in one process, in a world that memory knows; see `planning_methods`."""

    world: str = "home"  # a world, a world file, or building:SEED
    goals: int = 20  # a seed, half of them far
    baselines: tuple[str, ...] = ()  # onboard, doors, mission; empty: all
    model: str = ""  # folder; empty: the one that ships
    memory: str = ""  # file; empty: the one beside the model
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.planning_methods import METHODS

        return [Part(name) for name in chosen(self.baselines, list(METHODS))]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.planning_methods import METHODS
        from ami_ros.world_model.checkpoint import load_model

        model = model_at(self.model, "onboard")
        memory, config = _memory(self.memory, model, self.world), loop_config(self.set)
        rows = METHODS[part](load_model(model), self.world, memory, config, seed, self.goals)
        for number, row in enumerate(rows, 1):
            report(f"goal {number}")
            yield row


@dataclass(frozen=True)
class Buildings:
    """Buildings that the robot has never seen: it explores, then goes where pictures were taken; `building_trials`."""

    kinds: tuple[str, ...] = ()  # of buildings; empty: all, as their seeds draw them
    each: int = 1  # how many of each kind for each seed
    goals: int = 8  # near and far alternately
    foreign: int = 2  # pictures of another building
    explore: float = 10.0  # [min] before, from an empty memory
    starts: Literal["driven", "anywhere", "outside"] = "driven"  # before each goal switched on where it was, or was not
    visit: str = ""  # what follows the name of a building: people, changed furniture, light (`simulation.visit`)
    robot: str = ""  # name, file or drawn:SEED; empty: the one that the model drives
    baselines: tuple[str, ...] = ("general",)  # or classical, without_memory, exact_dynamics; empty: all
    model: str = ""  # folder; empty: models/general, or its likeness without a camera
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.building_trials import METHODS
        from ami_ros.simulation.buildings.names import NAMED_KINDS

        chosen(self.baselines, METHODS)
        if unknown := [kind for kind in self.kinds if kind not in NAMED_KINDS]:
            raise AmiError(f"bench: there is no kind of building '{unknown[0]}'; there are {', '.join(NAMED_KINDS)}")
        return [Part(f"{kind or 'any'}-{number}") for kind in self.kinds or ("",) for number in range(self.each)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.building_trials import METHODS, BuildingSetting, drive_building, general_model
        from ami_ros.simulation.buildings.names import building_name

        kind, number = part.rsplit("-", 1)
        prefix = PREFIX if kind == "any" else f"{PREFIX}{kind}:"
        name = building_name(f"{prefix}{FIRST_TEST_SEED + 1000 * seed + int(number)}")
        model = general_model(model_at(self.model, "") if self.model else None, self.robot)
        methods = tuple(chosen(("general", *self.baselines) if self.baselines else (), METHODS))
        setting = BuildingSetting(
            model, self.goals, self.foreign, self.explore, name.seed, self.robot, methods, loop_config(self.set),
            self.starts,
        )  # fmt: skip
        for row in drive_building(f"{name}{self.visit}", setting, report):
            yield {"building": name.kind} | row


@dataclass(frozen=True)
class Recovery:
    """Far goals on the way to which something goes wrong; see `recovery_trials`."""

    world: str = "home"  # a world, a world file, or building:SEED
    goals: int = 10  # of each kind of fault
    faults: tuple[str, ...] = ()  # what goes wrong; empty: each, and nothing at all
    model: str = ""  # folder; empty: the one that ships
    memory: str = ""  # file; empty: the one beside the model

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.recovery_trials import KINDS

        return [Part(name) for name in chosen(self.faults, KINDS)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.recovery_trials import KINDS, drive_disturbed
        from ami_ros.world_model.checkpoint import load_model

        kind = next(kind for kind in KINDS if kind == part)
        model = model_at(self.model, "onboard")
        memory = _memory(self.memory, model, self.world)
        for done in drive_disturbed(load_model(model), self.world, memory, LoopConfig(), seed, self.goals, kind):
            report(f"{part}: {done.trial.status}")
            yield done.trial.to_json() | {"fault": part, "reached": done.reached, "noticed": done.noticed}


@dataclass(frozen=True)
class Adaptation:
    """A robot that has changed: without adaptation, with it, and as it was again; see `adaptation_bench`."""

    world: str = "home"  # a world, a world file, or building:SEED
    goals: int = 20  # in each phase, half of them far
    minutes: float = 5.0  # of driving before adaptation is measured
    changes: tuple[str, ...] = ("left-slow", "tint")  # left-slow, tint
    model: str = ""  # folder; empty: the one that ships
    memory: str = ""  # file; empty: the one beside the model

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.adaptation_bench import CHANGES

        changes = chosen(self.changes, list(CHANGES))
        return [Part("chosen"), Part("before", "chosen"), *(Part(name, "chosen") for name in changes)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.adaptation.weights import AdaptationConfig
        from ami_ros.evaluation.adaptation_bench import CHANGES, AdaptationBench, Settings
        from ami_ros.simulation.simulator import Simulator
        from ami_ros.world_model.checkpoint import load_model

        model = model_at(self.model, "onboard")
        loaded = load_model(model)
        robot = Simulator(self.world, simulated_robot(loaded.model.spec), seed=seed)
        settings = Settings(self.goals, self.minutes, seed, AdaptationConfig(colours=True))
        bench = AdaptationBench(
            loaded, robot, _memory(self.memory, model, self.world), settings,
            lambda what, done, total: report(f"{what}: {done} of {total}"),
        )  # fmt: skip
        if part == "chosen":
            yield from bench.choose()
            return
        tasks = bench.tasks(before)
        if part == "before":
            yield from bench.drive("before", tasks)
            return
        rows = chain(bench.drive("dropped", tasks, CHANGES[part]), bench.learn(tasks, CHANGES[part]))
        yield from (row | {"phase": f"{part}, {row['phase']}"} for row in rows)


@dataclass(frozen=True)
class People:
    """Goals among people who move about; see `people_trials`."""

    world: str = ""  # a world, a world file, or building:SEED; empty: home, or where recorded people walked
    people: int = 0  # who walk about; 0: three, or all who were recorded
    speed: float = 0.8  # [m/s] of theirs
    manner: str = "polite"  # polite, blind, orca or recorded:FILE
    goals: int = 10  # a seed, near and far alternately
    baselines: tuple[str, ...] = ()  # constant_velocity, nothing_predicted, exact_future, empty; none named: all
    ghosts: int = 30  # drawn cases of somebody who stands and leaves, a seed; 0: none
    explore: float = 10.0  # [min] before, where there is no memory
    robot: str = ""  # name or file; empty: the one that the model drives
    model: str = ""  # folder; empty: the one whose memory of this world ships, else models/general
    memory: str = ""  # file; empty: the one beside the model that ships
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.people_trials import METHODS

        return [*map(Part, chosen(self.baselines, METHODS)), *([Part(GHOSTS)] if self.ghosts else [])]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.ghosts import ghosts
        from ami_ros.evaluation.people_trials import PeopleSetting, drive_among
        from ami_ros.simulation.world import People as Crowd
        from ami_ros.simulation.world_file import load_world

        if part == GHOSTS:
            yield from ghosts(self.ghosts, seed, self.robot)
            return
        try:
            crowd = Crowd(count=self.people, speed=self.speed, manner=self.manner, seed=seed)
        except ValueError as error:
            raise AmiError(f"bench people: {error}") from error
        if not crowd.recording:
            crowd = replace(crowd, count=self.people or 3)
        elif self.world not in ("", self.manner):
            raise AmiError(
                "bench people: recorded people would walk through the walls of other worlds; leave --world out"
            )
        world = self.world or (self.manner if crowd.recording else "home")
        beside = memory_beside(share("models", "onboard"), world)
        memory = Path(self.memory) if self.memory else beside if beside.is_file() and not self.model else None
        setting = PeopleSetting(
            replace(load_world(world), people=crowd), model_at(self.model, "onboard" if memory else "general"),
            memory, self.goals, self.robot, self.explore, loop_config(self.set), poses=bool(crowd.recording),
        )  # fmt: skip
        for number, row in enumerate(drive_among(setting, part, seed), 1):
            report(f"drive {number}")
            yield row


@dataclass(frozen=True)
class Change:
    """Worlds that are explored on one day and driven on others; see `change_trials`."""

    worlds: tuple[str, ...] = ()  # empty: a building for tests, each seed another
    goals: int = 8  # on each day, near and far alternately
    changed: float = 1 / 3  # share of the furniture that changes
    days: tuple[str, ...] = ()  # same, furniture, or a light; empty: all
    explore: float = 10.0  # [min] on the first day
    robot: str = ""  # name or file; empty: the one that the model drives
    model: str = ""  # folder; empty: models/general, or its likeness without a camera
    set: tuple[str, ...] = ()  # of the stack, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        return [Part(world) for world in self.worlds or ("building",)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.building_trials import general_model
        from ami_ros.evaluation.change_trials import DAYS, ChangeSetting, drive_world

        model = general_model(model_at(self.model, "") if self.model else None, self.robot)
        days, loop = tuple(chosen(self.days, DAYS)), loop_config(self.set)
        setting = ChangeSetting(model, self.goals, self.changed, self.explore, seed, self.robot, days, loop)
        world = part if self.worlds else f"{PREFIX}{FIRST_TEST_SEED + 1000 * seed}"
        yield from drive_world(world, setting, report)
