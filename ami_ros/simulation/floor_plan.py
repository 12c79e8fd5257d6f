"""Distances on the floor plan: rays and clearances against the obstacles' footprints, all at once in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.geometry import Array
from ami_ros.simulation.layout import Obstacle

TURN = 2 * np.pi
GLASS = float(np.cos(np.radians(25.0)))  # what falls on glass farther from its normal passes, or is thrown elsewhere
BLACK = 2.5  # from farther away nothing comes back from black [m]
FEW = 4  # points for which all obstacles at once cost less than one after the other


class FloorPlan:
    """The footprints of `obstacles`: exact for a scan if they are those at its height."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        boxes = [o for o in obstacles if o.shape == "box"]
        circles = [o for o in obstacles if o.shape == "cylinder"]
        self.obstacles = [*boxes, *circles]
        self._odd = any(o.surface != "plain" for o in obstacles)
        self._box_reach = np.hypot(*np.array([o.half for o in boxes]).reshape(-1, 2).T)
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
        return np.minimum(self._cast_boxes(o, direction, a), self._cast_circles(o, direction))

    def returned(self, origin: ArrayLike, angles: ArrayLike) -> Array:
        """As `cast`, of what a laser gets back: from glass where it is met straight, from black what is near."""
        if not self._odd:
            return self.cast(origin, angles)
        o, a = np.asarray(origin, dtype=np.float64), np.asarray(angles, dtype=np.float64)
        plain, glass, black = self._by_surface
        direction = np.stack([np.cos(a), np.sin(a)], axis=-1)
        hit = np.minimum(plain.cast(o, a), glass._cast_boxes(o, direction, a, GLASS))
        dark = black.cast(o, a)
        return np.where(dark < hit, np.where(dark <= BLACK, dark, np.inf), hit)

    @cached_property
    def _by_surface(self) -> tuple[FloorPlan, FloorPlan, FloorPlan]:
        plain, glass, black = (
            FloorPlan([replace(o, surface="plain") for o in self.obstacles if o.surface == surface])
            for surface in ("plain", "glass", "black")
        )
        return plain, glass, black

    def _cast_boxes(self, origin: Array, direction: Array, angles: Array, straight: float = 0.0) -> Array:
        """Slab test in the frame of each box, of the rays that may meet it at no less than cosine `straight`."""
        offset = self._box_center - origin
        ray, box = self._pairs(offset, angles)
        p, d = self._into_boxes(-offset), direction[ray]
        c, s = self._box_cos[box], self._box_sin[box]
        d = np.stack([c * d[:, 0] + s * d[:, 1], c * d[:, 1] - s * d[:, 0]], axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / np.where(d == 0.0, 1e-300, d)
            middle, reach = -p[box] * inverse, np.abs(inverse) * self._box_half[box]
        enter, leave = (middle - reach).max(axis=-1), (middle + reach).min(axis=-1)
        hit = (leave >= enter) & (leave > 0.0)
        if straight:
            hit &= np.abs(d[np.arange(len(box)), self._box_half.argmin(axis=1)[box]]) >= straight
        nearest = np.full(len(angles), np.inf)
        np.minimum.at(nearest, ray[hit], np.maximum(enter[hit], 0.0))
        return nearest

    def _pairs(self, offset: Array, angles: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rays and boxes (k,) that may meet: the ray points into the circle around the box. `offset`: (b, 2) [m]."""
        order = np.argsort(angles % TURN)
        sorted_angles = (angles % TURN)[order]
        distance = np.hypot(offset[:, 0], offset[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.where(distance > self._box_reach, np.arcsin(np.minimum(self._box_reach / distance, 1.0)), np.pi)
        low = (np.arctan2(offset[:, 1], offset[:, 0]) - half - 1e-6) % TURN
        first = np.searchsorted(sorted_angles, low)
        high = low + np.minimum(2 * half + 2e-6, TURN)
        twice = np.concatenate([sorted_angles, sorted_angles + TURN])
        count = np.minimum(np.searchsorted(twice, high, side="right") - first, len(angles))
        box = np.repeat(np.arange(len(offset)), count)
        within = np.arange(len(box)) - np.repeat(np.cumsum(count) - count, count)
        return order[(first[box] + within) % max(len(angles), 1)], box

    def _cast_circles(self, origin: Array, direction: Array) -> Array:
        to_center = self._circle_center - origin  # (c, 2)
        along = direction @ to_center.T  # (n, c)
        square = self._circle_radius**2 - ((to_center**2).sum(axis=-1) - along**2)
        half_chord = np.sqrt(np.maximum(square, 0.0))
        hit = (square >= 0.0) & (along + half_chord > 0.0)
        return np.where(hit, np.maximum(along - half_chord, 0.0), np.inf).min(axis=1, initial=np.inf)

    def grid_clearance(self, xs: NDArray[Any], ys: NDArray[Any], most: float) -> Array:
        """As `clearance`, of the points of a grid (nx, ny) with rising `xs`, `ys`; more than `most` [m] may be inf."""
        nearest = np.full((len(xs), len(ys)), np.inf)
        for number, obstacle in enumerate(self.obstacles):
            reach, (x, y) = float(np.hypot(*obstacle.half)) + most, obstacle.center
            i = slice(*np.searchsorted(xs, (x - reach, x + reach)))
            j = slice(*np.searchsorted(ys, (y - reach, y + reach)))
            if i.start < i.stop and j.start < j.stop:
                window = np.stack(np.meshgrid(xs[i], ys[j], indexing="ij"), axis=-1).reshape(-1, 2)
                distance = self._distance(number, window).reshape(i.stop - i.start, -1)
                nearest[i, j] = np.minimum(nearest[i, j], distance)
        return nearest

    def _distance(self, number: int, points: Array) -> Array:
        """From `points` (n, 2) to one obstacle (n,) [m]; 0 inside it."""
        o = self.obstacles[number]
        x, y = points[:, 0] - o.center[0], points[:, 1] - o.center[1]
        if o.shape == "cylinder":
            return np.maximum(np.hypot(x, y) - o.half[0], 0.0)
        c, s = np.cos(o.yaw), np.sin(o.yaw)
        return np.hypot(
            np.maximum(np.abs(c * x + s * y) - o.half[0], 0.0), np.maximum(np.abs(c * y - s * x) - o.half[1], 0.0)
        )

    def clearance(self, points: ArrayLike) -> Array:
        """Distance (n,) [m] from each of `points` (n, 2) to the nearest obstacle; 0 inside one."""
        p = np.asarray(points, dtype=np.float64)
        if len(p) <= FEW:
            return self._clearance_of_few(p)
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

    def _clearance_of_few(self, p: Array) -> Array:
        local = self._into_boxes(p[:, None, :] - self._box_center)  # (n, b, 2)
        gap = np.maximum(np.abs(local) - self._box_half, 0.0)
        boxes = np.hypot(gap[..., 0], gap[..., 1]).min(axis=1, initial=np.inf)
        offset = p[:, None, :] - self._circle_center
        circles = np.maximum(np.hypot(offset[..., 0], offset[..., 1]) - self._circle_radius, 0.0)
        return np.minimum(boxes, circles.min(axis=1, initial=np.inf))

    def _into_boxes(self, v: Array) -> Array:
        """Vectors (..., b, 2) turned into each box's own frame."""
        x, y = v[..., 0], v[..., 1]
        turned = (self._box_cos * x + self._box_sin * y, self._box_cos * y - self._box_sin * x)
        return np.stack(turned, axis=-1)
