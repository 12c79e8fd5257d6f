"""What stands how far off, by the pictures of the last moments: a Bayes filter over the distances in each direction.

One picture leaves open whether a thing is close or far, where its foot is hidden; the next, from elsewhere, may not.
Errors of successive pictures are alike, so what was believed before counts as a fraction of an observation.
"""

from __future__ import annotations

import math

import numpy as np

from ami_ros.geometry import Array, relative
from ami_ros.world_model.layers import Floats

KEPT = 0.7  # exponent of what was believed before: together the pictures before count as two and a third
FRESH = 0.05  # of it, that something has come or gone since
LEAST = 1e-4  # chance of any distance, whatever a picture says


class RangeBelief:
    """Of the newest picture's directions.

    Args:
        bearings: (b,) [rad] from left to right, evenly over their tangents.
        nearest, farthest: [m] between which distances are told apart, evenly over their logarithms.
    """

    def __init__(self, bearings: Floats, nearest: float, farthest: float) -> None:
        self.bearings, self._nearest, self._farthest = bearings, nearest, farthest
        self._belief: Array | None = None  # (b, steps)
        self._pose: Array | None = None  # (3,) of the camera then

    def update(self, chances: Floats, pose: Array | None) -> Floats:
        """How likely each distance is (b, steps), by a picture's `chances` and those before it.

        Args:
            chances: likewise, by the picture alone.
            pose: (3,) of the camera by odometry, on the floor; None: nobody knows, and the picture counts alone.
        """
        found = chances.astype(np.float64) + LEAST
        if pose is not None and self._belief is not None and self._pose is not None:
            before = self._seen_from(relative(self._pose, pose), self._belief)
            found = found * ((1 - FRESH) * before + FRESH / chances.shape[1]) ** KEPT
        found /= found.sum(-1, keepdims=True)
        self._belief, self._pose = found, pose
        return found.astype(np.float32)

    def _seen_from(self, step: Array, belief: Array) -> Array:
        """A `belief` (b, steps) where the camera has moved by `step` (3,); where it did not look, all is as likely."""
        count, steps = belief.shape
        width = math.log(self._farthest / self._nearest) / steps
        middles = self._nearest * np.exp((np.arange(steps) + 0.5) * width)
        angles = self.bearings.astype(np.float64)[:, None] + step[2]
        x, y = step[0] + middles * np.cos(angles), step[1] + middles * np.sin(angles)
        column = (1 - y / np.maximum(x, 1e-3) / self._reach) * count / 2 - 0.5
        looked = (x > 0) & (column > -0.5) & (column < count - 0.5)
        column = np.rint(np.where(looked, column, 0)).astype(int)
        at = np.log(np.maximum(np.hypot(x, y), 1e-3) / self._nearest) / width - 0.5
        nearer = np.floor(at)
        low, high = (belief[column, (nearer + k).clip(0, steps - 1).astype(int)] for k in (0, 1))
        seen = np.where(looked, low + (at - nearer) * (high - low), 1.0 / steps)
        return np.asarray(seen / seen.sum(-1, keepdims=True))

    @property
    def _reach(self) -> float:
        """Tangent of the edge of the picture."""
        count = len(self.bearings)
        return math.tan(float(self.bearings[0])) * count / (count - 1)
