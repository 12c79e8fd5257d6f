"""Where a scan fits into an occupancy grid (E. Olson, "Real-time correlative scan matching", ICRA 2009)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.mission.occupancy import CELL, REACH, SIDE, Grid
from ami_ros.scan import Scan, scan_points

SPREAD = 0.08  # how far a point may be off a wall [m]
COARSE, FINE = (0.15, 0.05, 0.14, 0.035), (0.04, 0.02, 0.03, 0.01)  # reach and step [m, m, rad, rad]
BEAMS = 120  # points that are matched, at most


class MatchingGrid(Grid):
    """A grid that tells where in it a scan was taken."""

    def match(self, guess: Array, scan: Scan) -> Array:
        """The pose (3,) near `guess` at which the scan fits best; the guess where little is known."""
        points = scan_points(scan, REACH)
        points = points[:: max(1, len(points) // BEAMS)]
        if len(points) < 10:
            return guess
        likely, corner = self._likely(guess)
        best, score = guess, self._score(likely, corner, guess[None], points)[0]
        if score < 0.15 * len(points):
            return guess
        for metres, step, radians, turn in (COARSE, FINE):
            d, a = np.arange(-metres, metres + 1e-9, step), np.arange(-radians, radians + 1e-9, turn)
            offsets = np.stack(np.meshgrid(d, d, a, indexing="ij"), -1).reshape(-1, 3)
            cost = 0.02 * len(points) * (np.abs(offsets) / (metres, metres, radians)).sum(axis=1)
            scores = self._score(likely, corner, best + offsets, points) - cost
            best = best + offsets[scores.argmax()]
        return np.asarray(best)

    def _likely(self, pose: Array) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """How well a point fits (0..1) around `pose`, and the first cell of that window."""
        half = round((REACH + 1.0) / CELL)
        corner = np.clip(self.cells(pose[None, :2])[0] - half, 0, SIDE - 2 * half)
        window = self.odds[corner[0] : corner[0] + 2 * half, corner[1] : corner[1] + 2 * half]
        distance = cv2.distanceTransform((window <= 0.5).astype(np.uint8), cv2.DIST_L2, 3) * CELL
        return np.exp(-((np.minimum(distance, 1.0) / SPREAD) ** 2)), corner

    def _score(
        self, likely: NDArray[np.float32], corner: NDArray[np.int64], poses: Array, points: Array
    ) -> NDArray[np.float64]:
        c, s = np.cos(poses[:, 2:]), np.sin(poses[:, 2:])
        x = poses[:, :1] + c * points[:, 0] - s * points[:, 1]
        y = poses[:, 1:2] + s * points[:, 0] + c * points[:, 1]
        i = np.clip(np.floor(x / CELL).astype(np.int64) + SIDE // 2 - corner[0], 0, len(likely) - 1)
        j = np.clip(np.floor(y / CELL).astype(np.int64) + SIDE // 2 - corner[1], 0, len(likely) - 1)
        return np.asarray(likely[i, j].sum(axis=1, dtype=np.float64))
