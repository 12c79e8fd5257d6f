"""Far goals with and without something going wrong on the way: what is reached, and what the robot made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ami_ros.commands import Command
from ami_ros.evaluation.closed_loop import ClosedLoop
from ami_ros.evaluation.goals import CLEARANCE
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.trials import REACHED_DISTANCE, REACHED_HEADING, Trial
from ami_ros.geometry import Array
from ami_ros.mission.recovery import RecoveryState
from ami_ros.parts.planner import Thought
from ami_ros.robots.derived import simulated_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import Observation
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel

SET_BACK = 0.2  # [s] between two times that slipping wheels have brought the robot nowhere

Kind = Literal["nothing", "carried_away", "camera_covered", "wheels_slip"]


@dataclass(frozen=True)
class Disturbance:
    """What goes wrong, and when.

    Attributes:
        kind: what.
        begin: simulated [s] after the goal was given.
        seconds: for how long; being carried away takes no time.
        pose: (3,) in the world's frame, where the robot is put that is carried away.
    """

    kind: Kind
    begin: float = 5.0
    seconds: float = 4.0
    pose: Array | None = field(default=None, compare=False)


class DisturbedLoop(ClosedLoop):
    """A closed loop that is disturbed during one drive; `passed` tells what the robot made of it."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.disturb(Disturbance("nothing"))

    def disturb(self, disturbance: Disturbance) -> None:
        """What will go wrong, counted from now."""
        self.disturbance = disturbance
        self.began = self.simulator.time
        self.passed: list[tuple[float, RecoveryState, str]] = []  # [s] since, the state, and its reason
        self._stuck_at: Array | None = None

    @property
    def states(self) -> list[RecoveryState]:
        """The states that were passed, in their order."""
        return [state for _, state, _ in self.passed]

    def tick(self) -> Thought | None:
        """Notes the state, too."""
        thought = super().tick()
        if thought is not None and thought.decision is not None:
            machine = self.planner.navigator.recovery
            if not self.passed or self.passed[-1][1] is not machine.now:
                self.passed.append((thought.percept.stamp - self.began, machine.now, machine.reason))
        return thought

    def observe(self) -> Observation:
        """A covered camera sees nothing but black."""
        seen = super().observe()
        if self._under_way("camera_covered") and seen.image is not None:
            return replace(seen, image=np.zeros_like(seen.image))
        return seen

    def move(self, command: Command) -> None:
        """Carries the robot away; where its wheels slip, it is set back again and again though odometry goes on."""
        what, now = self.disturbance, self.simulator.time
        if what.kind == "carried_away" and self._under_way("carried_away") and what.pose is not None:
            self.simulator.place(what.pose)
            self.disturbance = replace(what, kind="nothing")
        if not self._under_way("wheels_slip"):
            self._stuck_at = None
        elif self._stuck_at is None:
            self._stuck_at, self._set_back = self.simulator.ground_truth().pose, now
        elif now - self._set_back > SET_BACK - 1e-6:
            self.simulator.place(self._stuck_at)
            self._set_back = now
        super().move(command)

    def _under_way(self, kind: Kind) -> bool:
        since = self.simulator.time - self.began - self.disturbance.begin
        return self.disturbance.kind == kind and 0.0 <= since < self.disturbance.seconds


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
    """

    kind: Kind
    trial: Trial
    passed: tuple[tuple[float, RecoveryState, str], ...]

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
            yield RecoveryTrial(kind, trial, tuple(loop.passed))
    finally:
        simulator.close()
