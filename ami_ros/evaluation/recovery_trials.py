"""Far goals with and without something going wrong on the way: what is reached, and what the robot made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.evaluation.disturbances import Disturbance, DisturbedLoop, Kind
from ami_ros.evaluation.goals import CLEARANCE
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.trials import REACHED_DISTANCE, REACHED_HEADING, Trial
from ami_ros.mission.recovery import RecoveryState
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel

KINDS: tuple[Kind, ...] = ("nothing", "carried_away", "camera_covered", "wheels_slip")
BEGINS = (3.0, 7.0)  # simulated [s] after the goal was given, between which something goes wrong
SECONDS = 5.0  # for which it lasts
ALLOWANCE = 120.0  # simulated [s] for a goal


@dataclass(frozen=True)
class RecoveryTrial:
    """One drive.

    Attributes:
        kind: what went wrong.
        trial: how it ended.
        passed: the states in their order, each with when it began [s] and its reason.
        seconds: of each state.
    """

    kind: Kind
    trial: Trial
    passed: tuple[tuple[float, RecoveryState, str], ...]
    seconds: dict[RecoveryState, float]

    @property
    def reached(self) -> bool:
        """Whether the robot stands at its goal and says so."""
        trial = self.trial
        near = trial.final_distance_m <= REACHED_DISTANCE and trial.heading_error_rad <= REACHED_HEADING
        return trial.status == "succeeded" and trial.still and near

    @property
    def noticed(self) -> bool:
        """Whether the robot did anything but drive on after it began."""
        return any(state is not RecoveryState.CALM for at, state, _ in self.passed if at >= BEGINS[0])


def drive_disturbed(
    loaded: LoadedModel, world: str, memory_file: Path, config: LoopConfig, seed: int, count: int, kind: Kind
) -> Iterator[RecoveryTrial]:
    """Drives to `count` far goals, one after the other; what goes wrong and the goals depend on the seed alone."""
    simulator = Simulator(world, simulated_robot(loaded.model.spec), seed=seed)
    try:
        loop = DisturbedLoop(loaded, simulator, memory_file, config, seed)
        space = FreeSpace(simulator.world)
        for index in range(count):
            rng = np.random.default_rng([seed, index])
            start = simulator.ground_truth().pose
            goal = loop.goals.sample(2 * index + 1, start)  # the odd ones are far
            elsewhere = space.sample_pose(rng, None, CLEARANCE)
            loop.disturb(Disturbance(kind, float(rng.uniform(*BEGINS)), SECONDS, elsewhere))
            trial = loop.drive(goal.kind, start, goal.pose, goal.path_length, ALLOWANCE)
            changes = [at for at, _, _ in loop.passed] + [trial.time_s]
            seconds = dict.fromkeys(RecoveryState, 0.0)
            for (_, state, _), length in zip(loop.passed, np.diff(changes), strict=True):
                seconds[state] += float(length)
            yield RecoveryTrial(kind, trial, tuple(loop.passed), seconds)
    finally:
        simulator.close()
