"""What adaptation is worth: a robot that has changed, driven without it, with it, and as it was again.

All drive the same goals from the same starts, each begun anew. Goals are pictures from before the change. A goal counts
if it is reached within `PATIENCE` times the time that the unchanged robot took on a run with other noise: planning anew
brings even a robot of bad wheels to its goal, but late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
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
PATIENCE = 1.5  # times that of the unchanged robot
OTHER_NOISE = 500_009  # added to the seed of the runs that limits are taken from
TRIES = 3  # goals that are drawn for each that is wanted

Row = dict[str, Any]
Report = Callable[[str, int, int], None]  # phase, done, of so many


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
class Settings:
    """How much of what."""

    goals: int = 20  # in each phase, half of them far
    minutes: float = 5.0  # of driving with adaptation before it is measured
    seed: int = 0
    adaptation: AdaptationConfig = field(default_factory=lambda: AdaptationConfig(colours=True))
    loop: LoopConfig = field(default_factory=LoopConfig)


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


class RandomDriver:
    """Drives the simulated robot in place of the planner, as when data is recorded: a new command each PERIOD."""

    def __init__(self, loop: ClosedLoop, rng: np.random.Generator) -> None:
        self._loop, self._explorer = loop, Explorer(rng, loop.simulator.description)
        self._command: Command = STILL
        self._due = loop.simulator.time

    def __call__(self) -> Command:
        """The command of this moment."""
        seen = self._loop.seen
        if seen is not None and self._loop.simulator.time > self._due - 1e-6:
            self._command = self._explorer.command(seen.scan)
            self._due += PERIOD
        return self._command


class LearningLoop(ClosedLoop):
    """The closed loop whose goals are pictures from before the change."""

    def set_goal(self, goal: Array, allowance: float) -> None:
        tint, self.simulator.tint = self.simulator.tint, UNTINTED
        super().set_goal(goal, allowance)
        self.simulator.tint = tint

    def explore(self, rng: np.random.Generator, seconds: float) -> Iterator[float]:
        """Random driving, as when data is recorded; yields the seconds done."""
        self.commanded, began = RandomDriver(self, rng), self.simulator.time
        while self.simulator.time - began < seconds:
            self.wait(PERIOD)
            yield self.simulator.time - began


class AdaptationBench:
    """One robot in one world, and the goals that it is sent to.

    Args:
        loaded: the model.
        robot: simulated.
        memory: of the world.
        settings: how much of what.
        report: called with progress.
    """

    def __init__(
        self, loaded: LoadedModel, robot: Simulator, memory: Path | None, settings: Settings, report: Report
    ) -> None:
        self.loaded, self.robot, self.memory, self.settings, self.report = loaded, robot, memory, settings, report
        self._space = FreeSpace(robot.world)
        self._goals = GoalSampler(self._space, settings.seed)

    def choose(self) -> list[Row]:
        """Goals that the unchanged robot reaches, and the time it took: rows for `tasks`.

        Raises:
            AmiError: it reaches too few.
        """
        wanted, found, learner = self.settings.goals, list[Row](), Learner(self.loaded, None)
        for index in range(TRIES * wanted):
            if sum(row["success"] for row in found) == wanted:
                break
            self.report("choosing goals", sum(row["success"] for row in found), wanted)
            found.append(self._drive(self._task(index, np.inf), learner, Change(), OTHER_NOISE))
        if sum(row["success"] for row in found) < wanted:
            raise AmiError(f"bench adaptation: of {len(found)} goals the unchanged robot reached too few")
        return found

    def tasks(self, chosen: Sequence[Row]) -> list[Task]:
        """The goals, and the time for each, of what `choose` found."""
        return [self._task(row["index"], PATIENCE * row["time_s"]) for row in chosen if row["success"]]

    def drive(
        self, name: str, tasks: Sequence[Task], change: Change | None = None, learner: Learner | None = None
    ) -> list[Row]:
        """All tasks with a robot that has changed; with `learner` None by the model as it was trained."""
        learner, rows = learner or Learner(self.loaded, None), list[Row]()
        for task in tasks:
            self.report(name, len(rows), len(tasks))
            rows.append(self._drive(task, learner, change or Change()) | {"phase": name})
        self.report(name, len(tasks), len(tasks))
        return rows

    def learn(self, tasks: Sequence[Task], change: Change) -> list[Row]:
        """Adapts to a change, then drives with it (phase "adapted"), and as before again ("old_setting")."""
        settings = self.settings
        adapter = Adapter(self.loaded.model, settings.adaptation, seed=settings.seed)
        learner = Learner(self.loaded, adapter)
        self._become(change)
        self.robot.reset(tasks[0].start, settings.seed)
        loop = LearningLoop(self.loaded, self.robot, self.memory, settings.loop, settings.seed, learner)
        rng = np.random.default_rng([settings.seed, STREAM, 1])
        for seconds in loop.explore(rng, 60.0 * settings.minutes):
            self.report("adapting", int(seconds), int(60 * settings.minutes))
        rows = self.drive("adapted", tasks, change, learner)
        return rows + self.drive("old_setting", tasks, Change(), learner)

    def _task(self, index: int, limit: float) -> Task:
        rng = np.random.default_rng([self.settings.seed, STREAM, 0, index])
        start = self._space.sample_pose(rng)
        return Task(index, start, self._goals.sample(index, start), limit)

    def _become(self, change: Change) -> None:
        self.robot.wheel_gains, self.robot.tint = change.wheels, change.tint

    def _drive(self, task: Task, learner: Learner, change: Change, noise: int = 0) -> Row:
        """One goal; errors are those of the model in use over model steps, medians, and of the latent the mean."""
        self._become(change)
        seed, goal = self.settings.seed + task.index + noise, task.goal
        self.robot.reset(task.start, seed)
        loop = LearningLoop(self.loaded, self.robot, self.memory, self.settings.loop, seed, learner)
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
