"""Was the last moment as the world model predicted? And what came of which commands, to learn from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from ami_ros.adaptation.segments import Segment, joined
from ami_ros.geometry import Array, relative
from ami_ros.parts.history import CommandHistory, OdometryHistory
from ami_ros.parts.perceiver import LatentFrame
from ami_ros.planning.types import Reading
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.surprise import HORIZON, SurpriseMonitor

JITTER = 0.2  # of the model's period: stamps that come a little early count as in time


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
    """

    def __init__(self, monitor: SurpriseMonitor, spec: ModelSpec) -> None:
        self.monitor, self._spec = monitor, spec
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
        due = now.stamp - self._compared >= (1 - JITTER) * spec.period
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
