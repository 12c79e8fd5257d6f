"""What was seen, sent and driven in the last moments, to be asked what came of which commands."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_interfaces.msg import Latent
from ami_ros.adaptation.segments import Segment, joined
from ami_ros.geometry import Array, relative
from ami_ros.ros.command_history import CommandHistory
from ami_ros.ros.odometry_buffer import OdometryBuffer
from ami_ros.world_model.encoder import Sensors
from ami_ros.world_model.spec import ModelSpec

SAME_TIME = 0.06  # stamps that differ by less belong to one moment [s]


@dataclass(frozen=True)
class Moment:
    """A latent, its stamp [s], and what it was made of (a batch of one), where somebody learns about that."""

    stamp: float
    message: Latent
    latent: NDArray[np.float32]
    sensors: Sensors | None = None


class DriveHistory:
    """Latents, commands and odometry by their stamps."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self.moments: deque[Moment] = deque(maxlen=64)
        self.commands, self.odometry = CommandHistory(spec.command_dim), OdometryBuffer()

    def clear(self) -> None:
        """Forgets everything, as after a jump in time."""
        self.moments.clear()
        self.commands.clear()
        self.odometry.clear()

    def steps_before(self, now: Moment, steps: int) -> Moment | None:
        """What was seen `steps` model steps before `now`; None if nothing was."""
        stamp = now.stamp - steps * self._spec.step_duration
        nearest = min(self.moments, key=lambda moment: abs(moment.stamp - stamp), default=None)
        return nearest if nearest is not None and abs(nearest.stamp - stamp) <= SAME_TIME else None

    def commands_before(self, now: Moment, steps: int) -> Array:
        """What was sent in the last `steps` model steps, by periods; the command in force before comes first."""
        spec = self._spec
        start = now.stamp - steps * spec.step_duration - spec.period
        return self.commands.means(start, spec.period, steps * spec.chunk + 1)

    def segment(self, now: Moment) -> Segment | None:
        """The model step that ends now; None where something of it is not known."""
        before = self.steps_before(now, 1)
        if before is None:
            return None
        start, end = self.odometry.at(before.stamp), self.odometry.at(now.stamp)
        if start is None or end is None:
            return None
        previous, *commands = self.commands_before(now, 1)
        both = joined([before.sensors, now.sensors]) if before.sensors is not None and now.sensors is not None else None
        moved = relative(start[0], end[0])
        return Segment(now.stamp, before.latent, previous, np.array(commands), now.latent, moved, both)
