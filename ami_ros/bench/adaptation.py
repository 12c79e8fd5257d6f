"""What adaptation is worth: a robot that has changed, driven without it, with it, and as it was again.

All drive the same goals from the same starts, each begun anew. Goals are pictures from before the change. A goal counts
if it is reached within 1.5 times the time that the unchanged robot took on a run with other noise: planning anew brings
even a robot of bad wheels to its goal, but late.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
from ami_ros.bench.known_world import KnownWorld
from ami_ros.bench.scenario import Part, Report, Row, chosen
from ami_ros.bench.trials import GoalSampler, SampledGoal
from ami_ros.core.commands import STILL, Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.simulation.exploration import PERIOD, Explorer
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.noise import UNTINTED
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.adaptation import AdaptationConfig, Segment, Weights, apply, single
from ami_ros.world_model.adapter import Adapter
from ami_ros.world_model.torch_model import LoadedModel

STREAM = 0xADA97  # keeps the random numbers apart from those of recorded runs, whatever the seed


@dataclass(frozen=True)
class Change:
    """What has become of the robot."""

    wheels: tuple[float, float] = (1.0, 1.0)  # gains of the left and of the right one
    tint: tuple[float, float, float] = UNTINTED  # what the camera makes of red, green and blue


CHANGES: dict[str, Change] = {
    "left-slow": Change(wheels=(0.6, 1.0)),
    "left-fast": Change(wheels=(1.4, 1.0)),
    "slow": Change(wheels=(0.6, 0.6)),
    "fast": Change(wheels=(1.4, 1.4)),
    "tint": Change(tint=(0.5, 0.75, 1.0)),  # bluish; nothing is brighter than a picture can hold
}


@dataclass(frozen=True)
class Adaptation:
    """A robot that has changed: without adaptation, with it, and as it was again."""

    world: str = "home"  # a world, a world file, or building:SEED
    goals: int = 20  # in each phase, half of them far
    minutes: float = 5.0  # of driving before adaptation is measured
    changes: tuple[str, ...] = ("left-slow", "tint")  # left-slow, tint
    model: str = ""  # folder; empty: the one that ships
    memory: str = ""  # file; empty: the one beside the model

    def parts(self) -> Sequence[Part]:
        changes = chosen(self.changes, CHANGES)
        return [Part("chosen"), Part("before", "chosen"), *(Part(name, "chosen") for name in changes)]

    def run(self, part: str, seed: int, before: Sequence[Row], report: Report) -> Iterator[Row]:
        known = KnownWorld.opened(self.world, self.model, self.memory, seed)
        bench = AdaptationBench(known.loaded, known.simulator(seed), known.memory, seed, report)
        if part == "chosen":
            yield from bench.choose(self.goals)
            return
        tasks = bench.tasks(before)
        if part == "before":
            yield from bench.drive("before", tasks)
            return
        rows = chain(bench.drive("dropped", tasks, CHANGES[part]), bench.learn(tasks, CHANGES[part], self.minutes))
        yield from (row | {"phase": f"{part}, {row['phase']}"} for row in rows)


@dataclass(frozen=True)
class Task:
    """One goal for a robot at `start` (3,), to be reached within `limit` [s]; `index` is that of its random numbers."""

    index: int
    start: Array
    goal: SampledGoal
    limit: float


class Learner:
    """The model that is used, kept as the adapter wants it; with `adapter` None it stays as it was trained."""

    def __init__(self, loaded: LoadedModel, adapter: Adapter | None) -> None:
        self.trained, self.adapter = loaded.model, adapter
        self.model = loaded.model.private_copy()
        self.looks = adapter is not None and adapter.config.colours
        self._version = 0
        self.errors: list[tuple[float, float, float]] = []

    def take(self, segment: Segment) -> Weights | None:
        """Judges the model with a segment, then learns from it."""
        batch = single(segment)
        with torch.inference_mode():
            latent, motion = self.model.step(batch.before, batch.commands, batch.previous)
            off = (motion - batch.motion)[0]
            error = float((latent - batch.after).square().mean())
        self.errors.append((float(off[:2].norm()), abs(float(off[2])), error))
        if self.adapter is None:
            return None
        self.adapter.observe(segment)
        if self.adapter.version == self._version:
            return None
        self._version = self.adapter.version
        apply(self.adapter.weights_in_use, self.model, self.trained)
        return self.adapter.weights_in_use


class LearningLoop(ClosedLoop):
    """The closed loop whose goals are pictures from before the change."""

    def set_goal(self, goal: Array, allowance: float) -> None:
        tint, self.simulator.tint = self.simulator.tint, UNTINTED
        super().set_goal(goal, allowance)
        self.simulator.tint = tint

    def explore(self, rng: np.random.Generator, seconds: float) -> Iterator[float]:
        """Random driving in place of the planner, as when data is recorded: a new command each PERIOD; yields the
        seconds done."""
        explorer, began, command = Explorer(rng, self.simulator.description), self.simulator.time, STILL
        due = began

        def drive() -> Command:
            nonlocal command, due
            if self.seen is not None and self.simulator.time > due - 1e-6:
                command = explorer.command(self.seen.scan)
                due += PERIOD
            return command

        self.commanded = drive
        while self.simulator.time - began < seconds:
            self.wait(PERIOD)
            yield self.simulator.time - began


@dataclass
class AdaptationBench:
    """One robot in one world, and the goals that it is sent to."""

    loaded: LoadedModel
    robot: Simulator
    memory: Path | None  # of the world
    seed: int
    report: Report
    adaptation: AdaptationConfig = field(default_factory=lambda: AdaptationConfig(colours=True))
    config: LoopConfig = field(default_factory=LoopConfig)

    def __post_init__(self) -> None:
        self._space = FreeSpace(self.robot.world)
        self._goals = GoalSampler(self._space, self.seed)

    def choose(self, wanted: int) -> list[Row]:
        """Goals that the unchanged robot reaches, and the time it took: rows for `tasks`.

        Raises:
            AmiError: it reaches too few, of three for each that is wanted.
        """
        found, learner, reached = list[Row](), Learner(self.loaded, None), 0
        for index in range(3 * wanted):
            if reached == wanted:
                break
            self.report(f"choosing goals: {reached} of {wanted}")
            found.append(self._drive(self._task(index, np.inf), learner, Change(), other_noise=500_009))
            reached += found[-1]["success"]
        if reached < wanted:
            raise AmiError(f"bench adaptation: of {len(found)} goals the unchanged robot reached too few")
        return found

    def tasks(self, chosen: Sequence[Row]) -> list[Task]:
        """The goals, and the time for each, of what `choose` found."""
        return [self._task(row["index"], 1.5 * row["time_s"]) for row in chosen if row["success"]]

    def drive(
        self, name: str, tasks: Sequence[Task], change: Change | None = None, learner: Learner | None = None
    ) -> list[Row]:
        """All tasks with a robot that has changed; with `learner` None by the model as it was trained."""
        learner, rows = learner or Learner(self.loaded, None), list[Row]()
        for task in tasks:
            self.report(f"{name}: {len(rows)} of {len(tasks)}")
            rows.append(self._drive(task, learner, change or Change()) | {"phase": name})
        return rows

    def learn(self, tasks: Sequence[Task], change: Change, minutes: float) -> list[Row]:
        """Adapts to a change, then drives with it (phase "adapted"), and as before again ("old_setting")."""
        learner = Learner(self.loaded, Adapter(self.loaded.model, self.adaptation, seed=self.seed))
        self._become(change)
        self.robot.reset(tasks[0].start, self.seed)
        loop = LearningLoop(self.loaded, self.robot, self.memory, self.config, self.seed, learner)
        for seconds in loop.explore(np.random.default_rng([self.seed, STREAM, 1]), 60.0 * minutes):
            self.report(f"adapting: {seconds:.0f} of {60 * minutes:.0f}")
        rows = self.drive("adapted", tasks, change, learner)
        return rows + self.drive("old_setting", tasks, Change(), learner)

    def _task(self, index: int, limit: float) -> Task:
        start = self._space.sample_pose(np.random.default_rng([self.seed, STREAM, 0, index]))
        return Task(index, start, self._goals.sample(index, start), limit)

    def _become(self, change: Change) -> None:
        self.robot.wheel_gains, self.robot.tint = change.wheels, change.tint

    def _drive(self, task: Task, learner: Learner, change: Change, other_noise: int = 0) -> Row:
        """One goal; errors are those of the model in use over model steps, medians, and of the latent the mean."""
        self._become(change)
        seed, goal = self.seed + task.index + other_noise, task.goal
        self.robot.reset(task.start, seed)
        loop = LearningLoop(self.loaded, self.robot, self.memory, self.config, seed, learner)
        learner.errors.clear()
        trial = loop.drive(goal.kind, self.robot.ground_truth().pose, goal.pose, goal.path_length)
        self._become(Change())
        position, heading, latent = np.array(learner.errors or [(np.nan,) * 3]).T
        return trial.to_json() | {
            "index": task.index,
            "in_time": bool(trial.success and trial.time_s <= task.limit),
            "motion_error_m": float(np.median(position)),
            "turn_error_rad": float(np.median(heading)),
            "latent_error": float(np.mean(latent)),
        }
