"""The part `world_model`: compares the last moment with its prediction, learns from it, and predicts on request."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ami_ros.adaptation.segments import Segment
from ami_ros.adaptation.weights import Weights
from ami_ros.commands import Command
from ami_ros.config import parameter
from ami_ros.errors import AmiError
from ami_ros.parts.followed_model import FollowedModel
from ami_ros.parts.history import SensorHistory
from ami_ros.parts.part import Bus, Finish, Part
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.parts.ports import ADAPTATION, CMD_VEL, IMAGE, LATENT, ODOM, SCAN, SURPRISE, Motion, Picture, Port
from ami_ros.parts.surprise_watch import Comparison, SurpriseWatch
from ami_ros.scan import Scan
from ami_ros.world_model.arrays import Floats, accumulated
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.surprise import SurpriseMonitor


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
