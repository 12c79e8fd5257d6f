"""The part `world_model`: compares the last moment with its prediction, learns from it, and predicts on request."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ami_ros.core.commands import Command
from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.core.scan import Scan
from ami_ros.planning.types import Reading
from ami_ros.runtime.history import CommandHistory, OdometryHistory, SensorHistory
from ami_ros.runtime.part import (
    ADAPTATION,
    CMD_VEL,
    IMAGE,
    LATENT,
    ODOM,
    SCAN,
    SURPRISE,
    Bus,
    Finish,
    Motion,
    Part,
    Picture,
    Port,
)
from ami_ros.runtime.perception import FollowedModel, LatentFrame
from ami_ros.world_model.adaptation import Segment, Weights, joined
from ami_ros.world_model.layers import Floats, accumulated
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.surprise import HORIZON, SurpriseMonitor


@dataclass(frozen=True)
class Comparison:
    """A latent beside the one that surprise predicts it from.

    Attributes:
        now: the latent that was observed.
        before: the latent `HORIZON` model steps earlier; None where there was none.
        commands: (1 + reach, command_dim) sent since, the one in force before first.
        segment: the model step that ends now, to learn from; None where something of it is not known.
    """

    now: LatentFrame
    before: LatentFrame | None
    commands: Array
    segment: Segment | None


class SurpriseWatch:
    """Compares latents with what was predicted, once in a model period however fast they come.

    A model was trained, and thresholds were set, on one latent a period; faster cameras bring nothing new.

    Args:
        monitor: makes a z score of a prediction error.
        spec: of the model.
        early: of the model's period, by which a stamp may come early and count as in time.
    """

    def __init__(self, monitor: SurpriseMonitor, spec: ModelSpec, early: float = 0.2) -> None:
        self.monitor, self._spec, self._early = monitor, spec, early
        self.commands, self.odometry = CommandHistory(spec.command_dim), OdometryHistory()
        self._kept = (HORIZON + 1) * spec.step_duration  # [s]
        self._frames: deque[LatentFrame] = deque()
        self._compared = -np.inf

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self._frames.clear()
        self.commands.clear()
        self.odometry.clear()
        self._compared = -np.inf

    @property
    def newest(self) -> LatentFrame | None:
        """The latent that came last."""
        return self._frames[-1] if self._frames else None

    def take_latent(self, now: LatentFrame) -> Comparison | None:
        """What there is to `judge` and to learn at this moment; None where nothing is due, or known."""
        spec = self._spec
        before, segment = None, None
        due = now.stamp - self._compared >= (1 - self._early) * spec.period
        if due:
            before, segment = self._steps_before(now, HORIZON), self._segment(now)
        self._frames.append(now)
        while now.stamp - self._frames[0].stamp > self._kept:
            self._frames.popleft()
        if before is None and segment is None:
            return None
        self._compared = now.stamp
        return Comparison(now, before, self._commands_before(now, HORIZON), segment)

    def judge(self, comparison: Comparison) -> Reading | None:
        """How surprising it was; takes a prediction of the model. None without a latent to predict from."""
        if comparison.before is None:
            return None
        commands, now = comparison.commands, comparison.now
        found = self.monitor.observe(comparison.before.latent, commands[1:], commands[0], now.latent)
        return Reading(now.stamp, found.z_score, found.alarm, found.surprise, found.uncertainty, found.baseline)

    def _steps_before(self, now: LatentFrame, steps: int) -> LatentFrame | None:
        """The latent nearest to `steps` model steps before `now`, within half a period."""
        stamp = now.stamp - steps * self._spec.step_duration
        nearest = min(self._frames, key=lambda frame: abs(frame.stamp - stamp), default=None)
        return nearest if nearest is not None and abs(nearest.stamp - stamp) <= self._spec.period / 2 else None

    def _commands_before(self, now: LatentFrame, steps: int) -> Array:
        """What was sent in the last `steps` model steps, by periods; the command in force before comes first."""
        spec = self._spec
        start = now.stamp - steps * spec.step_duration - spec.period
        return self.commands.means(start, spec.period, steps * spec.chunk + 1)

    def _segment(self, now: LatentFrame) -> Segment | None:
        """The model step that ends now; None where something of it is not known."""
        before = self._steps_before(now, 1)
        if before is None:
            return None
        start, end = self.odometry.at(before.stamp), self.odometry.at(now.stamp)
        if start is None or end is None:
            return None
        previous, *commands = self._commands_before(now, 1)
        both = joined([before.sensors, now.sensors]) if before.sensors is not None and now.sensors is not None else None
        moved = relative(start[0], end[0])
        return Segment(now.stamp, before.latent, previous, np.array(commands), now.latent, moved, both)


@dataclass(frozen=True)
class SurpriseSettings:
    """What it is told."""

    threshold: float = parameter(
        5.0,
        "z score above which all readings of a model step raise an alarm. Larger: fewer alarms, later.",
        "",
        (0.0, 1000.0),
        True,
    )
    window: int = parameter(
        300,
        "Readings in the running median of the usual error. Larger adapts more slowly to a new place.",
        "",
        (20, 100_000),
        True,
    )


class Learner(Protocol):
    """Learns from what was driven."""

    @property
    def looks(self) -> bool: ...  # whether segments need what the sensors gave
    def take(self, segment: Segment) -> Weights | None: ...  # what is to be used from now on, if that is new


class Foreseen(NamedTuple):
    """What a model expects of commands."""

    latents: Floats  # (steps, latent_dim)
    motions: Floats  # (steps, 3) from each step to the next
    uncertainty: list[float]  # of each step; empty where the model has no ensemble


class WorldModelPart(Part):
    """Surprise, once in a model period.

    Args:
        bus: see `Part`.
        followed: the model, and what was adapted in it.
        perception: of the model as it was trained.
        config: see there.
        learner: adapts the model while the robot drives; None: it stays as it was trained.
    """

    name = "world_model"
    takes: tuple[Port, ...] = (ODOM, CMD_VEL, SCAN, IMAGE, LATENT)  # sensors only where the learner looks
    gives: tuple[Port, ...] = (SURPRISE, ADAPTATION)

    def __init__(
        self,
        bus: Bus,
        followed: FollowedModel,
        perception: Perception,
        config: SurpriseSettings,
        learner: Learner | None = None,
    ) -> None:
        super().__init__(bus)
        self.followed, self.learner, self.spec = followed, learner, followed.model.spec
        self.watch = SurpriseWatch(SurpriseMonitor(followed.model, config.threshold, config.window), self.spec)
        self.sensors = SensorHistory(perception)

    def tune(self, config: SurpriseSettings) -> None:
        """Other values from now on."""
        self.watch.monitor.tune(config.threshold, config.window)

    def restart(self) -> None:
        self.watch.clear()
        self.sensors.clear()
        self.bus.forget_work()

    def on_cmd_vel(self, stamp: float, command: Command) -> None:
        if not all(map(math.isfinite, command)):
            raise AmiError("command is not finite: ignored")
        self.watch.commands.add(stamp, command)

    def on_odom(self, stamp: float, motion: Motion) -> None:
        self.watch.odometry.add(stamp, *motion, self.bus.now())

    def on_image(self, stamp: float, picture: Picture) -> None:
        self.sensors.take(IMAGE.name, stamp, picture)

    def on_scan(self, stamp: float, scan: Scan) -> None:
        self.sensors.take(SCAN.name, stamp, scan)

    def on_latent(self, stamp: float, seen: LatentFrame) -> None:
        sensors = self.sensors.at(stamp) if self.learner is not None and self.learner.looks else None
        comparison = self.watch.take_latent(LatentFrame(stamp, seen.latent, sensors=sensors))
        if comparison is not None:
            self.bus.work(lambda: self._compare(comparison))

    def _compare(self, comparison: Comparison) -> Finish:
        self.followed.refresh()
        reading = self.watch.judge(comparison)
        weights = None
        if self.learner is not None and comparison.segment is not None:
            weights = self.learner.take(comparison.segment)

        def tell() -> None:
            if reading is not None:
                self.bus.give(SURPRISE, reading.stamp, reading)
                if reading.alarm:
                    text = f"surprise: z score {reading.z_score:.1f}; this is not what the model predicted"
                    self.bus.report("surprise", text)
            if weights is not None:
                self.followed.take(weights)
                self.bus.give(ADAPTATION, self.bus.now(), weights)

        return tell

    def predict(self, start: LatentFrame, commands: Sequence[Command]) -> Foreseen:
        """What commands (each held for a model step) would bring.

        Raises:
            AmiError: there is none, or one is not finite.
        """
        asked = np.array(commands).reshape(-1, self.spec.command_dim)
        if not len(asked) or not np.isfinite(asked).all():
            raise AmiError("predict: give at least one command, of finite numbers")
        chunks = np.repeat(asked[:, None], self.spec.chunk, 1).astype(np.float32)[None]
        previous, model = np.array([self.watch.commands.at(start.stamp)], np.float32), self.followed.model
        latents, motions = model.rollout(start.latent[None], chunks, previous)
        doubt: list[float] = []
        if self.spec.ensemble:
            doubt = accumulated(model.path_disagreement(start.latent[None], latents, chunks, previous))[0].tolist()
        return Foreseen(latents[0], motions[0], doubt)
