"""Whether scans are of now: a laser on a robot that moves sees things come and go as odometry says.

A driver that hangs sends old scans with new stamps: one, several in turn, or with a little noise on them. Two questions
find that out. Does a scan repeat an earlier one to the last bit? And does it look like an earlier one where the way
driven since should have changed it?
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass

import numpy as np

from ami_ros.commands import Command
from ami_ros.geometry import Array, compose, relative, wrap
from ami_ros.safety.motion import LEVER
from ami_ros.scan import Scan

MOVED = 0.02  # [m] and [rad] from which a laser that sees something cannot measure the same to the last bit
KEPT_EXACT = 256  # scans that are known to the last bit
STILL = np.array([0.02, 0.02, 0.03])  # [m/s, m/s, rad/s] up to which odometry is taken for drift of a robot that stands

APART = 0.025  # [m] of way between the scans that are kept to compare with
KEPT = 16  # of them: 0.4 m of way, or a turn of 0.8 rad
MOST_BEAMS = 180  # of a scan that are compared
SWEEP = 0.2  # [s] that a turn of the laser may take: by as much beams may be off the pose of their scan
TOUCHING = 0.2  # [m] between neighbouring returns of one surface
CLEAR = 0.01  # [m] by which the way must change a range for the beam to tell anything
STRONGEST = 0.3  # [m] of change that a beam counts for at most: edges of things tell little
SURE = 0.15  # [m] of change, over all beams that tell (root of the sum of squares), from which they are believed
TOLD = 8  # beams that have to tell
STALE = 0.4  # share of the change that should have been seen, below which it was not
LASTS = 0.4  # [s] of doubt, after which a laser has to prove itself once the robot has turned ...
TURNED = 0.005  # ... by so much [rad]: one of several scans in turn may fit where the robot looks by chance
PROVING = 6  # scans running that change as a turn says, after which a laser that was doubted is believed ...
PROOF = 0.15  # [m] of way over which they do: a turn of 0.3 rad, more than several scans in turn pretend


@dataclass(frozen=True)
class _Reference:
    """A scan that was believed."""

    pose: Array  # (3,) of the scanner, without drift while standing
    velocity: Array  # (3,) x, y [m/s] and turn [rad/s] of the robot
    angles: Array  # (n,) [rad] of beams, in the frame of the scanner
    ranges: Array  # (n,) [m]; NaN where nothing returned
    unsure: float = 0.0  # [m] of the pose


class Liveness:
    """Remembers scans that were believed, and compares the next ones with them."""

    def __init__(self) -> None:
        self._exact: OrderedDict[bytes, tuple[Array, float]] = OrderedDict()  # ranges -> first pose (3,), and doubt [m]
        self._kept: deque[_Reference] = deque(maxlen=KEPT)
        self._pose: Array = np.zeros(3)  # of the robot, without drift while standing
        self._last: tuple[Array, float] | None = None  # pose and stamp of the last scan
        self._believed = -math.inf  # stamp of the last scan that was [s]
        self._doubted: Array | None = None  # (3,) pose of the scanner when doubt began to last; None: there is none
        self._turned = 0.0  # [rad] at most since then
        self._proof: tuple[_Reference, int] | None = None  # a scan since then, and how many running agree with it

    def doubt(self, scan: Scan, pose: Array, velocity: Command, stamp: float, unsure: float = 0.0) -> str:
        """A scan came.

        Args:
            scan: in base_link.
            pose: (3,) of base_link in a frame that odometry moves it in.
            velocity: three numbers, as odometry measures it.
            stamp: when the scan was measured [s].
            unsure: by how much `pose` may be wrong, beyond the usual [m].

        Returns:
            Why it is not of now; "" if it may be.
        """
        self._follow(pose, stamp)
        seen = self._reference(scan, velocity, unsure)
        if not np.isfinite(seen.ranges).any():
            return ""
        problem = self._is_old(scan, pose, seen)
        if self._doubted is not None:
            self._turned = max(self._turned, abs(float(wrap(seen.pose[2] - self._doubted[2]))))
        if self._doubted is not None and self._is_proven(seen):
            self._exact.clear()  # what was seen before lies elsewhere: the wheels have slipped
            self._kept.clear()
        elif self._turned > TURNED:
            return problem or "scans were not of now; a turn on the spot shows whether they are again"
        elif problem:
            if self._doubted is None and stamp - self._believed > LASTS:
                self._doubted, self._proof = seen.pose, None
            return problem
        self._doubted, self._turned, self._believed = None, 0.0, stamp
        if not self._kept or _way(relative(self._kept[-1].pose, seen.pose)) >= APART:
            self._kept.append(seen)
        return ""

    def _is_old(self, scan: Scan, pose: Array, seen: _Reference) -> str:
        """Why a scan is one from before the robot moved; "" if it may not be."""
        first, unsure = self._exact.setdefault(scan.ranges.tobytes(), (pose, seen.unsure))
        if len(self._exact) > KEPT_EXACT:
            self._exact.popitem(last=False)
        if (np.abs(relative(first, pose)) > MOVED + unsure + seen.unsure).any():
            return "the scan repeats one from before the robot moved, to the last bit; does its driver hang?"
        if any(_looks_like(seen, kept) for kept in self._kept):
            return "the scan looks like one from before the robot moved; does its driver hang, or do the wheels slip?"
        return ""

    def _is_proven(self, seen: _Reference) -> bool:
        """Whether scans since the doubt change as the motion since then says."""
        if self._proof is None:
            self._proof = seen, 0
            return False
        start, agreeing = self._proof
        told = _told(seen, start)
        if told is None:
            return False
        change, found, weight = told
        if abs(_weighted_median(found / change, weight) - 1.0) > STALE:
            self._proof = seen, 0
            return False
        self._proof = start, agreeing + 1
        return agreeing + 1 >= PROVING and _way(relative(start.pose, seen.pose)) >= PROOF

    def came_late(self, scan: Scan, pose: Array) -> None:
        """A scan came after one that repeats it: it was measured at this pose (3,)."""
        self._exact[scan.ranges.tobytes()] = pose, 0.0

    def _follow(self, pose: Array, stamp: float) -> None:
        if self._last is not None:
            before, since = self._last
            step = relative(before, pose)
            if stamp <= since or (np.abs(step) > STILL * (stamp - since)).any():
                self._pose = compose(self._pose, step)
        self._last = pose, stamp

    def _reference(self, scan: Scan, velocity: Command, unsure: float) -> _Reference:
        every = math.ceil(len(scan.ranges) / MOST_BEAMS)
        ranges = scan.ranges[::every].astype(np.float64)
        ranges[~((ranges > 0) & (ranges < scan.max_range))] = np.nan
        linear, angular, lateral = velocity
        scanner = compose(self._pose, np.array([*scan.origin, 0.0]))
        return _Reference(scanner, np.array([linear, lateral, angular]), scan.angles[::every], ranges, unsure)


def _way(move: Array) -> float:
    """How far [m] a motion (3,) leads, turning included."""
    return math.hypot(move[0], move[1]) + LEVER * abs(float(move[2]))


def _told(now: _Reference, before: _Reference) -> tuple[Array, Array, Array] | None:
    """What beams (k,) that tell should have changed by since an earlier scan [m], what they did, and how much each
    counts; None: they tell nothing."""
    if not np.array_equal(now.angles, before.angles):
        return None
    move = relative(before.pose, now.pose)
    swept = SWEEP * _way(now.velocity - before.velocity)
    if _way(move) < max(APART, 2 * (swept + now.unsure + before.unsure)):
        return None
    change = expected(before, move) - before.ranges
    seen = now.ranges - before.ranges
    tells = np.isfinite(change) & np.isfinite(seen)
    tells[tells] = np.abs(change[tells]) > CLEAR
    change, seen = change[tells], seen[tells]
    weight = np.minimum(np.abs(change), STRONGEST)
    if len(change) < TOLD or math.sqrt(float((weight**2).sum())) < SURE:
        return None
    return change, seen, weight


def _looks_like(now: _Reference, before: _Reference) -> bool:
    """Whether a scan shows what an earlier one did although the robot has moved far enough to see something else."""
    if (told := _told(now, before)) is None:
        return False
    change, seen, weight = told
    share = _weighted_median(seen / change, weight)
    return abs(share) < STALE and float(np.median(np.abs(seen))) < STALE * float(np.median(np.abs(change)))


def expected(before: _Reference, move: Array) -> Array:
    """Ranges (n,) [m] that the beams of a scan should have after a motion (3,) of the scanner; NaN where that is not
    known: between things, and where nothing was seen."""
    seen = np.flatnonzero(np.isfinite(before.ranges))
    ends = before.ranges[seen, None] * np.column_stack([np.cos(before.angles[seen]), np.sin(before.angles[seen])])
    away = ends - move[:2]
    bearing, far = np.arctan2(away[:, 1], away[:, 0]) - move[2], np.hypot(away[:, 0], away[:, 1])
    first = before.angles.min() - 0.5 * np.pi / MOST_BEAMS
    order = np.argsort(bearing := (bearing - first) % (2 * np.pi))
    bearing, far, ends = bearing[order], far[order], ends[order]
    wanted = (before.angles - first) % (2 * np.pi)
    after = np.searchsorted(bearing, wanted)
    inside = (after > 0) & (after < len(bearing))
    after = np.clip(after, 1, max(1, len(bearing) - 1))
    if len(bearing) < 2:
        return np.full(len(wanted), np.nan)
    gap = np.maximum(bearing[after] - bearing[after - 1], 1e-9)
    share = (wanted - bearing[after - 1]) / gap
    surface = np.hypot(*(ends[after] - ends[after - 1]).T) < TOUCHING + 0.1 * far[after]
    ranges = far[after - 1] + share * (far[after] - far[after - 1])
    return np.where(inside & surface, ranges, np.nan)


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
