"""What a laser saw around a spot, small enough to keep: a few hundred points on walls, and how far it was free."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.scan import Scan, scan_points

REACH, FARTHEST = 12.0, 40.0  # [m] from the spot to what is kept; up to the latter where most lies farther off
GRAIN = 0.10  # [m] side of the squares of which each keeps one point
MOST_POINTS = 700  # of a submap; beyond it they are thinned out
RAYS = 180  # directions in which free space is known
_UNIT = 0.002  # [m] of what is packed: FARTHEST fits into int16
_FREE = np.append(0.06 * np.arange(201), REACH + 0.52 * np.arange(1, 56))  # [m] of each byte that is packed
_HEADER = struct.Struct("<BH")
_VERSION = 1


@dataclass(frozen=True)
class Submap:
    """Surroundings in the frame of a spot.

    Attributes:
        points: (n, 2) float64 [m] where the laser met something, at most FARTHEST away.
        free: (RAYS,) float64 [m] that were seen to be free in each direction, from straight ahead to the left; NaN
            where nothing was seen.
    """

    points: Array
    free: Array

    def __len__(self) -> int:
        return len(self.points)

    @cached_property
    def normals(self) -> Array:
        """(n, 2) of unit length, across the wall at each point; 0 where there is no wall. Finding them takes 1 ms."""
        return wall_normals(self.points)

    @cached_property
    def reach(self) -> float:
        """How far it goes [m]: what lies farther off was seen and left out, or not seen."""
        return max(REACH, float(np.hypot(*self.points.T).max(initial=0.0)))

    def pack(self) -> bytes:
        """As bytes: 4 for each point and 1 for each direction."""
        nearest = np.searchsorted((_FREE[1:] + _FREE[:-1]) / 2, np.nan_to_num(self.free))
        free = np.where(np.isnan(self.free), 0, np.maximum(nearest, 1)).astype(np.uint8)
        points = np.round(self.points / _UNIT).astype("<i2")
        return _HEADER.pack(_VERSION, len(points)) + free.tobytes() + points.tobytes()

    @classmethod
    def unpack(cls, content: bytes) -> Submap | None:
        """What `pack` made; None where it makes no sense."""
        free = cls.unpack_free(content)
        if free is None:
            return None
        points = np.frombuffer(content, "<i2", -1, _HEADER.size + RAYS).astype(np.float64).reshape(-1, 2) * _UNIT
        return cls(points, free)

    @staticmethod
    def unpack_free(content: bytes) -> Array | None:
        """Of what `pack` made, `free` alone, in a tenth of the time: walls have no directions then."""
        head = _HEADER.size + RAYS
        if len(content) < head:
            return None
        version, count = _HEADER.unpack_from(content)
        if version != _VERSION or len(content) != head + 4 * count:
            return None
        free = _FREE[np.frombuffer(content, np.uint8, RAYS, _HEADER.size)]
        return np.where(free > 0, free, np.nan)


def submap_of(points: Array, free: Array) -> Submap:
    """A submap of all `points` (n, 2) around a spot, of which many may lie on one another."""
    distance = np.hypot(*points.T)
    middle = 2.0  # times the median distance of what is seen, as far as it reaches in between
    reach = min(max(REACH, middle * float(np.median(distance))), FARTHEST) if len(points) else REACH
    near = thin(points[distance < reach])
    if len(near) > MOST_POINTS:
        near = near[np.linspace(0, len(near) - 1, MOST_POINTS).astype(int)]
    return Submap(near, free)


def thin(points: Array) -> Array:
    """One of the points (n, 2) in each square of GRAIN: their mean."""
    if not len(points):
        return points
    cells = np.floor(points / GRAIN).astype(np.int64)
    cells -= cells.min(axis=0)
    _, which, count = np.unique(
        cells[:, 0] * (cells[:, 1].max() + 1) + cells[:, 1], return_inverse=True, return_counts=True
    )
    which = which.ravel()
    return np.column_stack([np.bincount(which, points[:, k]) / count for k in (0, 1)])


def wall_normals(points: Array) -> Array:
    """Unit vectors (n, 2) across the wall that each of the points (n, 2) lies on; 0 where they form none."""
    neighbours = 6  # points by which the direction of a wall is found
    wall = 0.35  # [m] to the farthest of them; farther, and it is no wall ...
    sparse = 0.12  # ... unless it is as far off as beams that are five degrees apart let neighbours be [m per m]
    if len(points) < neighbours:
        return np.zeros_like(points)
    distance, rows = cKDTree(points).query(points, neighbours)
    near = (distance < np.maximum(wall, sparse * np.hypot(*points.T))[:, None]).astype(np.float64)
    count = near.sum(axis=1)
    around = points[rows]
    around = (around - (around * near[..., None]).sum(axis=1, keepdims=True) / count[:, None, None]) * near[..., None]
    xx, yy, xy = (around[..., 0] ** 2).sum(1), (around[..., 1] ** 2).sum(1), (around[..., 0] * around[..., 1]).sum(1)
    half, mean = np.hypot((xx - yy) / 2, xy), (xx + yy) / 2
    along = 0.5 * np.arctan2(2 * xy, xx - yy)  # the main axis of the scatter
    is_wall = (count >= 3) & (mean - half < 0.15 * (mean + half))
    return np.column_stack([-np.sin(along), np.cos(along)]) * is_wall[:, None]


def free_distance(scan: Scan, most: float = FARTHEST, silent: float = REACH) -> Array:
    """How far (RAYS,) [m] a scan saw free space in each direction from base_link; NaN where it has no beam.

    Of several beams in one direction the shortest counts. The scanner is taken to sit at base_link. Where nothing
    returned it counts as free up to `silent` [m]: what is farther off may be dark, or aslant.
    """
    ranges = scan.ranges.astype(np.float64)
    ranges = np.minimum(np.where(np.isinf(ranges), silent, ranges), min(most, scan.max_range))
    known = ~np.isnan(ranges)
    rows = np.round(scan.angles[known] / (2 * np.pi / RAYS)).astype(np.int64) % RAYS
    free = np.full(RAYS, np.inf)
    np.minimum.at(free, rows, ranges[known])
    return np.where(np.isfinite(free), free, np.nan)


def scan_of(free: NDArray[np.floating]) -> Scan:
    """What `free_distance` made of a scan, as one of RAYS beams: where it was as free as the laser tells of nothing,
    nothing returned."""
    reach = min(float(np.nanmax(free)), REACH) if not np.isnan(free).all() else 0.0
    ranges = np.where(np.abs(free - reach) < GRAIN, np.inf, free)
    return Scan(ranges.astype(np.float32), 0.0, 2 * np.pi / RAYS, max_range=reach)


def points_of(scan: Scan) -> Array:
    """Points (n, 2) [m] in base_link, thinned out."""
    return thin(scan_points(scan, min(scan.max_range, FARTHEST)))


def joined(parts: list[tuple[Array, Array]]) -> Array:
    """Points of several scans (n, 2), each given in the frame of a pose (3,), in the frame of those poses' parent."""
    return np.concatenate([transform_points(pose, points) for pose, points in parts]) if parts else np.zeros((0, 2))


Rows = NDArray[np.int64]
