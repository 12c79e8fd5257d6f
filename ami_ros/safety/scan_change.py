"""How a scan differs from an earlier one, beside how it should: by the way that the laser came since."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative
from ami_ros.safety.motion import LEVER

APART = 0.025  # [m] of way between scans, below which they are not compared
MOST_BEAMS = 180  # of a scan that are compared
SWEEP = 0.2  # [s] that a turn of the laser may take: by as much beams may be off the pose of their scan
TOUCHING = 0.2  # [m] between neighbouring returns of one surface
CLEAR = 0.01  # [m] by which the way must change a range for the beam to tell anything
STRONGEST = 0.3  # [m] of change that a beam counts for at most: edges of things tell little
SURE = 0.15  # [m] of change, over all beams that tell (root of the sum of squares), from which they are believed
TOLD = 8  # beams that have to tell
STALE = 0.4  # share of the change that should have been seen, below which it was not
REPEATED = 0.03  # [m] of change from which no beam that lives reads the same to the last bit, for most of a sector
SECTORS = 16  # parts of the view: one of 45 degrees begins at every 22.5


@dataclass(frozen=True)
class Reference:
    """A scan, and where it was measured."""

    pose: Array  # (3,) of the scanner, without drift while standing
    velocity: Array  # (3,) x, y [m/s] and turn [rad/s] of the robot
    angles: Array  # (n,) [rad] of beams, in the frame of the scanner
    ranges: Array  # (n,) [m]; NaN where nothing returned
    unsure: float = 0.0  # [m] of the pose


@dataclass(frozen=True)
class Change:
    """What each beam (n,) should have changed by since an earlier scan [m], what it did, and how much it counts."""

    wanted: Array
    seen: Array
    weight: Array  # [m]; 0: it tells nothing
    is_exact: bool  # the way is known well enough to tell how much of the change was seen

    @classmethod
    def since(cls, before: Reference, now: Reference) -> Change | None:
        """None: nothing can be told."""
        if not np.array_equal(now.angles, before.angles):
            return None
        move, unsure = relative(before.pose, now.pose), now.unsure + before.unsure
        swept = SWEEP * way(now.velocity - before.velocity)
        if way(move) < max(APART, 2 * unsure):
            return None
        wanted, seen = expected(before, move) - before.ranges, now.ranges - before.ranges
        tells = np.isfinite(wanted) & np.isfinite(seen)
        tells[tells] = np.abs(wanted[tells]) > CLEAR
        return cls(
            wanted,
            seen,
            np.where(tells, np.minimum(np.abs(wanted), STRONGEST), 0.0),
            way(move) >= 2 * (swept + unsure),
        )

    def share(self) -> float | None:
        """How much of the change was seen: 1 for a laser that lives, 0 for an old scan. None: too few beams tell."""
        tells = self.weight > 0
        if not self.is_exact or tells.sum() < TOLD or (self.weight**2).sum() < SURE**2:
            return None
        return _weighted_median(self.seen[tells] / self.wanted[tells], self.weight[tells])

    def is_none(self) -> bool:
        """Whether the scan shows what the earlier one did, although the robot has moved far enough to see something
        else."""
        if (share := self.share()) is None or abs(share) >= STALE:
            return False
        wanted, seen = (np.abs(each[self.weight > 0]) for each in (self.wanted, self.seen))
        return float(np.median(seen)) < STALE * float(np.median(wanted))


class OldSectors:
    """Which parts of the view are not of now: one of several lasers that are merged may hang alone.

    A part is old once most of it repeats an earlier scan to the last bit, although the robot has moved far enough for
    it to show something else. It is so until it shows anything else.
    """

    def __init__(self) -> None:
        self._old = np.zeros(SECTORS, dtype=bool)
        self._ranges = np.zeros(0)  # (n,) [m] of the newest scan

    def look(self, now: Reference, changes: Iterable[Change]) -> NDArray[np.bool_]:
        """A scan came, which changed so since earlier ones. Which of its beams (n,) are not of now."""
        half = np.floor(now.angles % (2 * math.pi) * (SECTORS / (2 * math.pi))).astype(int) % SECTORS
        if len(self._ranges) != len(now.ranges):
            self._old[:], self._ranges = False, now.ranges
        same = (now.ranges == self._ranges) | (np.isnan(now.ranges) & np.isnan(self._ranges))
        self._old &= _most(half, same, np.ones(len(half)))
        for change in changes:
            clear = change.weight > REPEATED
            enough = _over(half, clear) >= TOLD
            self._old |= enough & _most(half, change.seen == 0.0, clear.astype(np.float64))
        self._ranges = now.ranges
        return np.asarray(self._old[half] | self._old[half - 1])


def way(move: Array) -> float:
    """How far [m] a motion (3,) leads, turning included."""
    return math.hypot(move[0], move[1]) + LEVER * abs(float(move[2]))


def expected(before: Reference, move: Array) -> Array:
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


def _most(half: NDArray[np.int64], told: NDArray[np.bool_], weight: NDArray[np.floating]) -> NDArray[np.bool_]:
    """In which sectors (SECTORS,) beams (n,) that count for so much have been told to be so."""
    return np.asarray(_over(half, weight * told) > _over(half, weight) / 2)


def _over(half: NDArray[np.int64], values: NDArray[np.floating] | NDArray[np.bool_]) -> Array:
    """Sums (SECTORS,) of `values` (n,) of beams over each sector, which is two neighbouring halves."""
    sums = np.bincount(half, values, SECTORS)
    return np.asarray(sums + np.roll(sums, -1))


def _weighted_median(values: Array, weights: Array) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
