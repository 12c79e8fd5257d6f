"""Places that the robot must not enter: discs around named poses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.planning.costs.obstacles import nearness, with_halves
from ami_ros.planning.protocols import Futures, Scene
from ami_ros.world_model.arrays import Floats

HERE: Floats = np.zeros((1, 2), np.float32)


@dataclass(frozen=True)
class KeepAwayConfig:
    """Nearness to places that must not be entered."""

    enabled: bool = True  # false: this cost is left out
    weight: float = 3.0  # of being close; larger keeps farther away and passes fewer gaps
    margin: float = 0.2  # [m] outside the radius within which closeness costs; larger keeps farther away
    inside: float = 20.0  # cost of a path that is inside at every step; too small cuts through


@dataclass(frozen=True)
class KeepAway:
    """See the module. The middle of the robot stays out of the discs."""

    Config = KeepAwayConfig

    discs: Floats  # (n, 3): x, y in the base frame of now, radius [m]; n > 0
    margin: float  # [m]
    weight: float
    inside: float

    @classmethod
    def build(cls, config: KeepAwayConfig, scene: Scene) -> KeepAway | None:
        """Where there are such places."""
        if not len(scene.keep_away):
            return None
        return cls(np.asarray(scene.keep_away, np.float32), config.margin, config.weight, config.inside)

    def __call__(self, futures: Futures) -> Floats:
        clearance = self._clearance(with_halves(futures.poses[..., :2], HERE))
        now = float(self._clearance(HERE[None])[0, 0])
        return nearness(clearance, now, self.margin, self.weight, self.inside)

    def _clearance(self, points: Floats) -> Floats:
        """Distance (batch, points) [m] of points (batch, points, 2) from the nearest edge, negative inside."""
        discs = np.asarray(self.discs)
        distance = np.sqrt(np.square(points[..., None, :] - discs[:, :2]).sum(-1).clip(1e-8, None))
        return np.amin(distance - discs[:, 2], -1)
