"""A robot as planners see it: the disc that holds its outline, around the outline's own middle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array


@dataclass(frozen=True)
class Disc:
    """Wheels seldom sit in the middle of a robot: a disc around base_link would hold much that the robot is not."""

    radius: float  # [m]
    middle: float = 0.0  # [m] of it ahead of base_link; negative: behind

    def reach(self, bearing: float) -> float:
        """How far it reaches from base_link along a `bearing` [rad]; 0 where base_link lies beyond its edge [m]."""
        aside = self.middle * math.sin(bearing)
        return self.middle * math.cos(bearing) + math.sqrt(max(self.radius**2 - aside**2, 0.0))

    def centre(self, poses: Array) -> Array:
        """Its middle (..., 2) where base_link is at `poses` (..., 3)."""
        ahead = np.stack([np.cos(poses[..., 2]), np.sin(poses[..., 2])], axis=-1)
        return np.asarray(poses[..., :2] + self.middle * ahead)


def disc_around(corners: Sequence[tuple[float, float]]) -> Disc:
    """The smallest disc with its middle on the x axis of base_link that holds `corners` x, y [m] of an outline.

    The squared distance of each from a middle c is c^2 - 2 x c + x^2 + y^2: the greatest of them is least at a corner's
    own x, or where two are equal.
    """
    x, y = np.array(corners).T
    square, apart = x**2 + y**2, 2 * (x[:, None] - x)
    equal = (square[:, None] - square)[apart != 0] / apart[apart != 0]
    middles = np.concatenate([x, equal])
    farthest = np.hypot(x - middles[:, None], y).max(axis=1)
    best = int(np.argmin(farthest))
    return Disc(float(farthest[best]), float(middles[best]))
