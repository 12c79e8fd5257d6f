"""A scan in pieces: neighbouring end points that lie on one thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.moving.config import TrackerConfig
from ami_ros.scan import Scan


@dataclass(frozen=True)
class Segments:
    """Pieces of one scan, in its frame; point k lies on segment `of[k]`.

    Attributes:
        points: (n, 2) end points [m].
        order: (n,) their numbers among the ends.
        of: (n,) their segment, 0 to m - 1.
        count: (m,) points of each.
        centre: (m, 2) mean of its points [m].
        spacing: (m,) of beams at its distance, on average [m].
        width: (m,) from its first to its last point [m].
        middle: (m, 2) the one in the middle of its points, which lies on the thing, as the mean may not.
    """

    points: Array
    order: NDArray[np.intp]
    of: NDArray[np.intp]
    count: NDArray[np.intp]
    centre: Array
    spacing: Array
    width: Array
    middle: Array

    def mean(self, values: Array) -> Array:
        """The mean (m,) over each segment of `values` (n,), one for each end."""
        return np.asarray(np.bincount(self.of, values[self.order], len(self.count)) / np.maximum(self.count, 1))


@dataclass(frozen=True)
class Ends:
    """Where the beams of one scan end, in its frame; in the order of the beams."""

    points: Array  # (n, 2) [m]
    beams: NDArray[np.intp]  # (n,)
    spacing: Array  # (n,) to what the next beam would meet at that distance [m]


def ends_of(scan: Scan, config: TrackerConfig) -> Ends:
    """The end points of a `scan` that tracking uses, in its frame."""
    ranges = scan.ranges.astype(np.float64)
    beams = np.flatnonzero(np.isfinite(ranges) & (ranges > config.min_range) & (ranges < config.max_range))
    ranges, angles = ranges[beams], scan.angles[beams]
    points = np.column_stack([ranges * np.cos(angles), ranges * np.sin(angles)]) + scan.origin
    return Ends(points, beams, abs(scan.angle_increment) * ranges)


def segments_of(ends: Ends, stands: NDArray[np.bool_], all_round: bool, config: TrackerConfig) -> Segments:
    """The pieces of a scan, cut where two points are farther apart than beams on a slanting surface, and between what
    `stands` (n,) where it stood and what does not: a leg beside a wall.

    Args:
        ends: of a scan.
        stands: (n,) for each of them.
        all_round: whether the last beam is a neighbour of the first.
        config: see there.
    """
    points = ends.points
    if not len(points):
        none = np.zeros(0, np.intp)
        return Segments(points, none, none, none, np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros((0, 2)))
    nearest = np.minimum(ends.spacing, np.roll(ends.spacing, 1))
    gaps = np.hypot(*(points - np.roll(points, 1, axis=0)).T)
    cuts = (gaps > np.clip(2.5 * nearest, config.gap, config.widest_gap)) | (stands != np.roll(stands, 1))
    cuts[0] |= not all_round
    first = int(cuts.argmax()) if cuts.any() else 0  # the points before it belong to the last segment
    order = np.roll(np.arange(len(cuts)), -first)
    points, of = points[order], np.maximum(np.cumsum(cuts[order]) - 1, 0)
    count = np.bincount(of)
    stop = np.cumsum(count)
    width = np.hypot(*(points[stop - 1] - points[stop - count]).T)
    centre = np.column_stack([np.bincount(of, points[:, axis]) for axis in (0, 1)]) / count[:, None]
    spacing = np.bincount(of, ends.spacing[order]) / count
    return Segments(points, order, of, count, centre, spacing, width, points[stop - (count + 1) // 2])
