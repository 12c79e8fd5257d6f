"""What the safety gate will not let through because somebody moves there: who plans it stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.disc import Disc
from ami_ros.geometry import Array
from ami_ros.moving.things import MovingThings
from ami_ros.planning.kinematics import Kinematics
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.passers import Passers
from ami_ros.safety.tracks import of_frame, track_of
from ami_ros.world_model.arrays import Floats

MOMENTS = 8  # at which a way to a stand is looked at
LEAST = SafetyConfig.margin  # [m], as the gate has them if nobody changes them
MOST = SafetyConfig.margin + SafetyConfig.track_margin


@dataclass(frozen=True)
class GateRule:
    """The gate's rule for what moves (`safety.passers`), for a robot that stands and is given one command."""

    passers: Passers
    times: Array  # (n,) [s] from now on, evenly apart
    kinematics: Kinematics

    @classmethod
    def of(
        cls, things: MovingThings, stamp: float, odometry: Array, disc: Disc, kinematics: Kinematics
    ) -> GateRule | None:  # fmt: skip
        """The rule at `stamp` [s] for a robot at `odometry` (3,), among `things` in odom; None where nobody is near."""
        tracks = of_frame(
            [track_of(each.position, each.velocity, each.radius, each.covariance).seen_from(odometry)
             for each in things.things], np.zeros(3), things.stamp,
        )  # fmt: skip
        if not len(tracks):
            return None
        lasts = kinematics.reaction + max(kinematics.max_linear, kinematics.max_retreat) / kinematics.deceleration
        times = lasts * np.arange(1, MOMENTS + 1) / MOMENTS
        age = max(0.0, stamp - things.stamp)

        def distance(points: Array) -> Array:
            return np.asarray(np.hypot(points[..., 0] - disc.middle, points[..., 1]) - disc.radius)

        return cls(Passers.of(tracks, np.zeros(3), age, times, distance, LEAST, MOST), times, kinematics)

    def refuses(self, commands: Floats) -> NDArray[np.bool_]:
        """Which of `commands` (batch, width), each obeyed until the robot can be stopped, the gate will not pass."""
        speeds = np.zeros((len(commands), 3))
        speeds[:, : commands.shape[1]] = commands
        linear, turning, lateral = speeds.T[..., None]
        step = self.times[0]
        middles = self.times - step / 2
        left = self.kinematics.deceleration * (middles - self.kinematics.reaction).clip(0, None)  # what braking takes
        linear, lateral = (np.sign(v) * (np.abs(v) - left).clip(0, None) for v in (linear, lateral))
        c, s = np.cos(turning * middles), np.sin(turning * middles)
        steps = np.stack([c * linear - s * lateral, s * linear + c * lateral], -1) * step
        ways = np.concatenate([steps.cumsum(1), (turning * self.times)[..., None]], -1)
        return np.asarray(self.passers.nears(ways).any((1, 2)))
