"""Distances on the floor plan: rays and clearances against the obstacles' footprints, all at once in NumPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.geometry import Array
from ami_ros.simulation.layout import Obstacle


class FloorPlan:
    """The footprints of `obstacles`. Exact for the scan: everything in a world is solid from the floor to above it."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        boxes = [o for o in obstacles if o.shape == "box"]
        circles = [o for o in obstacles if o.shape == "cylinder"]
        self._box_center = np.array([o.center for o in boxes]).reshape(-1, 2)
        self._box_half = np.array([o.half for o in boxes]).reshape(-1, 2)
        self._box_cos = np.cos([o.yaw for o in boxes])
        self._box_sin = np.sin([o.yaw for o in boxes])
        self._circle_center = np.array([o.center for o in circles]).reshape(-1, 2)
        self._circle_radius = np.array([o.half[0] for o in circles])

    def cast(self, origin: ArrayLike, angles: ArrayLike) -> Array:
        """Distance (n,) [m] from `origin` (2,) to the first obstacle in each direction of `angles` (n,), or inf."""
        o, a = np.asarray(origin, dtype=np.float64), np.asarray(angles, dtype=np.float64)
        direction = np.stack([np.cos(a), np.sin(a)], axis=-1)  # (n, 2)
        return np.minimum(self._cast_boxes(o, direction), self._cast_circles(o, direction))

    def _cast_boxes(self, origin: Array, direction: Array) -> Array:
        """Slab test in the frame of each box."""
        p = self._into_boxes(origin - self._box_center)  # (b, 2)
        d = self._into_boxes(direction[:, None, :])  # (n, b, 2)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / np.where(d == 0.0, 1e-300, d)
            middle, reach = -p * inverse, np.abs(inverse) * self._box_half
        enter, leave = (middle - reach).max(axis=-1), (middle + reach).min(axis=-1)  # (n, b)
        hit = (leave >= enter) & (leave > 0.0)
        return np.where(hit, np.maximum(enter, 0.0), np.inf).min(axis=1, initial=np.inf)

    def _cast_circles(self, origin: Array, direction: Array) -> Array:
        to_center = self._circle_center - origin  # (c, 2)
        along = direction @ to_center.T  # (n, c)
        square = self._circle_radius**2 - ((to_center**2).sum(axis=-1) - along**2)
        half_chord = np.sqrt(np.maximum(square, 0.0))
        hit = (square >= 0.0) & (along + half_chord > 0.0)
        return np.where(hit, np.maximum(along - half_chord, 0.0), np.inf).min(axis=1, initial=np.inf)

    def clearance(self, points: ArrayLike) -> Array:
        """Distance (n,) [m] from each of `points` (n, 2) to the nearest obstacle; 0 inside one."""
        p = np.asarray(points, dtype=np.float64)
        nearest = np.full(len(p), np.inf)
        for center, half, c, s in zip(self._box_center, self._box_half, self._box_cos, self._box_sin, strict=True):
            x, y = p[:, 0] - center[0], p[:, 1] - center[1]
            dx = np.maximum(np.abs(c * x + s * y) - half[0], 0.0)
            dy = np.maximum(np.abs(c * y - s * x) - half[1], 0.0)
            nearest = np.minimum(nearest, np.hypot(dx, dy))
        for center, radius in zip(self._circle_center, self._circle_radius, strict=True):
            distance = np.hypot(p[:, 0] - center[0], p[:, 1] - center[1]) - radius
            nearest = np.minimum(nearest, np.maximum(distance, 0.0))
        return nearest

    def _into_boxes(self, v: Array) -> Array:
        """Vectors (..., b, 2) turned into each box's own frame."""
        x, y = v[..., 0], v[..., 1]
        turned = (self._box_cos * x + self._box_sin * y, self._box_cos * y - self._box_sin * x)
        return np.stack(turned, axis=-1)
