"""An occupancy grid, and where a scan fits into it (E. Olson, "Real-time correlative scan matching", ICRA 2009)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ami_ros.geometry import Array, transform_points
from ami_ros.scan import Scan, scan_points

CELL = 0.05  # [m]
SIDE = 1400  # cells: 70 m, the start in the middle
HIT, MISS, MOST = 0.9, 0.4, 6.0  # log odds
REACH = 7.0  # of a beam that is drawn in [m]
SPREAD = 0.08  # how far a point may be off a wall [m]
COARSE, FINE = (0.15, 0.05, 0.14, 0.035), (0.04, 0.02, 0.03, 0.01)  # reach and step [m, m, rad, rad]
BEAMS = 120  # points that are matched, at most
WAY = 2  # cells of the grid in one of a way


class Grid:
    """Log odds (SIDE, SIDE) of being occupied, x first."""

    def __init__(self) -> None:
        self.odds: NDArray[np.float32] = np.zeros((SIDE, SIDE), np.float32)

    def cells(self, points: Array) -> NDArray[np.int64]:
        """Of points (n, 2) [m]: (n, 2)."""
        return np.clip(np.floor(points / CELL).astype(np.int64) + SIDE // 2, 0, SIDE - 1)

    def points(self, cells: NDArray[np.int64]) -> Array:
        """Middles (n, 2) [m] of cells (n, 2)."""
        return np.asarray((cells - SIDE // 2 + 0.5) * CELL)

    def add(self, pose: Array, scan: Scan) -> None:
        """Draws in a scan that was taken at `pose` (3,)."""
        angles, ranges = scan.angles, np.asarray(scan.ranges, np.float64)
        known = ~np.isnan(ranges)
        angles, ranges = angles[known], ranges[known]
        ends = np.minimum(np.where(np.isfinite(ranges), ranges, scan.max_range), REACH)
        steps = np.arange(CELL / 2, REACH, CELL)
        along = steps[None] * np.ones((len(ends), 1))
        inside = along < (ends - CELL)[:, None]
        way = np.stack([np.cos(angles)[:, None] * along, np.sin(angles)[:, None] * along], -1)[inside] + scan.origin
        free = self._flat(transform_points(pose, way))
        hits = self._flat(transform_points(pose, scan_points(scan, REACH)))
        flat = self.odds.reshape(-1)
        free = np.setdiff1d(free, hits)
        flat[free] = np.maximum(flat[free] - MISS, -MOST)
        hits = np.unique(hits)
        flat[hits] = np.minimum(flat[hits] + HIT, MOST)

    def _flat(self, points: Array) -> NDArray[np.int64]:
        cells = self.cells(points)
        return np.unique(cells[:, 0] * SIDE + cells[:, 1])

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


class Ways:
    """Shortest ways over what a grid knows to be free, from `start` (2 or 3,), for a robot of `radius` [m]."""

    def __init__(self, grid: Grid, start: Array, radius: float) -> None:
        known = np.argwhere(np.abs(grid.odds[::8, ::8]) > 0) * 8
        low = np.maximum(known.min(axis=0) - 24, 0) if len(known) else np.array([0, 0])
        high = np.minimum(known.max(axis=0) + 32, SIDE) if len(known) else np.array([8, 8])
        low -= low % WAY
        window = grid.odds[low[0] : high[0], low[1] : high[1]]
        window = window[: len(window) // WAY * WAY, : window.shape[1] // WAY * WAY]
        shape = (len(window) // WAY, WAY, window.shape[1] // WAY, WAY)
        solid: NDArray[np.bool_] = np.asarray((window > 0.5).reshape(shape).any(axis=(1, 3)))
        unknown: NDArray[np.bool_] = np.asarray((np.abs(window) <= 0.2).reshape(shape).all(axis=(1, 3)))
        clearance = cv2.distanceTransform((~solid).astype(np.uint8), cv2.DIST_L2, 5) * CELL * WAY
        self._grid, self._low = grid, low
        here = self._cell(start)
        self._free = (clearance > radius + 0.05) & ~unknown
        self._free[max(here[0] - 3, 0) : here[0] + 4, max(here[1] - 3, 0) : here[1] + 4] |= ~solid[
            max(here[0] - 3, 0) : here[0] + 4, max(here[1] - 3, 0) : here[1] + 4
        ]
        edge = cv2.dilate(unknown.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
        self._edge = self._free & edge & (clearance > radius + 0.1)
        price = 1.0 + 4.0 * np.clip(1.0 - clearance / 0.45, 0.0, 1.0)
        self._reach, self._before = dijkstra(
            _graph(self._free, price), indices=here[0] * self._free.shape[1] + here[1], return_predecessors=True
        )

    def _cell(self, point: Array) -> NDArray[np.int64]:
        return (self._grid.cells(np.asarray(point)[None, :2])[0] - self._low) // WAY

    def to(self, goal: Array, near: float = 0.3) -> Array:
        """Points (n, 2) [m] to a free place within `near` [m] of `goal`; none: there is no way."""
        middle, n = self._cell(goal), self._free.shape[1]
        half = max(1, round(near / CELL / WAY))
        rows = slice(max(middle[0] - half, 0), middle[0] + half + 1)
        columns = slice(max(middle[1] - half, 0), middle[1] + half + 1)
        reach = self._reach.reshape(-1, n)[rows, columns]
        at = np.argwhere(np.isfinite(reach)) + (rows.start, columns.start)
        if not len(at):
            return np.zeros((0, 2))
        return self._back(at[np.hypot(*(at - middle).T).argmin()])

    def to_frontier(self, avoid: list[Array]) -> Array:
        """To the nearest edge of what is known; none: nothing is left, or only what lies near `avoid`."""
        _, labels, stats, _ = cv2.connectedComponentsWithStats(self._edge.astype(np.uint8), connectivity=8)
        reach = self._reach.reshape(labels.shape)
        at = np.argwhere((stats[labels, cv2.CC_STAT_AREA] >= 4) & (labels > 0) & np.isfinite(reach))
        if len(at) and avoid:
            points = self._grid.points(at * WAY + self._low)
            at = at[np.min([np.hypot(*(points - p).T) for p in avoid], axis=0) > 0.6]
        far = reach[at[:, 0], at[:, 1]] if len(at) else np.zeros(0)
        at, far = at[far > 0.4], far[far > 0.4]
        return self._back(at[far.argmin()]) if len(at) else np.zeros((0, 2))

    def _back(self, cell: NDArray[np.int64]) -> Array:
        n, node = self._free.shape[1], int(cell[0] * self._free.shape[1] + cell[1])
        nodes = [node]
        while self._before[node] >= 0:
            node = int(self._before[node])
            nodes.append(node)
        cells = np.stack(np.divmod(np.array(nodes[::-1]), n), -1)
        return self._grid.points(cells * WAY + self._low + WAY // 2)


def _graph(free: NDArray[np.bool_], price: NDArray[np.float64]) -> coo_array:
    nx, ny = free.shape
    number, rows, columns, costs = np.arange(nx * ny).reshape(nx, ny), [], [], []
    for di, dj in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = (slice(None, -di or None), slice(None, -dj) if dj > 0 else slice(-dj, None))
        there = (slice(di, None), slice(dj, None) if dj >= 0 else slice(None, dj))
        both = free[here] & free[there]
        rows.append(number[here][both])
        columns.append(number[there][both])
        costs.append(np.hypot(di, dj) * CELL * WAY * (price[here] + price[there])[both] / 2)
    r, c, w = (np.concatenate(v) for v in (rows, columns, costs))
    return coo_array((np.r_[w, w], (np.r_[r, c], np.r_[c, r])), shape=(nx * ny, nx * ny)).tocsr()
