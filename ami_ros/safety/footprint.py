"""The robot's outline: how far it is from a point."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.geometry import Array
from ami_ros.safety.config import SafetyConfig, polygon

SPACING = 0.05  # [m] between samples of an outline


class Footprint:
    """A disc, or a convex polygon as Nav2's collision monitor takes it, around base_link.

    Attributes:
        outline: (m, 2) [m], points along it in base_link.
        radius: [m] of the circle around base_link that holds all of it.
    """

    def __init__(self, config: SafetyConfig) -> None:
        self.radius = config.robot_radius
        corners = polygon(config.footprint)
        self._normals = self._offsets = np.zeros(0)
        if not len(corners):
            count = max(16, math.ceil(2 * np.pi * self.radius / SPACING))
            around = 2 * np.pi * np.arange(count) / count
            self.outline = self.radius * np.column_stack([np.cos(around), np.sin(around)])
            return
        edges = np.roll(corners, -1, axis=0) - corners
        normals = np.column_stack([edges[:, 1], -edges[:, 0]])
        self._normals = normals / np.hypot(*normals.T)[:, None]
        self._offsets = (self._normals * corners).sum(1)
        self.radius = float(np.hypot(*corners.T).max())
        shares = [np.arange(n) / n for n in np.ceil(np.hypot(*edges.T) / SPACING).astype(int)]
        self.outline = np.concatenate(
            [corner + share[:, None] * edge for corner, edge, share in zip(corners, edges, shares, strict=True)]
        )

    @property
    def is_round(self) -> bool:
        """Whether it covers the same ground however it is turned."""
        return not len(self._offsets)

    def distance(self, points: ArrayLike) -> Array:
        """How far (...) [m] points (..., 2) in base_link are from the outline; negative inside.

        Of a polygon's corners it is less than the truth: by half-planes.
        """
        points = np.asarray(points, dtype=np.float64)
        if not len(self._offsets):
            return np.asarray(np.hypot(points[..., 0], points[..., 1]) - self.radius)
        return np.asarray((points @ self._normals.T - self._offsets).max(-1))
