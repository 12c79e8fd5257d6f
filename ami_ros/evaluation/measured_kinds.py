"""The kinds of scenarios that measure a part by itself, on recordings or in a world; as `scenario_kinds`."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.evaluation.scenario_kinds import Part, Report, Row, chosen, model_at


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
        from ami_ros.learning.carmen import find_logs

        if self.yards:
            return [Part(f"yard:{number}") for number in range(1, self.yards + 1)]
        if self.worlds:
            return [Part(world) for world in self.worlds]
        if not self.folder:
            raise AmiError("bench logs: say where the logs are: ./ami bench logs --folder FOLDER")
        return [Part(log.name) for log in find_logs(Path(self.folder))]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        import numpy as np

        from ami_ros.evaluation.log_bench import drawn_log, driven_log, measure, with_drift
        from ami_ros.learning.carmen import find_logs, read_carmen

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
        from ami_ros.evaluation.solver_race import race, sample_cases
        from ami_ros.evaluation.solver_rivals import load_rivals
        from ami_ros.world_model.by_torch import on_arrays
        from ami_ros.world_model.checkpoint import load_model

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
        from ami_ros.evaluation.legs_bench import measure

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
        from ami_ros.evaluation.prediction_bench import measure
        from ami_ros.moving.prediction import PredictionConfig

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
        from ami_ros.evaluation.picture_bench import across, look, measure
        from ami_ros.evaluation.picture_rivals import Aliked, Sift, rival
        from ami_ros.evaluation.picture_sequences import read_sequence
        from ami_ros.world_model.inference import load_inference

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
        from ami_ros.evaluation.latency import time_control
        from ami_ros.world_model.inference import load_inference

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
        from ami_ros.evaluation.look_trials import Looker, look_rows
        from ami_ros.simulation.buildings.names import PREFIX, building_name

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
        from ami_ros.evaluation.sharing_trials import share_building
        from ami_ros.simulation.buildings.names import FIRST_TEST_SEED, PREFIX, building_name

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
        from ami_ros.evaluation.merge_trials import Fleet, merge_buildings
        from ami_ros.simulation.buildings.names import FIRST_TEST_SEED, PREFIX, building_name

        first = FIRST_TEST_SEED + 1000 * seed
        names = [building_name(f"{PREFIX}{self.kinds[k % len(self.kinds)]}:{first + k}") for k in range(self.buildings)]
        fleet = Fleet([*map(str, names)], self.robot, self.drives, self.memories, self.minutes, 1000 * seed)
        with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch:
            yield from merge_buildings(fleet, self.processes, Path(scratch), report)
