"""A scan in pieces: neighbouring end points that lie on one thing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.moving.config import TrackerConfig
from ami_ros.scan import Scan, is_full_turn


@dataclass(frozen=True)
class Segments:
    """Pieces of one scan, in its frame; point k lies on segment `of[k]`.

    Attributes:
        points: (n, 2) end points [m].
        beams: (n,) their beams.
        of: (n,) their segment, 0 to m - 1.
        count: (m,) points of each.
        centre: (m, 2) mean of its points [m].
        width: (m,) from its first to its last point [m].
        middle: (m, 2) the one in the middle of its points, which lies on the thing, as the mean may not.
    """

    points: Array
    beams: NDArray[np.intp]
    of: NDArray[np.intp]
    count: NDArray[np.intp]
    centre: Array
    width: Array
    middle: Array

    def mean(self, values: Array) -> Array:
        """The mean (m,) over each segment of `values` (n,), one for each point."""
        return np.asarray(np.bincount(self.of, values, len(self.count)) / np.maximum(self.count, 1))


def segments_of(scan: Scan, config: TrackerConfig) -> Segments:
    """Pieces of a `scan`, in its frame. Points that are farther apart than beams on a slanting surface are cut."""
    ranges = scan.ranges.astype(np.float64)
    beams = np.flatnonzero(np.isfinite(ranges) & (ranges > config.min_range) & (ranges < config.max_range))
    ranges, angles = ranges[beams], scan.angles[beams]
    points = np.column_stack([ranges * np.cos(angles), ranges * np.sin(angles)]) + scan.origin
    if not len(beams):
        none = np.zeros(0, np.intp)
        return Segments(points, beams, none, none, np.zeros((0, 2)), np.zeros(0), np.zeros((0, 2)))
    before = np.roll(points, 1, axis=0)
    nearest = np.minimum(ranges, np.roll(ranges, 1))
    joined = np.hypot(*(points - before).T) < np.maximum(config.gap, 2.5 * abs(scan.angle_increment) * nearest)
    if not is_full_turn(scan):
        joined[0] = False
    cuts = ~joined
    first = int(cuts.argmax()) if cuts.any() else 0
    of = (np.cumsum(cuts) - 1) % max(int(cuts.sum()), 1)  # the first points may belong to the last segment
    order = np.roll(np.arange(len(of)), -first)
    points, beams, of = points[order], beams[order], of[order]
    count = np.bincount(of)
    stop = np.cumsum(count)
    width = np.hypot(*(points[stop - 1] - points[stop - count]).T)
    centre = np.column_stack([np.bincount(of, points[:, axis]) for axis in (0, 1)]) / count[:, None]
    return Segments(points, beams, of, count, centre, width, points[stop - (count + 1) // 2])
