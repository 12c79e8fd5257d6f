"""The agent as one object: sense, decide, act, in terms of time-stamped values.

The nodes hold its parts, each in a process of its own; benches and tests hold all of it, in simulated time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.adaptation.segments import Segment
from ami_ros.agent.driver import Driver
from ami_ros.agent.freshness import FreshnessConfig
from ami_ros.agent.goal_execution import GoalExecution
from ami_ros.agent.perceiver import LatentFrame, perceive
from ami_ros.agent.percepts import Percepts
from ami_ros.agent.remembering import MemoryFeed, remember
from ami_ros.agent.routes import routes_of
from ami_ros.agent.surprise_watch import SurpriseWatch
from ami_ros.agent.synchroniser import SensorFrame, Synchroniser
from ami_ros.agent.watchdog import Ages, Patience, Verdict
from ami_ros.commands import STILL, Command
from ami_ros.geometry import Array
from ami_ros.images import encode_thumbnail
from ami_ros.mission.navigator import Navigator
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.types import Decision, Goal, Percept, State
from ami_ros.scan import Scan
from ami_ros.slam.place_memory import MemoryConfig, PlaceMemory
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.surprise import SurpriseMonitor


class Senses(Protocol):
    """What the sensors give at one moment."""

    @property
    def stamp(self) -> float: ...  # [s]
    @property
    def image(self) -> NDArray[np.uint8] | None: ...  # (H, W, 3) RGB
    @property
    def scan(self) -> Scan: ...  # in base_link
    @property
    def odometry(self) -> Array: ...  # (3,) pose in odom
    @property
    def velocity(self) -> Command: ...  # measured
    @property
    def heading(self) -> float | None: ...  # of the compass [rad]


class Learner(Protocol):
    """Adapts a private copy of the model while the robot drives."""

    @property
    def model(self) -> WorldModel: ...  # the copy that everybody uses
    @property
    def looks(self) -> bool: ...  # whether segments need what the sensors gave
    def take(self, segment: Segment) -> None: ...  # what was driven


@dataclass(frozen=True)
class AgentConfig:
    """Rates and rules of the whole stack; the defaults are those of the nodes."""

    control_rate: float = 10.0  # [Hz] of commands between decisions
    max_rate: float = 15.0  # [Hz] of latents
    scan_max_age: float = 0.25  # [s] between the stamps of an image and of its scan or heading
    observe_period: float = 0.2  # [s] between two moments that memory takes in
    thumbnails: bool = False  # keep a small picture of each new place
    freshness: FreshnessConfig = field(default_factory=FreshnessConfig)
    patience: Patience = field(default_factory=Patience)
    navigator: NavigatorConfig = field(default_factory=NavigatorConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)


@dataclass(frozen=True)
class Thought:
    """What came of one moment: how it was perceived, and what was decided, if there is a goal."""

    percept: Percept
    execution: GoalExecution | None
    decision: Decision | None


class Agent:
    """One robot's mind. `sense`, `act` and `sent` are quick; `decide` is where the model works.

    Args:
        loaded: the model.
        memory: of places.
        config: see there.
        seed: of the search.
        learner: adapts the model while the robot drives; None: it stays as it was trained.
    """

    def __init__(
        self,
        loaded: LoadedModel,
        memory: PlaceMemory,
        config: AgentConfig,
        seed: int = 0,
        learner: Learner | None = None,
    ) -> None:
        spec = loaded.model.spec
        self.config, self.memory, self.learner = config, memory, learner
        model = on_arrays(loaded.model if learner is None else learner.model)
        self.perception = Perception(model)
        self.routes = routes_of(memory)
        self.navigator = Navigator(model, config.navigator, seed)
        self.driver = Driver(self.navigator, Perception(loaded.model), self.routes, loaded.encoder_id)
        self.watch = SurpriseWatch(SurpriseMonitor(model), spec)
        self.percepts = Percepts()
        self.execution: GoalExecution | None = None
        self.synchroniser = Synchroniser(spec.inputs, config.freshness, config.scan_max_age, config.max_rate)
        self._feed = MemoryFeed(spec.command_dim, config.observe_period)
        self._period = spec.period
        self._waiting: SensorFrame | None = None
        self._perceived = -math.inf

    def restart(self) -> None:
        """The robot was switched on, or time was turned back: what was buffered belongs to another time."""
        self.synchroniser.clear()
        self.watch.clear()
        self.percepts.clear()
        self._feed.clear()
        self.memory.restart()
        self._waiting, self._perceived = None, -math.inf

    # Sense

    def sense(self, senses: Senses, now: float) -> None:
        """All sensors at once, heard at `now` [s]; of frames that nobody has looked at, the newest stays.

        Raises:
            AmiError: they are not of this moment, or something is missing.
        """
        self.sense_odometry(senses.stamp, senses.odometry, senses.velocity, now)
        if senses.heading is not None:
            self.synchroniser.take_heading(senses.stamp, senses.heading)
        self.percepts.take_scan(senses.stamp, senses.scan)
        if self.memory.takes_scans:
            self._feed.take_scan(senses.stamp, senses.scan)
        frame = self.synchroniser.take_scan(senses.stamp, senses.scan, now)
        if senses.image is not None:
            frame = self.synchroniser.take_image(senses.stamp, senses.image, now) or frame
        self._waiting = frame or self._waiting

    def sense_odometry(self, stamp: float, pose: Array, velocity: Command, now: float) -> None:
        """Odometry alone, which comes faster than the rest: pose (3,) in odom, and measured velocity."""
        self.synchroniser.take_velocity(stamp, velocity)
        self.watch.odometry.add(stamp, pose, velocity, now)
        self.percepts.take_odometry(stamp, pose, velocity, now)
        if not self._feed.take_odometry(stamp, pose, velocity, now):
            self.memory.restart()

    def sent(self, stamp: float, command: Command) -> None:
        """What the safety gate let through: in force from `stamp` [s] on."""
        self.watch.commands.add(stamp, command)
        self._feed.take_command(stamp, command)

    # Decide

    def start(self, goal: Goal, image: NDArray[np.uint8] | None, now: float) -> None:
        """A goal in place of any other; `image` (H, W, 3) is its picture, if it is one."""
        self.execution = GoalExecution(goal, image, self.config.patience, self._period, now)

    def cancel(self) -> None:
        """No goal any more: the robot stands."""
        self.execution = None

    @property
    def has_news(self) -> bool:
        """Whether a frame waits to be thought about."""
        return self._waiting is not None

    def decide(self) -> Thought:
        """Perceives and remembers the newest frame, and decides about the goal, if there is one."""
        frame, learner = self.look(), self.learner
        seen = perceive(self.perception, frame, learner is not None and learner.looks)
        self._compare(seen)
        self._remember(seen, frame.image)
        return self.consider(self.percepts.at(seen))

    def look(self) -> SensorFrame:
        """The newest frame, which then waits no longer."""
        assert self._waiting is not None, "call it when there is news"
        frame, self._waiting = self._waiting, None
        self._perceived = frame.stamp
        return frame

    def consider(self, percept: Percept) -> Thought:
        """What to do about the goal at this moment."""
        execution = self.execution
        return Thought(percept, execution, None if execution is None else self.driver.decide(execution, percept))

    def _compare(self, seen: LatentFrame) -> None:
        """Surprise, and learning, where somebody learns."""
        comparison = self.watch.take_latent(seen)
        if comparison is None:
            return
        reading = self.watch.judge(comparison)
        if reading is not None:
            self.percepts.take_surprise(reading)
            self._feed.take_surprise(reading.z_score)
        if self.learner is not None and comparison.segment is not None:
            self.learner.take(comparison.segment)

    def _remember(self, seen: LatentFrame, image: NDArray[np.uint8] | None) -> None:
        moment = self._feed.take_latent(seen)
        if moment is None:
            return
        # Without its picture a place cannot be recognised in that of a goal.
        keep = (self.config.thumbnails or self.perception.model.pairs is not None) and image is not None
        self.percepts.take_location(
            remember(self.memory, moment, (lambda: encode_thumbnail(image)) if keep and image is not None else None)
        )
        self.percepts.take_keep_away(self.memory.keep_away())
        self.memory.prepare()

    def follow(self, thought: Thought) -> None:
        """The decision is made; commands are those of its plan from now on."""
        if thought.execution is not None and thought.decision is not None:
            thought.execution.follow(thought.decision, thought.percept.stamp)

    # Act

    def act(self, now: float, thinking: float = 0.0) -> Verdict:
        """What to send at `now` [s]; `thinking` [s] is how long `decide` has been at work."""
        if self.execution is None:
            return Verdict(STILL, State.IDLE)
        age = now - self._perceived
        return self.execution.act(now, now, Ages(age, age, thinking))
