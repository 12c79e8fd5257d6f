"""The agent in a simulated world, in simulated time, with the queue rules of the nodes.

Time is charged: while the agent thinks, the world goes on, and frames that come meanwhile wait, the newest only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.agent.agent import Agent, Learner, Thought
from ami_ros.agent.watchdog import Verdict
from ami_ros.commands import STILL, Command, of_width, speed
from ami_ros.errors import AmiError
from ami_ros.evaluation.goals import GoalKind, GoalSampler
from ami_ros.evaluation.loop_config import LoopConfig
from ami_ros.evaluation.trials import TIME_ALLOWANCE, Trial, allowance_of
from ami_ros.geometry import Array
from ami_ros.planning.types import Decision, Goal
from ami_ros.registration import believed_at
from ami_ros.robots.derived import camera_mount, check_model, rectifier_for
from ami_ros.safety.gate import SafetyGate
from ami_ros.share import share
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.robot import CONTROL_PERIOD, Observation
from ami_ros.simulation.simulator import Simulator
from ami_ros.slam.place_memory import PlaceMemory
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.picture_scan import RANGES, PictureScan, load_picture_scan

KEPT = 50  # true poses, one for each observation


class ClosedLoop:
    """One robot in one world, driven from goal to goal.

    Args:
        loaded: the model.
        simulator: the robot; its pictures are brought to the model's camera, as by camera_info.
        memory: of this world: a file that is used but not changed, a memory that grows, or None: an empty one.
        config: of the stack.
        seed: of goals and search.
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
        spec, config = loaded.model.spec, config.driving(simulator.description)
        check_model(simulator.description, spec, loaded.encoder_id)
        if not isinstance(memory, PlaceMemory):
            memory = PlaceMemory.copy_of(loaded.model, loaded.encoder_id, memory, config.agent.memory)
        self.config, self.simulator = config, simulator
        self._rectifier = rectifier_for(simulator.description, spec.inputs)
        if (pairs := on_arrays(loaded.model).pairs) is not None:
            pairs.mount = camera_mount(simulator.description)
            if self._rectifier is not None:
                pairs.window = self._rectifier.window
        self._picture_scan = self._make_picture_scan(spec.inputs.field_of_view)
        self.agent = Agent(loaded, memory, config.agent, seed, learner)
        sees = config.gated and config.safety.require_scan
        self.safety = SafetyGate(replace(config.safety, require_scan=sees))
        self.goals = GoalSampler(FreeSpace(simulator.world, radius=simulator.description.shape.radius), seed)
        self.trace: list[tuple[float, Array, Thought]] = []  # stamp [s], true pose, what was thought
        self.seen: Observation | None = None  # the newest
        self.commanded: Callable[[], Command] | None = None  # who drives in place of the agent
        self.watch: Callable[[Thought | None], None] | None = None  # is told of each control period's end
        # Where memory believed the robot to be, and where it was, (n, 3) each: for goals of robots without a camera.
        self.beliefs: tuple[Array, Array] = (np.zeros((0, 3)), np.zeros((0, 3)))
        self._width = spec.command_dim
        self._pending: tuple[float, Thought] | None = None  # when a thought is ready [s], and the thought
        self._begun = 0.0
        self.sent: Command = STILL  # the newest command that the robot got
        self._verdict: Verdict | None = None
        self._truths: deque[tuple[float, Array]] = deque(maxlen=KEPT)

    @property
    def memory(self) -> PlaceMemory:
        """Of places."""
        return self.agent.memory

    def run(self, count: int) -> Iterator[Trial]:
        """Drives to `count` goals, one after the other from where the robot stands."""
        for index in range(count):
            start = self.simulator.ground_truth().pose
            goal = self.goals.sample(index, start)
            yield self.drive(goal.kind, start, goal.pose, goal.path_length, allowance_of(goal))

    def drive(self, kind: GoalKind, start: Array, goal: Array, length: float, allowance: float | None = None) -> Trial:
        """Drives from `start` (3,), where the robot is, to `goal` (3,), `length` [m] away, within `allowance` [s]."""
        allowance = allowance or TIME_ALLOWANCE[kind]
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
        self.agent.cancel()
        self.wait(self.config.settle)
        return self._trial(kind, start, goal, length, allowance, elapsed, contacts, decision, np.array(path))

    def _trial(
        self, kind: GoalKind, start: Array, goal: Array, length: float, allowance: float, elapsed: float,
        contacts: int, decision: Decision, path: Array,
    ) -> Trial:  # fmt: skip
        truth = self.simulator.ground_truth()
        return Trial(
            kind=kind,
            start=(float(start[0]), float(start[1]), float(start[2])),
            goal=(float(goal[0]), float(goal[1]), float(goal[2])),
            path_length_m=length,
            allowance_s=allowance,
            status="succeeded" if decision.succeeded else "aborted",
            still=speed(truth.velocity) < 0.02 and abs(truth.velocity[1]) < 0.05,
            final=(float(truth.pose[0]), float(truth.pose[1]), float(truth.pose[2])),
            time_s=elapsed,
            collisions=truth.contacts - contacts,
            replans=decision.replans,
            recoveries=decision.recoveries,
            error_code=int(decision.code),
            error_msg="" if decision.succeeded else decision.message,
            path=path,
        )

    def set_goal(self, goal: Array, allowance: float) -> None:
        """The agent gets the picture that the camera would take at `goal` (3,); without a camera, the goal's pose in
        the frame of its memory.

        Raises:
            AmiError: there is no camera, and it is not known where memory's frame lies.
        """
        if self.simulator.description.camera is not None:
            self.start(Goal(time_allowance=allowance), self.simulator.photograph(goal))
            return
        pose = believed_at(goal, *self.beliefs)
        if pose is None:
            raise AmiError("a goal of a robot without a camera is a pose in its memory, and it remembers nothing yet")
        self.start(Goal(pose=pose, in_map=True, time_allowance=allowance))

    def photograph(self, pose: Array) -> NDArray[np.uint8]:
        """What the model's camera would see where the robot's camera is at `pose` (3,)."""
        picture = self._as_model(self.simulator.photograph(pose))
        assert picture is not None
        return picture

    def start(self, goal: Goal, image: NDArray[np.uint8] | None = None) -> None:
        """A new goal, with its picture (H, W, 3) by the robot's camera, if it is one."""
        self.agent.start(goal, self._as_model(image), self.simulator.time)

    def wait(self, seconds: float) -> None:
        """The world goes on; the robot does what the agent, or who drives in its place, wants."""
        until = self.simulator.time + seconds - 1e-6
        while self.simulator.time < until:
            self.tick()

    def given_up(self) -> Decision | None:
        """The end of the goal by the watchdog, if it has come to that."""
        verdict = self._verdict
        return Decision.failed(verdict.code, verdict.message) if verdict is not None and verdict.give_up else None

    # One control period of the robot

    def tick(self) -> Thought | None:
        """Senses and thinks as far as it is time to, sends a command, and lets the robot move.

        A thought that became ready is returned, and followed at once, as the control timer does.
        """
        now = self.simulator.time
        self._sense(now)
        ready = self._take_thought(now)
        if self._pending is None and self.agent.has_news:
            self._think(now)
            ready = ready or self._take_thought(now)
        self._act(now, ready is not None)
        self.move(self.sent)
        if self.watch is not None:
            self.watch(ready)
        return ready

    def _sense(self, now: float) -> None:
        if self._due(now, self.config.sensor_rate):
            seen = self.observe()
            seen = self.seen = self._perceived(seen)
            self._truths.append((seen.stamp, self.simulator.ground_truth().pose))
            try:
                self.agent.sense(seen, now)
            except AmiError:  # as a node does: the message is dropped, and the watchdog sees to the rest
                pass
            self.safety.odometry(seen.odometry, seen.velocity, seen.stamp)
            if self.config.gated:
                self.safety.scan(seen.scan, seen.stamp)
        elif self._due(now, self.config.odom_rate):
            pose, velocity = self.simulator.odometry()
            self.agent.sense_odometry(now, pose, velocity, now)
            self.safety.odometry(pose, velocity, now)

    def _make_picture_scan(self, field_of_view: float) -> PictureScan | None:
        """What makes scans for a robot without a laser."""
        robot = self.simulator.description
        if robot.laser is None or not robot.laser.from_camera:
            return None
        found = load_picture_scan(share("models", RANGES), field_of_view)
        found.mount = camera_mount(robot)
        if self._rectifier is not None:
            found.window = self._rectifier.window
        return found

    def _perceived(self, seen: Observation) -> Observation:
        """An observation whose picture is the model's camera's, and whose scan is made of it, if there is no laser."""
        image, laser = self._as_model(seen.image), self.simulator.description.laser
        if self._picture_scan is None or image is None:
            return replace(seen, image=image)
        assert laser is not None and laser.level_mount is not None, "checked by the description"
        scan = self._picture_scan.scan(image, laser.beams, laser.fov_rad, laser.range_max)
        return replace(seen, image=image, scan=laser.level_mount.in_base(scan))

    def _think(self, now: float) -> None:
        began = time.perf_counter()
        try:
            thought = self.think()
        except AmiError:  # the frame cannot be used; the watchdog sees to what follows
            return
        cost = {"budget": self.config.budget, "measured": time.perf_counter() - began, "frozen": 0.0}
        self._begun = now
        self._pending = (now + cost[self.config.charge] - 1e-6, thought)

    def think(self) -> Thought:
        """What the agent makes of the newest frame."""
        return self.agent.decide()

    def _take_thought(self, now: float) -> Thought | None:
        if self._pending is None or now < self._pending[0]:
            return None
        thought, self._pending = self._pending[1], None
        self.agent.follow(thought)
        return thought

    def _act(self, now: float, decided: bool) -> None:
        """A command goes to the gate by the control timer, and at once where there is a new decision."""
        if self.commanded is not None:
            wanted = self.commanded()
        else:
            thinking = now - self._begun if self._pending is not None else 0.0
            self._verdict = self.agent.act(now, thinking)
            wanted = self._verdict.command
        linear, angular, aside = of_width(wanted, 3)
        if decided or self._due(now, self.config.agent.control_rate):
            self.safety.command(linear, angular, now, aside)
        elif not self._due(now, self.config.safety_rate):
            return
        self.sent = self.safety.output(now).command
        self.agent.sent(now, of_width(self.sent, self._width))

    def _due(self, now: float, rate: float) -> bool:
        """Whether a timer of that rate [Hz] fires in this control period."""
        every = max(1, round(1.0 / rate / CONTROL_PERIOD))
        return round(now / CONTROL_PERIOD) % every == 0

    def truth_at(self, stamp: float) -> Array:
        """The true pose (3,) at the observation of `stamp` [s], which is one of the newest."""
        return min(self._truths, key=lambda known: abs(known[0] - stamp))[1]

    def observe(self) -> Observation:
        """The sensors now."""
        return self.simulator.observe()

    def _as_model(self, image: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """A picture as the model's camera would have taken it."""
        return image if image is None or self._rectifier is None else self._rectifier(image)

    def move(self, command: Command) -> None:
        """The robot obeys a command for one control period."""
        self.simulator.step(command, CONTROL_PERIOD)
