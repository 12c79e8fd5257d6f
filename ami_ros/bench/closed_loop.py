"""The parts in a simulated world, in simulated time: what transport and work take on real nodes is charged."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.mission_file import MissionFile
from ami_ros.behaviour.navigator import Navigator
from ami_ros.behaviour.task import Leg, Phase, Task
from ami_ros.bench.trials import ALLOWANCES, GoalKind, GoalSampler, Trial, allowance_of
from ami_ros.core.commands import STILL, Command, of_width, speed
from ami_ros.core.config import from_mapping, to_mapping, with_settings
from ami_ros.core.depth import DepthConfig, DepthScanner
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, believed_at, compose
from ami_ros.core.images import decode_image
from ami_ros.core.installation import share
from ami_ros.core.robots.derived import (
    camera_mount,
    depth_camera,
    depth_settings,
    measures,
    memory_settings,
    navigator_settings,
    picture_scan_settings,
    safety_settings,
)
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.sensors import Sensor
from ami_ros.core.scan import Mount, Scan
from ami_ros.memory.growth import MemoryConfig
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.types import Decision, Goal
from ami_ros.runtime.goal_execution import GoalExecution, Photograph
from ami_ros.runtime.graph import AgentConfig
from ami_ros.runtime.memory import MemoryPart
from ami_ros.runtime.mission import MISSION_RATE, ROUTE_TIMEOUT, LegOutcome, MissionPart
from ami_ros.runtime.part import CMD_VEL, CMD_VEL_RAW, DEPTH, IMAGE, ODOM, SCAN, THOUGHT, Motion, Part, Port
from ami_ros.runtime.perception import FollowedModel, PerceptionPart, PictureScanConfig, place_camera
from ami_ros.runtime.planner import PlannerPart, Thought
from ami_ros.runtime.safety import DEPTH_SOURCE, GATE_RATE, SafetyPart
from ami_ros.runtime.simulated_bus import LocalGoals, LocalLegs, SimulatedBus, Timing
from ami_ros.runtime.world_model import Learner, WorldModelPart
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import CONTROL_PERIOD, Observation
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.fit import check_model, rectifier_for
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.picture_scan import PictureScan, load_picture_scan
from ami_ros.world_model.torch_model import LoadedModel


@dataclass(frozen=True)
class LoopConfig:
    """The configuration of the stack, and what its work costs."""

    gated: bool = True  # false: the gate is shown no scans, and keeps to limits of speed alone: to see what it costs
    goal_pictures: int = 1  # of each goal: one, or so many all round
    settle: float = 1.0  # [s] the robot is given to stand still at the end
    timing: Timing = field(default_factory=Timing)
    agent: AgentConfig = field(default_factory=AgentConfig)
    safety: SafetyConfig = field(default_factory=SafetyConfig)

    def driving(self, robot: RobotDescription) -> LoopConfig:
        """The same, for the size, speeds and delays of `robot`."""
        safety = from_mapping(SafetyConfig, to_mapping(self.safety) | safety_settings(robot))
        navigator = _with_own(to_mapping(self.agent.navigator), navigator_settings(robot))
        memory = _with_own(to_mapping(self.agent.memory), memory_settings(robot))
        agent = replace(
            self.agent,
            navigator=from_mapping(NavigatorConfig, navigator),
            memory=from_mapping(MemoryConfig, memory),
            tracks=measures(robot),
        )
        return replace(self, agent=agent, safety=safety)

    def navigating(self, navigator: NavigatorConfig) -> LoopConfig:
        """The same with another navigator."""
        return replace(self, agent=replace(self.agent, navigator=navigator))


def _with_own(values: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Values, nested, with a robot's own in their place."""
    return values | {
        name: _with_own(values[name], value) if isinstance(value, dict) else value for name, value in own.items()
    }


def loop_config(settings: Sequence[str]) -> LoopConfig:
    """The configuration with `settings`, as "dotted.name=value".

    Raises:
        AmiError: a setting without "=", an unknown name, or a value that does not fit.
    """
    return with_settings(LoopConfig(), settings)


def panorama(simulator: Simulator, pose: Array, count: int) -> list[Photograph]:
    """What the robot's camera takes at `pose` (3,) and, turned all round, from there: so many pictures."""
    turns = np.linspace(0.0, 2 * np.pi, count, endpoint=False).tolist()
    return [Photograph(simulator.photograph(compose(pose, (0.0, 0.0, turn))), turn) for turn in turns]


class ClosedLoop:
    """One robot in one world, driven from goal to goal.

    Args:
        loaded: the model.
        simulator: the robot; its pictures are brought to the model's camera, as by camera_info.
        memory: of this world: a file that is used but not changed, a memory that grows, or None: an empty one.
        config: of the stack.
        seed: of goals, search and times.
        learner: adapts the model while driving.

    Raises:
        AmiError: the robot drives otherwise than the one that the model learned from.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        simulator: Simulator,
        memory: Path | PlaceMemory | None,
        config: LoopConfig,
        seed: int,
        learner: Learner | None = None,
    ) -> None:
        robot, spec, config = simulator.description, loaded.model.spec, config.driving(simulator.description)
        check_model(robot, spec, loaded.encoder_id)
        if not isinstance(memory, PlaceMemory):
            memory = PlaceMemory.copy_of(loaded.model, loaded.encoder_id, memory, config.agent.memory)
        self.config, self.simulator, self.loaded, self.memory = config, simulator, loaded, memory
        self.perception = Perception(loaded.model)
        self._rectifier = rectifier_for(robot, spec.inputs)
        self._mount = (robot.laser and robot.laser.level_mount) or Mount()
        self._ticks = {s.name: max(1, round(1.0 / s.rate / CONTROL_PERIOD)) for s in robot.sensors}
        self.goals = GoalSampler(FreeSpace(simulator.world, radius=robot.shape.radius), seed)
        self.trace: list[tuple[float, Array, Thought]] = []  # stamp [s], true pose, what was thought
        self.seen: Observation | None = None  # the newest
        self.commanded: Callable[[], Command] | None = None  # who drives in place of the planner
        # Where memory believed the robot to be, and where it was, (n, 3) each: for goals of robots without a camera.
        self.beliefs: tuple[Array, Array] = (np.zeros((0, 3)), np.zeros((0, 3)))
        self._scan: Scan | None = None  # the newest that was made of a picture, in base_link
        self.sent: Command = STILL  # the newest command that the robot got
        self._thought: Thought | None = None  # of this control period
        self._truths: deque[tuple[float, Array]] = deque(maxlen=50)
        self.bus = SimulatedBus(config.timing, seed, simulator.time, self._converted)
        self.wire(seed, learner)
        self.bus.watch(THOUGHT, self._take_thought)
        self.bus.watch(CMD_VEL, self._obey)
        self.bus.seat("driver").every(1.0 / config.agent.control_rate, self._drive_instead)

    # The parts

    def wire(self, seed: int, learner: Learner | None) -> None:
        """Puts the parts on the bus. Rivals make some of them of their own."""
        bus, width = self.bus, self.loaded.model.spec.command_dim
        self.planner_goals = LocalGoals(bus)
        self.legs = LocalLegs(bus, self.planner_goals, self._set_out)
        bus.add(self.make_safety())
        bus.add(self.make_perception())
        self.make_world_model(learner)
        bus.add(self.make_memory(width))
        self.planner = bus.add(self.make_planner(seed))
        never = math.inf
        self.mission = bus.add(
            MissionPart(bus.seat("mission"), self.legs, MissionFile(None), ROUTE_TIMEOUT, never, never)
        )
        self.mission.bus.every(1.0 / MISSION_RATE, self.mission.tick, steady=True)

    def followed(self) -> FollowedModel:
        """The model of one more part."""
        return FollowedModel(on_arrays(self.loaded.model), self.loaded.encoder_id)

    def make_safety(self) -> Part:
        """The gate; one that is not to see keeps to limits of speed alone."""
        gate = replace(self.config.safety, require_scan=self.config.gated and self.config.safety.require_scan)
        depth = self._depth_scanner()
        is_source = depth is not None and not depth.config.is_scan and self.config.gated
        sources = {DEPTH_SOURCE: 2.0} if is_source else {}  # [s] as the node's `source_timeout` comes
        part = SafetyPart(self.bus.seat("safety"), SafetyGate(gate, sources=sources), GATE_RATE, depth=depth)
        if not self.config.gated:
            part.takes = tuple(port for port in part.takes if port.name not in (SCAN.name, DEPTH.name))
        return part

    def make_perception(self) -> Part:
        """What makes latents."""
        robot, followed = self.simulator.description, self.followed()
        scans = self._make_picture_scan()
        window = None if self._rectifier is None else self._rectifier.window
        place_camera(camera_mount(robot), window, followed.model.pairs, scans)
        shape = PictureScanConfig(**picture_scan_settings(robot))
        depth = self._depth_scanner() if robot.laser is not None and robot.laser.from_depth else None
        return PerceptionPart(self.bus.seat("perception"), followed, self.config.agent, scans, shape, depth)

    def _depth_scanner(self) -> DepthScanner | None:
        robot = self.simulator.description
        config = from_mapping(DepthConfig, depth_settings(robot))
        return None if robot.depth is None else DepthScanner(config, depth_camera(robot))

    def make_world_model(self, learner: Learner | None) -> None:
        """What compares each moment with its prediction."""
        seat, config = self.bus.seat("world_model"), self.config.agent
        self.bus.add(WorldModelPart(seat, self.followed(), self.perception, config, learner))

    def make_memory(self, width: int) -> Part:
        """What knows places."""
        return MemoryPart(self.bus.seat("memory"), self.memory, self.config.agent, width)

    def make_planner(self, seed: int, model: Dynamics | None = None) -> PlannerPart:
        """What decides, by `model`, or the one that all follow. Its searches have the time that the bus charges,
        however fast this machine is."""
        followed, config = self.followed(), self.config.agent
        navigator = Navigator(model or followed.model, config.navigator, seed, self.bus.now)
        return PlannerPart(self.bus.seat("planner"), navigator, followed, self.perception, config, self.planner_goals)

    def _make_picture_scan(self) -> PictureScan | None:
        """What makes scans for a robot without a laser."""
        robot = self.simulator.description
        if robot.laser is None or not robot.laser.is_made:
            return None
        self.bus.watch(SCAN, self._hear_scan)
        if robot.laser.from_depth:
            return None
        return load_picture_scan(share("models", "ranges"), self.loaded.model.spec.inputs.field_of_view)

    def _converted(self, port: Port, value: Any) -> Any:
        """A scan for who wants it in base_link."""
        return self._mount.in_base(value) if isinstance(value, Scan) and port.frame == "base_link" else value

    def restart(self) -> None:
        """The robot was switched on, or time was turned back."""
        for seat in self.bus.seats.values():
            if seat.part is not None:
                seat.part.restart()

    # Goals

    def run(self, count: int) -> Iterator[Trial]:
        """Drives to `count` goals, one after the other from where the robot stands."""
        for index in range(count):
            start = self.simulator.ground_truth().pose
            goal = self.goals.sample(index, start)
            yield self.drive(goal.kind, start, goal.pose, goal.path_length, allowance_of(goal))

    def drive(self, kind: GoalKind, start: Array, goal: Array, length: float, allowance: float | None = None) -> Trial:
        """Drives from `start` (3,), where the robot is, to `goal` (3,), `length` [m] away, within `allowance` [s]."""
        allowance = allowance or ALLOWANCES["known"][kind]
        began, contacts = self.simulator.time, self.simulator.ground_truth().contacts
        self.trace.clear()
        self.set_goal(goal, allowance)
        path = [start[:2]]
        while True:
            thought = self.tick()
            decision = self.given_up() if thought is None else thought.decision
            if thought is not None:
                path.append(self.simulator.ground_truth().pose[:2])
                self.trace.append((thought.percept.stamp, self.simulator.ground_truth().pose, thought))
            if decision is not None and decision.done:
                break
        elapsed = self.simulator.time - began
        self.cancel()
        self.wait(self.config.settle)
        truth = self.simulator.ground_truth()
        ends = [(float(pose[0]), float(pose[1]), float(pose[2])) for pose in (start, goal, truth.pose)]
        return Trial(
            kind, ends[0], ends[1], length,
            status="succeeded" if decision.succeeded else "aborted",
            still=speed(truth.velocity) < 0.02 and abs(truth.velocity[1]) < 0.05,
            final=ends[2], time_s=elapsed, collisions=truth.contacts - contacts,
            replans=decision.replans, recoveries=decision.recoveries, error_code=int(decision.code),
            error_msg="" if decision.succeeded else decision.message,
            allowance_s=allowance, path=np.array(path),
        )  # fmt: skip

    def set_goal(self, goal: Array, allowance: float) -> None:
        """The agent gets the picture that the camera would take at `goal` (3,); without a camera, the goal's pose in
        the frame of its memory.

        Raises:
            AmiError: there is no camera, and it is not known where memory's frame lies.
        """
        if self.simulator.description.camera is not None:
            self.start(Goal(time_allowance=allowance), *panorama(self.simulator, goal, self.config.goal_pictures))
            return
        pose = believed_at(goal, *self.beliefs)
        if pose is None:
            raise AmiError("a goal of a robot without a camera is a pose in its memory, and it remembers nothing yet")
        self.start(Goal(pose=pose, in_map=True, time_allowance=allowance))

    def start(self, goal: Goal, *taken: Photograph) -> GoalExecution:
        """A new goal, with the pictures that the robot's camera took there, if it is one of pictures."""
        patience, period = self.config.agent.patience, self.loaded.model.spec.period
        pictures = [Photograph(self.rectified(image), turn) for image, turn in taken]
        execution = GoalExecution(goal, pictures, patience, period, self.simulator.time)
        self.planner_goals.start(execution)
        return execution

    def cancel(self) -> None:
        """No goal and no task any more: the robot stands."""
        self.mission.task = None
        self.legs.cancel()
        self.planner_goals.cancel()

    def wait(self, seconds: float) -> None:
        """The world goes on; the robot does what the planner, or who drives in its place, wants."""
        until = self.simulator.time + seconds - 1e-6
        while self.simulator.time < until:
            self.tick()

    def given_up(self) -> Decision | None:
        """The end of the goal by the watchdog, or by a fault, if it has come to that."""
        return self.planner_goals.ended

    def _set_out(self, leg: Leg) -> GoalExecution:
        """The goal of a leg."""
        where = leg.destination
        pictures = where.pictures if where.kind == "picture" else []
        return self.start(where.goal(leg.allowance), *(Photograph(decode_image(p), turn) for turn, p in pictures))

    # One control period of the robot

    def tick(self) -> Thought | None:
        """Senses, lets the parts work, and lets the robot move. Returns the thought that was finished meanwhile."""
        now, self._thought = self.simulator.time, None
        self.bus.run_until(now)
        self._sense(now)
        self.bus.run_until(now + CONTROL_PERIOD - 1e-9)
        self.move(self.sent)
        return self._thought

    def _sense(self, now: float) -> None:
        """What is due of the sensors, each at its own rate, as the simulated robot's node gives it."""
        robot = self.simulator.description
        if any(self._due(now, sensor) for sensor in (robot.camera, robot.laser)):
            seen = self.observe()
            seen = replace(seen, image=None if seen.image is None else self.rectified(seen.image))
            self.seen = seen if self._scan is None else replace(seen, scan=self._scan)
            self._truths.append((seen.stamp, self.simulator.ground_truth().pose))
            self.give_odometry(seen.stamp, Motion(seen.odometry, seen.velocity))
            if robot.laser is not None and not robot.laser.is_made and self._due(now, robot.laser):
                self.bus.give(SCAN, seen.stamp, robot.laser.scan(seen.scan.ranges))
            if (image := seen.image) is not None and (robot.camera is None or self._due(now, robot.camera)):
                self.bus.give(IMAGE, seen.stamp, lambda: image)
        elif self._due(now, robot.odometry):
            self.give_odometry(now, Motion(*self.simulator.odometry()))
        if self._due(now, robot.depth):
            depth = self.simulator.depth()
            self.bus.give(DEPTH, now, lambda: depth)

    def give_odometry(self, stamp: float, motion: Motion) -> None:
        """What the wheels say."""
        self.bus.give(ODOM, stamp, motion)

    def _due(self, now: float, sensor: Sensor | None) -> bool:
        """Whether a sensor has something new in this control period."""
        return sensor is not None and round(now / CONTROL_PERIOD) % self._ticks[sensor.name] == 0

    def _hear_scan(self, stamp: float, scan: Scan) -> None:
        """Perception made a scan of a picture."""
        self._scan = self._mount.in_base(scan)

    def _take_thought(self, stamp: float, thought: Thought) -> None:
        decision = None if self._thought is None else self._thought.decision
        if decision is None or not decision.done:  # the end of a goal is not lost to what comes next
            self._thought = thought

    def _obey(self, stamp: float, command: Command) -> None:
        """The gate sent a command, which the robot gets after its way there."""

        def take() -> None:
            self.sent = of_width(command, 3)

        self.bus.at(self.bus.time + self.bus.span("transport"), take)

    def _drive_instead(self) -> None:
        if self.commanded is not None:
            self.bus.give(CMD_VEL_RAW, self.bus.time, self.commanded())

    def truth_at(self, stamp: float) -> Array:
        """The true pose (3,) at the observation of `stamp` [s], which is one of the newest."""
        return min(self._truths, key=lambda known: abs(known[0] - stamp))[1]

    def observe(self) -> Observation:
        """The sensors now."""
        return self.simulator.observe()

    def rectified(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A picture as the model's camera would have taken it."""
        return image if self._rectifier is None else self._rectifier(image)

    def move(self, command: Command) -> None:
        """The robot obeys a command for one control period."""
        self.simulator.step(command, CONTROL_PERIOD)


@dataclass(frozen=True)
class LegRecord:
    """One leg of a task that ended; one that another took the place of leaves none."""

    leg: Leg
    succeeded: bool
    began: float  # simulated [s]
    ended: float
    final: Array  # (3,) true pose in the world's frame


@dataclass
class TaskDrive:
    """Runs one task with one robot, with the truth beside.

    Attributes:
        loop: the robot and its stack.
        task: sends it about.
        legs: those that ended.
        truths: the true pose (3,) at which each place was founded meanwhile, by id.
        believed: poses (3,) in the map frame at the moments at which memory was sure, with ...
        true: ... the true ones.
        distance: that was driven [m].
        elapsed: simulated [s].
    """

    loop: ClosedLoop
    task: Task
    legs: list[LegRecord] = field(default_factory=list)
    truths: dict[int, Array] = field(default_factory=dict)
    believed: list[Array] = field(default_factory=list)
    true: list[Array] = field(default_factory=list)
    distance: float = 0.0
    elapsed: float = 0.0
    _began: float = 0.0  # when the leg under way was given

    def run(self, patience: float) -> Iterator[None]:
        """Drives until the task is done, stopping at each thought; raises AmiError after `patience` [s]."""
        loop = self.loop
        began, last = loop.simulator.time, loop.simulator.ground_truth().pose
        loop.legs.begun, loop.legs.over = self._set_out, self._over
        loop.mission.begin(self.task)
        try:
            while self.task.phase is not Phase.DONE:
                known = len(loop.memory)
                thought, here = loop.tick(), loop.simulator.ground_truth().pose
                self.truths |= {int(i): last for i in loop.memory.map.index.ids[known:]}
                self.distance += float(np.hypot(*(here[:2] - last[:2])))
                last = here
                self.elapsed = loop.simulator.time - began
                if self.elapsed > patience:
                    raise AmiError(f"the task was not over after {patience:.0f} s: {self.task.message}")
                if thought is not None:
                    location = thought.percept.location
                    if location is not None and location.localised:
                        self.believed.append(location.pose)
                        self.true.append(loop.truth_at(location.stamp))
                    yield
        finally:
            loop.mission.task = None

    def _set_out(self, leg: Leg) -> None:
        self._began = self.loop.simulator.time

    def _over(self, leg: Leg, outcome: LegOutcome) -> None:
        here, now = self.loop.simulator.ground_truth().pose, self.loop.simulator.time
        self.legs.append(LegRecord(leg, outcome.succeeded, self._began, now, here))
