"""What stands around a robot whose laser does not look all round: its newest scan, and what those before it met."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, pose_gap, relative, transform_points
from ami_ros.scan import Scan, is_full_turn, scan_points

APART = 0.15, 0.2  # [m], [rad]: a scan nearer than this to the one that was kept before it shows nothing new
KEPT = 30  # scans
REACH = 4.0  # [m] from the scanner, up to which what stands is kept
BEHIND = 0.08  # [m] by which a scan has to look past something for it to be gone


class _Met(NamedTuple):
    pose: Array  # (3,) of base_link in odom, of the scan
    points: Array  # (n, 2) in odom that it met, and no later scan has looked at


class RollingScan:
    """The scans of the newest few metres, by odometry.

    What a later one looked at is as that one saw it, the rest stands where it stood. Of free ground it tells nothing.
    """

    def __init__(self) -> None:
        self._met: deque[_Met] = deque(maxlen=KEPT)

    def clear(self) -> None:
        """Forgets everything: odometry begins anew."""
        self._met.clear()

    def add(self, scan: Scan, pose: Array) -> None:
        """A `scan` in base_link, taken at `pose` (3,) in odom; one that looks all round needs no others."""
        if is_full_turn(scan):
            return
        if self._met:
            distance, turn = pose_gap(self._met[-1].pose, pose)
            if distance < APART[0] and turn < APART[1]:
                return
        back = relative(pose, np.zeros(3))
        for k, met in enumerate(self._met):
            hidden = ~_looked_at(transform_points(back, met.points), scan)
            self._met[k] = met._replace(points=met.points[hidden])
        self._met.append(_Met(np.array(pose, np.float64), transform_points(pose, scan_points(scan, REACH))))

    def completed(self, scan: Scan, pose: Array) -> Scan:
        """A `scan` of `pose` (3,) in odom with beams all round: those that it lacks tell what earlier scans met there,
        or are NaN."""
        if is_full_turn(scan):
            return scan
        own, step = len(scan.ranges), scan.angle_increment
        lacks = round(2 * math.pi / abs(step)) - own
        points = transform_points(
            relative(pose, np.zeros(3)), np.concatenate([np.zeros((0, 2)), *(met.points for met in self._met)])
        )
        beam, distance = _beams(points, scan)
        near = np.full(own + lacks, np.inf)
        met = beam < len(near)
        np.minimum.at(near, beam[met], distance[met])
        # Between two beams of an earlier scan, which was farther off.
        near = np.where(np.isfinite(near), near, np.minimum(np.roll(near, 1), np.roll(near, -1)))[own:]
        filled = np.where(np.isfinite(near), near, np.nan).astype(np.float32)
        return replace(scan, ranges=np.concatenate([scan.ranges, filled]))


def _beams(points: Array, scan: Scan) -> tuple[NDArray[np.int64], Array]:
    """Which beam, by its number from the scan's first one on, looks at `points` (n, 2) in base_link, and how far off
    [m] they are from the scanner: (n,) each."""
    x, y = (points - scan.origin).T
    step = scan.angle_increment
    offset = math.copysign(1.0, step) * (np.arctan2(y, x) - scan.angle_min) + abs(step) / 2
    return (offset % (2 * np.pi) // abs(step)).astype(np.int64), np.hypot(x, y)


def _looked_at(points: Array, scan: Scan) -> NDArray[np.bool_]:
    """Which of `points` (n, 2) in base_link a scan shows, or shows to be there no more: (n,)."""
    beam, distance = _beams(points, scan)
    looks = beam < len(scan.ranges)
    ranges = scan.ranges[np.where(looks, beam, 0)]  # NaN: it does not know
    return np.asarray(looks & (ranges > 0) & (distance < np.minimum(ranges, scan.max_range) + BEHIND))
