"""What adaptation is worth: a robot whose wheels have changed, driven without it, with it, and as it was again.

All phases drive the same goals from the same starts, each begun anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from ami_ros.adaptation.adapter import AdaptationConfig, Adapter
from ami_ros.adaptation.segments import Segment, SegmentCutter, single
from ami_ros.adaptation.weights import apply, private_copy
from ami_ros.evaluation.closed_loop import ClosedLoop, LoopConfig
from ami_ros.evaluation.goals import GoalSampler, SampledGoal
from ami_ros.evaluation.rates import SuccessRate
from ami_ros.evaluation.trials import Trial
from ami_ros.geometry import Array
from ami_ros.planning.types import Percept
from ami_ros.simulation.exploration import PERIOD, Explorer
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel

STREAM = 0xADA97  # keeps the random numbers apart from those of recorded runs, whatever the seed

CHANGES: dict[str, tuple[float, float]] = {  # gains of the left and of the right wheel
    "left-slow": (0.6, 1.0),
    "left-fast": (1.4, 1.0),
    "slow": (0.6, 0.6),
    "fast": (1.4, 1.4),
}
Report = Callable[[str, int, int], None]  # phase, done, of so many


@dataclass(frozen=True)
class Settings:
    """How much of what."""

    wheel_gains: tuple[float, float]
    goals: int = 20  # in each phase, half of them far
    minutes: float = 5.0  # of driving with adaptation before it is measured
    seed: int = 0
    adaptation: AdaptationConfig = field(default_factory=AdaptationConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)


@dataclass(frozen=True)
class Phase:
    """What was driven in one setting, and how far the model in use was off in each model step."""

    trials: list[Trial]
    position_m: Array  # of the motion that it expected
    heading_rad: Array
    latent: Array  # mean squared error of the latent that it expected [-]

    def figures(self, name: str) -> dict[str, float | int | None]:
        """Flat, names with `name` before them."""
        rate = SuccessRate.of(t.success for t in self.trials)
        return {f"{name}_{key}": value for key, value in rate.to_json().items()} | {
            f"{name}_time_mean_s": float(np.mean([t.time_s for t in self.trials])),
            f"{name}_way_mean_m": float(np.mean([t.driven_m for t in self.trials])),
            f"{name}_contacts": sum(t.collisions for t in self.trials),
            f"{name}_motion_error_median_m": float(np.median(self.position_m)),
            f"{name}_turn_error_median_rad": float(np.median(self.heading_rad)),
            f"{name}_latent_error_mean": float(np.mean(self.latent)),
        }


class Learner:
    """The model that is driven by, kept as the adapter wants it; with `adapter` None it stays as it was trained."""

    def __init__(self, loaded: LoadedModel, adapter: Adapter | None) -> None:
        self.trained, self.adapter = loaded.model, adapter
        self.loaded = replace(loaded, model=private_copy(loaded.model))
        self._version = 0
        self.errors: list[tuple[float, float, float]] = []

    def take(self, segment: Segment) -> None:
        """Judges the model by a segment, then learns from it."""
        batch = single(segment)
        with torch.inference_mode():
            latent, motion = self.loaded.model.step(batch.before, batch.commands, batch.previous)
            off = (motion - batch.motion)[0]
            error = float((latent - batch.after).square().mean())
        self.errors.append((float(off[:2].norm()), abs(float(off[2])), error))
        if self.adapter is None:
            return
        self.adapter.observe(segment)
        if self.adapter.version != self._version:
            self._version = self.adapter.version
            apply(self.adapter.weights_in_use, self.loaded.model, self.trained)


class LearningLoop(ClosedLoop):
    """The closed loop; what it drives goes to the learner."""

    def __init__(
        self, learner: Learner, simulator: Simulator, memory: Path | None, settings: Settings, seed: int
    ) -> None:
        super().__init__(learner.loaded, simulator, memory, settings.loop, seed)
        self._learner = learner
        spec = learner.trained.spec
        self._cutter = SegmentCutter(spec.chunk, spec.period)

    def perceive(self) -> Percept:
        percept = super().perceive()
        segment = self._cutter.add(percept.stamp, percept.latent, percept.odometry, self.executed)
        if segment is not None:
            self._learner.take(segment)
        return percept

    def explore(self, rng: np.random.Generator, seconds: float) -> Iterator[float]:
        """Random driving, as when data is recorded; yields the seconds done."""
        explorer = Explorer(rng)
        for k in range(round(seconds / PERIOD)):
            scan = self.perceive().scan
            assert scan is not None, "the simulator has a scanner"
            self.executed = explorer.command(scan)
            self.simulator.step(self.executed, PERIOD)
            yield (k + 1) * PERIOD


def run(
    loaded: LoadedModel, make_robot: Callable[[int], Simulator], memory: Path | None, settings: Settings, report: Report
) -> dict[str, Phase]:
    """Drives before the change, after it without adaptation, with it, and as before again, still adapting."""
    rng = np.random.default_rng([settings.seed, STREAM])
    robot = make_robot(int(rng.integers(2**31)))
    tasks = _tasks(robot, settings, rng)
    unchanged = robot.wheel_gains
    adapter = Adapter(loaded.model, settings.adaptation, seed=settings.seed)
    phases = {}

    def phase(name: str, learner: Learner, gains: tuple[float, float]) -> None:
        robot.wheel_gains = gains
        phases[name] = _drive(name, learner, robot, memory, settings, tasks, report)

    phase("before", Learner(loaded, None), unchanged)
    phase("dropped", Learner(loaded, None), settings.wheel_gains)
    learner = Learner(loaded, adapter)
    robot.reset(tasks[0][0], settings.seed)
    loop = LearningLoop(learner, robot, memory, settings, settings.seed)
    for seconds in loop.explore(rng, 60.0 * settings.minutes):
        report("adapting", int(seconds), int(60 * settings.minutes))
    phase("adapted", learner, settings.wheel_gains)
    phase("old_setting", learner, unchanged)
    return phases


def _tasks(robot: Simulator, settings: Settings, rng: np.random.Generator) -> list[tuple[Array, SampledGoal]]:
    space = FreeSpace(robot.world)
    goals = GoalSampler(space, settings.seed)
    starts = [space.sample_pose(rng) for _ in range(settings.goals)]
    return [(start, goals.sample(index, start)) for index, start in enumerate(starts)]


def _drive(
    name: str,
    learner: Learner,
    robot: Simulator,
    memory: Path | None,
    settings: Settings,
    tasks: list[tuple[Array, SampledGoal]],
    report: Report,
) -> Phase:
    trials = []
    learner.errors.clear()
    for index, (start, goal) in enumerate(tasks):
        report(name, index, len(tasks))
        robot.reset(start, settings.seed + index)
        loop = LearningLoop(learner, robot, memory, settings, settings.seed + index)
        trials.append(loop.drive(goal.kind, robot.ground_truth().pose, goal.pose, goal.path_length))
    report(name, len(tasks), len(tasks))
    position, heading, latent = np.array(learner.errors).T
    return Phase(trials, position, heading, latent)


def came_back(before: float, dropped: float, adapted: float) -> float | None:
    """The share of a loss that adaptation brought back; None where nothing was lost."""
    lost = before - dropped
    return (adapted - dropped) / lost if abs(lost) > 1e-9 else None
