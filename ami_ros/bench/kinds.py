"""The kinds of scenarios: each is its options, says which parts there are, and drives or measures one of them."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from pathlib import Path
from typing import Any, Literal, Protocol

from ami_ros.bench.closed_loop import LoopConfig, loop_config
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.memory.files import memory_beside
from ami_ros.simulation.buildings.kinds import FIRST_TEST_SEED, PREFIX
from ami_ros.world_model.fit import simulated_robot

# The kinds of scenarios that drive: each is its options, says which parts there are, and drives one of them.
#
# Parts can run side by side in processes; one that follows another gets its rows. What a part does is in the module
# that it calls; here stands only how options reach it, and what becomes a row.

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
        from ami_ros.bench.known_world import METHODS

        return [Part(name) for name in chosen(self.baselines, list(METHODS))]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.known_world import METHODS
        from ami_ros.world_model.torch_model import load_model

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
        from ami_ros.bench.buildings import METHODS
        from ami_ros.simulation.buildings.kinds import NAMED_KINDS

        chosen(self.baselines, METHODS)
        if unknown := [kind for kind in self.kinds if kind not in NAMED_KINDS]:
            raise AmiError(f"bench: there is no kind of building '{unknown[0]}'; there are {', '.join(NAMED_KINDS)}")
        return [Part(f"{kind or 'any'}-{number}") for kind in self.kinds or ("",) for number in range(self.each)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.buildings import METHODS, BuildingSetting, drive_building, general_model
        from ami_ros.simulation.buildings.kinds import building_name

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
        from ami_ros.bench.known_world import KINDS

        return [Part(name) for name in chosen(self.faults, KINDS)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.known_world import KINDS, drive_disturbed
        from ami_ros.world_model.torch_model import load_model

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
        from ami_ros.bench.adaptation import CHANGES

        changes = chosen(self.changes, list(CHANGES))
        return [Part("chosen"), Part("before", "chosen"), *(Part(name, "chosen") for name in changes)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.adaptation import CHANGES, AdaptationBench, Settings
        from ami_ros.simulation.simulator import Simulator
        from ami_ros.world_model.adaptation import AdaptationConfig
        from ami_ros.world_model.torch_model import load_model

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
        from ami_ros.bench.people import METHODS

        return [*map(Part, chosen(self.baselines, METHODS)), *([Part(GHOSTS)] if self.ghosts else [])]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.people import PeopleSetting, drive_among, ghosts
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
        from ami_ros.bench.buildings import DAYS, ChangeSetting, drive_world, general_model

        model = general_model(model_at(self.model, "") if self.model else None, self.robot)
        days, loop = tuple(chosen(self.days, DAYS)), loop_config(self.set)
        setting = ChangeSetting(model, self.goals, self.changed, self.explore, seed, self.robot, days, loop)
        world = part if self.worlds else f"{PREFIX}{FIRST_TEST_SEED + 1000 * seed}"
        yield from drive_world(world, setting, report)


# The kinds of scenarios that measure a part by itself, on recordings or in a world; as `scenario_kinds`.


@dataclass(frozen=True)
class Logs:
    """Logs of real lasers with corrected poses, through a laser-only memory with drifting odometry; `log_bench`."""

    folder: str = ""  # with CARMEN logs (*.log, *.log.gz); or one log
    yards: int = 0  # drives over drawn open ground, in place of logs
    worlds: tuple[str, ...] = ()  # that a robot drives through from room to room, in place of logs
    robot: str = "ami_bot"  # that does, with the odometry that it has; other errors in each
    minutes: float = 20.0  # of each of these drives
    drift: float = 0.05  # standard deviation of errors per metre and radian; half of it in radians per metre
    learned: bool = True  # compare scans with models/scans, else by the share of points that agree

    def parts(self) -> Sequence[Part]:
        from ami_ros.world_model.learning.carmen import find_logs

        if self.yards:
            return [Part(f"yard:{number}") for number in range(1, self.yards + 1)]
        if self.worlds:
            return [Part(world) for world in self.worlds]
        if not self.folder:
            raise AmiError("bench logs: say where the logs are: ./ami bench logs --folder FOLDER")
        return [Part(log.name) for log in find_logs(Path(self.folder))]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        import numpy as np

        from ami_ros.bench.logs import drawn_log, driven_log, measure, with_drift
        from ami_ros.world_model.learning.carmen import find_logs, read_carmen

        if part in self.worlds:
            log, odometry = driven_log(part, self.robot, self.minutes, seed + self.worlds.index(part))
        else:
            log = (
                drawn_log(int(part.removeprefix("yard:")))
                if self.yards
                else read_carmen(next(log for log in find_logs(Path(self.folder)) if log.name == part))
            )
            odometry = with_drift(log.poses, self.drift, np.random.default_rng([seed, len(log.scans)]))
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            found = measure(
                log, odometry, Path(scratch) / "log.memory", lambda done, total: report(f"{done} of {total}"),
                self.learned,
            )  # fmt: skip
        yield found.to_row()


@dataclass(frozen=True)
class Solvers:
    """How soon each solver has how good a plan: same model, cost and moments, on one thread; see `solver_race`."""

    world: str = "home"  # a world, a world file, or building:SEED
    moments: int = 20  # starts with a near goal each
    tolerance: float = 0.01  # [m] by which a plan may cost more and counts as equal
    rivals: bool = True  # those of stable-worldmodel (the extra swm); false: our own iCEM of their size
    model: str = ""  # folder; empty: the one that ships

    def parts(self) -> Sequence[Part]:
        return [Part("solvers")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.solvers import load_rivals, race, sample_cases
        from ami_ros.world_model.latent_model import on_arrays
        from ami_ros.world_model.torch_model import load_model

        rivals = load_rivals() if self.rivals else {}
        loaded = load_model(model_at(self.model, "onboard"))
        report("rendering moments")
        moments = sample_cases(loaded, self.world, self.moments, seed)
        yield from race(on_arrays(loaded.model), moments, rivals, seed, self.tolerance, report)


def _files(where: str, pattern: str, what: str) -> list[Path]:
    """The file, or all of a folder. Raises AmiError: there is none."""
    path = Path(where)
    found = [path] if where and path.is_file() else sorted(path.glob(pattern)) if where else []
    if not found:
        raise AmiError(f"bench: there are no {what} in '{where}'; say where they are: ./ami bench NAME FOLDER")
    return found


@dataclass(frozen=True)
class Legs:
    """People in labelled scans of real lasers; see `legs_bench`."""

    folder: str = ""  # with ROS 1 bags of leg_tracker (*.bag); or one bag
    arc: float = 15.0  # [deg] to each side, where legs are labelled
    reach: float = 5.0  # [m] up to which legs are labelled

    def parts(self) -> Sequence[Part]:
        return [Part(bag.stem) for bag in _files(self.folder, "*.bag", "bags")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.walkers import measure

        bag = next(bag for bag in _files(self.folder, "*.bag", "bags") if bag.stem == part)
        yield measure(bag, math.radians(self.arc), self.reach)


@dataclass(frozen=True)
class Predict:
    """Where recorded people will be; see `prediction_bench`."""

    folder: str = ""  # with recorded walkers in the columns of ETH and UCY (*.txt); or one file
    horizon: float = 4.8  # [s] ahead, as benches of the field take
    wander: float = 0.0  # [m/s^1.5] in place of prediction.wander; 0: that

    def parts(self) -> Sequence[Part]:
        return [Part(file.stem) for file in _files(self.folder, "*.txt", "recorded walkers")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.walkers import prediction_bench_measure as measure
        from ami_ros.safety.moving_things import PredictionConfig

        file = next(file for file in _files(self.folder, "*.txt", "recorded walkers") if file.stem == part)
        config = PredictionConfig(wander=self.wander) if self.wander else PredictionConfig()
        for predictor, found in measure(str(file), self.horizon, seed, config).items():
            yield {"who": f"{part}, {predictor.replace('_', ' ')}"} | found


@dataclass(frozen=True)
class Pictures:
    """Real pictures with known poses, compared by a model and by feature matchers; see `picture_bench`."""

    folders: tuple[str, ...] = ()  # sequences of one place each, in 7-Scenes' or TUM's layout
    model: str = ""  # folder; empty: models/general
    frames: int = 125  # pictures of a sequence at most
    rivals: tuple[str, ...] = ("sift",)  # feature matchers: sift, aliked
    rival_pairs: int = 150  # that they get of each distance at most
    across_pairs: int = 3000  # of two places at most

    def parts(self) -> Sequence[Part]:
        if not self.folders:
            raise AmiError("bench pictures: say where the sequences are: ./ami bench pictures FOLDER...")
        return [Part("pictures")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.pictures import Aliked, Sift, across, look, measure, read_sequence, rival
        from ami_ros.world_model.latent_model import load_inference

        known: dict[str, type[Any]] = {"sift": Sift, "aliked": Aliked}
        rivals = {name: rival(known[name]) for name in chosen(self.rivals, list(known))} if self.rivals else {}
        model = load_inference(model_at(self.model, "general")).model
        if (pairs := model.pairs) is None:
            raise AmiError(f"bench pictures: model {self.model} compares no pictures; choose another")
        sequences = [read_sequence(Path(folder)).every(self.frames) for folder in self.folders]
        seen = [look(sequence, pairs, model.spec.inputs) for sequence in sequences]
        for each in seen:
            report(each.sequence.name)
            yield from measure(each, pairs, rivals, self.rival_pairs, seed)
        for one, other in combinations(seen, 2):
            yield across(one, other, pairs, self.across_pairs, seed)


@dataclass(frozen=True)
class Control:
    """How long perception and planning take on this machine, on one thread; see `latency`."""

    model: str = ""  # folder; empty: models/general
    repeats: int = 100  # calls of each part

    def parts(self) -> Sequence[Part]:
        return [Part("control")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.latency import time_control
        from ami_ros.world_model.latent_model import load_inference

        loaded = load_inference(model_at(self.model, "general"))
        for timing in time_control(loaded, self.repeats, seed):
            yield {"what": f"{timing.name}, {timing.size}", "p50_ms": timing.p50_ms, "p95_ms": timing.p95_ms}


@dataclass(frozen=True)
class Looks:
    """What looks at pictures say in buildings, and which of them make an arrival; see `look_trials`."""

    kinds: tuple[str, ...] = ("home", "ward", "office", "school")  # of buildings
    goals: int = 6  # pictures taken there
    foreign: int = 2  # pictures of another building
    views: int = 24  # all over the building
    robot: str = ""  # name or file; empty: the one that the model drives
    model: str = ""  # folder; empty: models/general

    def parts(self) -> Sequence[Part]:
        return [Part(kind) for kind in self.kinds]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.looks import Looker, look_rows
        from ami_ros.simulation.buildings.kinds import PREFIX, building_name

        name = building_name(f"{PREFIX}{part}:{seed}")
        looker = Looker(str(name), model_at(self.model, "general"), self.robot, seed)
        for row in look_rows(looker, seed, self.goals, self.foreign, self.views):
            yield {"building": name.kind} | row


@dataclass(frozen=True)
class Sharing:
    """Two robots that share their memories of one building over a bad network; see `sharing_trials`."""

    kinds: tuple[str, ...] = ("home", "office", "ward", "school", "warehouse", "gallery", "hotel")  # of buildings
    robot: str = "ami_bot"  # name or file; its laser counts
    minutes: float = 5.0  # that each drives
    loss: float = 0.2  # share of letters that get lost
    delay: float = 0.5  # [s] until the others arrive

    def parts(self) -> Sequence[Part]:
        return [Part(kind) for kind in self.kinds]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.fleet import share_building
        from ami_ros.simulation.buildings.kinds import FIRST_TEST_SEED, PREFIX, building_name

        first = FIRST_TEST_SEED + 1000 * seed
        world, strange = (str(building_name(f"{PREFIX}{part}:{first + number}")) for number in range(2))
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            rows = share_building(world, strange, self.robot, self.minutes, self.loss, self.delay, seed, Path(scratch))
            for row in rows:
                yield {"building": part} | row


@dataclass(frozen=True)
class Merge:
    """Memories of many robots, from several buildings, that a job merges; see `merge_trials`."""

    buildings: int = 4  # in which robots drive
    kinds: tuple[str, ...] = ("home", "office", "ward", "school", "warehouse", "gallery", "hotel")  # in turn
    robot: str = "ami_bot"  # name or file; its laser counts
    drives: int = 2  # in each building
    memories: int = 5  # that each drive becomes, one of each part
    minutes: float = 1.0  # of each part
    processes: int = 2  # of the second job, which has to come to the same as the first; 1: there is none

    def parts(self) -> Sequence[Part]:
        return [Part("merge")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.bench.fleet import Fleet, merge_buildings
        from ami_ros.simulation.buildings.kinds import FIRST_TEST_SEED, PREFIX, building_name

        first = FIRST_TEST_SEED + 1000 * seed
        names = [building_name(f"{PREFIX}{self.kinds[k % len(self.kinds)]}:{first + k}") for k in range(self.buildings)]
        fleet = Fleet([*map(str, names)], self.robot, self.drives, self.memories, self.minutes, 1000 * seed)
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            yield from merge_buildings(fleet, self.processes, Path(scratch), report)
