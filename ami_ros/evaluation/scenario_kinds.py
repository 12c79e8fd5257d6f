"""The kinds of scenarios: each is its options, says which parts there are, and drives one of them.

Parts can run side by side in processes; one that follows another gets its rows. What a part does is in the module that
it calls; here stands only how options reach it, and what becomes a row.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, Protocol

from ami_ros.errors import AmiError
from ami_ros.evaluation.loop_config import LoopConfig, loop_config
from ami_ros.places.files import memory_beside
from ami_ros.robots.derived import simulated_robot
from ami_ros.share import share

Row = dict[str, Any]
Report = Callable[[str], None]  # what is going on


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


def _model(named: str, otherwise: str) -> Path:
    if Path(named).is_dir() and named:
        return Path(named)
    return share("models", named.removeprefix("models/") or otherwise)


def _memory(named: str, model: Path, world: str) -> Path:
    file = Path(named) if named else memory_beside(model, world)
    if not file.is_file():
        raise AmiError(f"bench: there is no memory {file}; make one with ./ami remember, and set options.memory")
    return file


def _chosen(named: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those of `known` that are named; all, where none is. Raises AmiError: one is not known."""
    for name in named:
        if name not in known:
            raise AmiError(f"bench: there is no baseline '{name}'; there are {', '.join(known)}")
    return [name for name in known if not named or name in named]


@dataclass(frozen=True)
class Planning:
    """Image goals in one process, in a world that memory knows; see `planning_methods`."""

    world: str = "home"
    goals: int = 20  # a seed, half of them far
    baselines: tuple[str, ...] = ()  # of `planning_methods.METHODS`; empty: all
    model: str = ""  # folder; empty: the one that ships
    memory: str = ""  # file; empty: the one beside the model
    set: tuple[str, ...] = ()  # of `LoopConfig`, as agent.navigator.planner.solver.samples=64

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.planning_methods import COURSE, METHODS

        names = _chosen(self.baselines, list(METHODS))
        lacks = COURSE not in names and any(METHODS[name].follows for name in names)
        return [Part(n, COURSE if METHODS[n].follows else "") for n in ([COURSE] if lacks else []) + names]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.planning_methods import METHODS, Setting

        model = _model(self.model, "onboard")
        setting = Setting(self.world, self.goals, model, _memory(self.memory, model, self.world), loop_config(self.set))
        for number, row in enumerate(METHODS[part].drive(setting, seed, before), 1):
            report(f"goal {number}")
            yield row


@dataclass(frozen=True)
class Buildings:
    """Buildings that the robot has never seen: it explores, then goes where pictures were taken; `building_trials`."""

    kinds: tuple[str, ...] = ()  # of buildings; empty: all, as their seeds draw them
    each: int = 1  # how many of each kind for each seed
    goals: int = 8  # near and far by turns
    foreign: int = 2  # pictures of another building
    explore: float = 10.0  # [min] before, from an empty memory
    starts: Literal["driven", "anywhere"] = "driven"  # anywhere: before each goal it is switched on anywhere it knows
    visit: str = ""  # what follows the name of a building: people, changed furniture, light (`simulation.visit`)
    robot: str = ""  # name, file or drawn:SEED; empty: the one that the model drives
    baselines: tuple[str, ...] = ("general",)  # of `building_trials.METHODS`; empty: all
    model: str = ""  # folder; empty: models/general, or its likeness without a camera
    set: tuple[str, ...] = ()  # as of `Planning`

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.building_trials import METHODS
        from ami_ros.simulation.buildings.names import NAMED_KINDS

        _chosen(self.baselines, METHODS)
        if unknown := [kind for kind in self.kinds if kind not in NAMED_KINDS]:
            raise AmiError(f"bench: there is no kind of building '{unknown[0]}'; there are {', '.join(NAMED_KINDS)}")
        return [Part(f"{kind or 'any'}-{number}") for kind in self.kinds or ("",) for number in range(self.each)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.building_trials import METHODS, BuildingSetting, drive_building, general_model
        from ami_ros.simulation.buildings.names import FIRST_TEST_SEED, PREFIX, building_name

        kind, number = part.rsplit("-", 1)
        prefix = PREFIX if kind == "any" else f"{PREFIX}{kind}:"
        name = building_name(f"{prefix}{FIRST_TEST_SEED + 1000 * seed + int(number)}")
        model = general_model(_model(self.model, "") if self.model else None, self.robot)
        methods = tuple(_chosen(("general", *self.baselines) if self.baselines else (), METHODS))
        setting = BuildingSetting(
            model, self.goals, self.foreign, self.explore, name.seed, self.robot, methods, loop_config(self.set),
            self.starts == "anywhere",
        )  # fmt: skip
        for row in drive_building(f"{name}{self.visit}", setting, report):
            yield {"building": name.kind} | row


@dataclass(frozen=True)
class Recovery:
    """Far goals on the way to which something goes wrong; see `recovery_trials`."""

    world: str = "home"
    goals: int = 10  # of each kind of fault
    faults: tuple[str, ...] = ()  # of `recovery_trials.KINDS`; empty: all, and nothing at all
    model: str = ""
    memory: str = ""

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.recovery_trials import KINDS

        return [Part(name) for name in _chosen(self.faults, KINDS)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.recovery_trials import KINDS, drive_disturbed
        from ami_ros.world_model.checkpoint import load_model

        kind = next(kind for kind in KINDS if kind == part)
        model = _model(self.model, "onboard")
        memory = _memory(self.memory, model, self.world)
        for done in drive_disturbed(load_model(model), self.world, memory, LoopConfig(), seed, self.goals, kind):
            report(f"{part}: {done.trial.status}")
            yield done.trial.to_json() | {"fault": part, "reached": done.reached, "noticed": done.noticed}


@dataclass(frozen=True)
class Places:
    """What a memory of places is worth in a world that the robot explores; see `place_bench`."""

    world: str = "home"
    minutes: float = 15.0  # of exploring from an empty memory
    starts: int = 60  # from cold, at random poses
    goals: int = 200  # pictures that memory has to place
    kidnappings: int = 20
    hours: float = 0.0  # of driving on, after which it is measured again
    model: str = ""

    def parts(self) -> Sequence[Part]:
        return [Part("places")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.place_bench import PlaceBench, Settings
        from ami_ros.simulation.simulator import Simulator
        from ami_ros.world_model.checkpoint import load_model

        loaded = load_model(_model(self.model, "onboard"))
        robot = simulated_robot(loaded.model.spec)
        settings = Settings(self.minutes, self.starts, self.goals, self.kidnappings, self.hours, seed)
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            bench = PlaceBench(
                loaded, lambda run: Simulator(self.world, robot, seed=run), settings, Path(scratch) / "places.memory",
                lambda what, done, total: report(f"{what}: {done} of {total}"),
            )  # fmt: skip
            figures: Row = dict(bench.run())
            for name, curve in bench.curves.items():
                figures[f"{name}_reliability"] = [list(point) for point in curve]
            yield figures


@dataclass(frozen=True)
class Logs:
    """Logs of real lasers with corrected poses, through a laser-only memory with drifting odometry; `log_bench`."""

    folder: str = ""  # with CARMEN logs (*.log, *.log.gz); or one log
    drift: float = 0.05  # standard deviation of errors per metre and radian; half of it in radians per metre
    learned: bool = True  # compare scans with models/scans, else by the share of points that agree

    def parts(self) -> Sequence[Part]:
        from ami_ros.learning.carmen import find_logs

        if not self.folder:
            raise AmiError("bench logs: say where the logs are: --set options.folder=FOLDER")
        return [Part(log.name) for log in find_logs(Path(self.folder))]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.log_bench import measure
        from ami_ros.learning.carmen import find_logs

        log = next(log for log in find_logs(Path(self.folder)) if log.name == part)
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            found = measure(
                log, self.drift, seed, Path(scratch) / "log.memory", lambda done, total: report(f"{done} of {total}"),
                self.learned,
            )  # fmt: skip
        yield found.to_row()


@dataclass(frozen=True)
class Solvers:
    """How soon each solver has how good a plan: same model, cost and moments, on one thread; see `solver_race`."""

    world: str = "home"
    moments: int = 20  # starts with a near goal each
    tolerance: float = 0.01  # [m] by which a plan may cost more and counts as equal
    rivals: bool = True  # those of stable-worldmodel (the extra swm); false: our own iCEM of their size
    model: str = ""

    def parts(self) -> Sequence[Part]:
        return [Part("solvers")]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.evaluation.planning_cases import sample_cases
        from ami_ros.evaluation.solver_race import race
        from ami_ros.evaluation.solver_rivals import load_rivals
        from ami_ros.world_model.by_torch import on_arrays
        from ami_ros.world_model.checkpoint import load_model

        rivals = load_rivals() if self.rivals else {}
        loaded = load_model(_model(self.model, "onboard"))
        report("rendering moments")
        moments = sample_cases(loaded, self.world, self.moments, seed)
        yield from race(on_arrays(loaded.model), moments, rivals, seed, self.tolerance, report)


@dataclass(frozen=True)
class Adaptation:
    """A robot that has changed: without adaptation, with it, and as it was again; see `adaptation_bench`."""

    world: str = "home"
    goals: int = 20  # in each phase, half of them far
    minutes: float = 5.0  # of driving before adaptation is measured
    changes: tuple[str, ...] = ("left-slow", "tint")  # of `adaptation_bench.CHANGES`
    model: str = ""
    memory: str = ""

    def parts(self) -> Sequence[Part]:
        from ami_ros.evaluation.adaptation_bench import CHANGES

        changes = _chosen(self.changes, list(CHANGES))
        return [Part("chosen"), Part("before", "chosen"), *(Part(name, "chosen") for name in changes)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        from ami_ros.adaptation.weights import AdaptationConfig
        from ami_ros.evaluation.adaptation_bench import CHANGES, AdaptationBench, Settings
        from ami_ros.simulation.simulator import Simulator
        from ami_ros.world_model.checkpoint import load_model

        model = _model(self.model, "onboard")
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


KINDS: dict[str, type[Any]] = {
    "adaptation": Adaptation,
    "buildings": Buildings,
    "logs": Logs,
    "places": Places,
    "planning": Planning,
    "recovery": Recovery,
    "solvers": Solvers,
}
