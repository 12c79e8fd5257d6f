"""The whole loop in one process without ROS, as fast as the machine allows.

Simulator, perception, memory, navigator and safety are the same core objects as in the nodes, one after the other
instead of side by side. For tuning, for `./ami evaluate`, and for figures with many goals; `./ami demo` gives the
figures of the real system.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import STILL, Command, of_width, speed
from ami_ros.errors import AmiError
from ami_ros.evaluation.goals import GoalSampler
from ami_ros.evaluation.surprise_watch import SurpriseWatch
from ami_ros.evaluation.trials import TIME_ALLOWANCE, Trial
from ami_ros.geometry import Array
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import GoalQuery, Route
from ami_ros.planning.navigator import Navigator
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.types import Decision, Goal, Percept
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import Observation
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import ModelSpec


@dataclass(frozen=True)
class LoopConfig:
    """Rates, as the nodes have them, and the configuration of the stack."""

    perception_period: float = 0.2  # [s] between percepts, and so between plans
    control_period: float = 0.1  # [s] between commands
    settle: float = 1.0  # [s] the robot is given to stand still at the end
    navigator: NavigatorConfig = field(default_factory=NavigatorConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)

    def driving(self, spec: ModelSpec) -> LoopConfig:
        """The same, for a robot that drives sideways if the one did that a model of `spec` learned from."""
        if spec.command_dim == 2:
            return self
        planner = self.navigator.planner
        planner = replace(planner, kinematics=replace(planner.kinematics, drive=spec.drive))
        safety = replace(self.safety, max_lateral=spec.max_lateral)
        return replace(self, navigator=replace(self.navigator, planner=planner), safety=safety)


class ClosedLoop:
    """One robot in one world, driven from goal to goal.

    Args:
        loaded: the model.
        simulator: the robot; its camera must be the one that the model was trained with.
        memory_file: a memory of this world, used but not changed on disk; None: an empty one.
        config: of the stack.
        seed: of goals and search.

    Raises:
        AmiError: the robot drives otherwise than the one that the model learned from.
    """

    def __init__(
        self, loaded: LoadedModel, simulator: Simulator, memory_file: Path | None, config: LoopConfig, seed: int
    ) -> None:
        spec, config = loaded.model.spec, config.driving(loaded.model.spec)
        if simulator.drive != spec.drive:
            raise AmiError(f"the model's robot is {spec.drive}, the simulated one {simulator.drive}: make it alike")
        self.config, self.simulator = config, simulator
        self.perception = Perception(loaded.model)
        self.memory = PlaceMemory.copy_of(loaded.model, loaded.encoder_id, memory_file, config.memory)
        self.navigator = Navigator(loaded.model, config.navigator, seed)
        self.safety = SafetyGate(config.safety)
        # Surprise needs a latent for each command that the model was trained on.
        same = abs(config.perception_period - loaded.model.spec.period) < 1e-6
        self.watch = SurpriseWatch(loaded.model) if same else None
        self.goals = GoalSampler(FreeSpace(simulator.world), seed)
        self.decision: Decision | None = None
        # What was sent since the last percept, on average; as many numbers as the model takes.
        self.executed = of_width(STILL, spec.command_dim)
        self.trace: list[tuple[float, Array, Percept, Decision]] = []

    def run(self, count: int) -> Iterator[Trial]:
        """Drives to `count` goals, one after the other from where the robot stands."""
        for index in range(count):
            start = self.simulator.ground_truth().pose
            goal = self.goals.sample(index, start)
            yield self.drive(goal.kind, start, goal.pose, goal.path_length)

    def drive(self, kind: str, start: Array, goal: Array, length: float, allowance: float | None = None) -> Trial:
        """Drives from `start` (3,), where the robot is, to `goal` (3,), `length` [m] away, within `allowance` [s]."""
        assert kind in ("near", "far")
        allowance = allowance or TIME_ALLOWANCE["near" if kind == "near" else "far"]
        began = self.simulator.time
        contacts = self.simulator.ground_truth().contacts
        self.trace.clear()
        self.navigator.start(replace(self.see_goal(goal), time_allowance=allowance))
        path = [start[:2]]
        while True:
            percept = self.perceive()
            decision = self.decide(percept)
            self.trace.append((percept.stamp, self.simulator.ground_truth().pose, percept, decision))
            if decision.done:
                break
            self.execute(decision)
            path.append(self.simulator.ground_truth().pose[:2])
        elapsed = self.simulator.time - began
        self.simulator.step((0.0, 0.0), self.config.settle)
        truth = self.simulator.ground_truth()
        return Trial(
            kind="near" if kind == "near" else "far",
            start=(float(start[0]), float(start[1]), float(start[2])),
            goal=(float(goal[0]), float(goal[1]), float(goal[2])),
            path_length_m=length,
            status="succeeded" if decision.succeeded else "aborted",
            still=speed(truth.velocity) < 0.02 and abs(truth.velocity[1]) < 0.05,
            final=(float(truth.pose[0]), float(truth.pose[1]), float(truth.pose[2])),
            time_s=elapsed,
            collisions=truth.contacts - contacts,
            replans=decision.replans,
            recoveries=decision.recoveries,
            error_code=int(decision.code),
            error_msg="" if decision.succeeded else decision.message,
            path=np.array(path),
        )

    def see_goal(self, goal: Array) -> Goal:
        """The picture of a goal pose (3,) as a goal."""
        return self.goal_of(self.simulator.photograph(goal))

    def goal_of(self, image: NDArray[np.uint8]) -> Goal:
        """A picture (H, W, 3) as a goal."""
        return Goal(self.perception.encode_goal(image), self.perception.encode_picture(image))

    def perceive(self) -> Percept:
        """What perception and memory make of this moment."""
        seen = self.observe()
        latent = self.perception.encode(seen.image, seen.scan, seen.heading)
        surprise = self.watch.see(seen.stamp, latent, self.executed) if self.watch is not None else None
        location = self.memory.observe(seen.stamp, latent, seen.odometry)
        self.safety.scan(seen.scan, seen.stamp)
        picture = self.perception.encode_picture(seen.image)
        circles = self.memory.keep_away()
        return Percept(
            seen.stamp, latent, seen.odometry, seen.velocity, seen.scan, location, picture, circles, surprise
        )

    def observe(self) -> Observation:
        """The sensors now."""
        return self.simulator.observe()

    def decide(self, percept: Percept) -> Decision:
        """What the navigator wants to do now; it gets the routes that it asks for."""
        decision = self.navigator.step(percept)
        if decision.wants_route is not None:
            wanted = decision.wants_route
            try:
                self.navigator.set_route(self.find_route(wanted.goal, wanted.hypothesis, wanted.avoid_edges))
            except AmiError as error:
                self.navigator.set_route(error)
        return decision

    def find_route(self, goal: GoalQuery, hypothesis: int, avoid_edges: Sequence[tuple[int, int]]) -> Route:
        """Memory's answer, or AmiError."""
        return self.memory.find_route(goal, hypothesis, avoid_edges)

    def execute(self, decision: Decision) -> None:
        """Sends the decision's commands through the safety gate until the next percept is due."""
        period = self.navigator.model.spec.period
        sent = []
        for tick in range(round(self.config.perception_period / self.config.control_period)):
            now = self.simulator.time
            row = int(tick * self.config.control_period / period)
            linear, angular, aside = of_width(decision.commands[row] if row < len(decision.commands) else STILL, 3)
            self.safety.command(linear, angular, now, aside)
            sent.append(self.safety.output(now).command)
            self.move(sent[-1])
        self.executed = of_width(np.mean(sent, axis=0), len(self.executed))

    def move(self, command: Command) -> None:
        """The robot obeys a command for one control period."""
        self.simulator.step(command, self.config.control_period)
