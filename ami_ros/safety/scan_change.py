"""How a scan differs from an earlier one, beside how it should: by the way that the laser came since."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

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

    @cached_property
    def ends(self) -> Array:
        """Where the beams end (n, 2) [m], in the frame of the scanner."""
        return np.asarray(self.ranges[:, None] * np.column_stack([np.cos(self.angles), np.sin(self.angles)]))

    def looks_as(self, other: Reference) -> bool:
        """Whether its beams point where those of the other do."""
        return self.angles is other.angles or np.array_equal(self.angles, other.angles)


@dataclass(frozen=True)
class Changes:
    """What each beam should have changed by since each of m earlier scans [m], what it did, and how much it counts."""

    wanted: Array  # (m, n)
    seen: Array  # (m, n)
    weight: Array  # (m, n) [m]; 0: it tells nothing
    is_exact: NDArray[np.bool_]  # (m,) the way is known well enough to tell how much of the change was seen
    earlier: tuple[Reference, ...] = ()  # the m scans

    @classmethod
    def since(cls, earlier: Iterable[Reference], now: Reference) -> Changes:
        """Since those of the earlier scans of which anything can be told."""
        found = [
            (before, move, way(move) >= 2 * (SWEEP * way(now.velocity - before.velocity) + unsure))
            for before in earlier
            if before.looks_as(now)
            and way(move := relative(before.pose, now.pose)) >= max(APART, 2 * (unsure := now.unsure + before.unsure))
        ]
        if not found:
            nothing = np.zeros((0, len(now.ranges)))
            return cls(nothing, nothing, nothing, np.zeros(0, dtype=bool))
        befores, moves, exact = zip(*found, strict=True)
        ranges = np.stack([before.ranges for before in befores])
        wanted, seen = expected(befores, np.stack(moves)) - ranges, now.ranges - ranges
        size = np.abs(wanted)
        tells = (size > CLEAR) & np.isfinite(seen)
        return cls(wanted, seen, np.where(tells, np.minimum(size, STRONGEST), 0.0), np.array(exact), befores)

    def shares(self) -> Array:
        """How much of each change (m,) was seen: 1 for a laser that lives, 0 for an old scan. NaN: too few beams
        tell."""
        tells = self.weight > 0
        enough = self.is_exact & (tells.sum(1) >= TOLD) & ((self.weight**2).sum(1) >= SURE**2)
        share = np.divide(self.seen, self.wanted, out=np.full(tells.shape, np.inf), where=tells)
        return np.where(enough, _weighted_medians(share, self.weight), np.nan)

    def none_since(self, accusing: Sequence[Reference]) -> list[Reference]:
        """Those of the earlier scans that this one looks like, although the robot has moved far enough to see something
        else. One that was `accusing` before stays so until the way is known well enough to tell again."""
        shares, found = self.shares(), []
        for k, before in enumerate(self.earlier):
            if np.isnan(shares[k]):
                if any(before is each for each in accusing):
                    found.append(before)
            elif abs(shares[k]) < STALE:
                wanted, seen = (np.abs(each[k, self.weight[k] > 0]) for each in (self.wanted, self.seen))
                if np.median(seen) < STALE * np.median(wanted):
                    found.append(before)
        return found


class OldSectors:
    """Which parts of the view are not of now: one of several lasers that are merged may hang alone.

    A part is old once most of it repeats an earlier scan to the last bit, although the robot has moved far enough for
    it to show something else. It is so until it shows anything else.
    """

    def __init__(self) -> None:
        self._old = np.zeros(SECTORS, dtype=bool)
        self._ranges = np.zeros(0)  # (n,) [m] of the newest scan

    def look(self, now: Reference, changes: Changes) -> NDArray[np.bool_]:
        """A scan came, with its changes since earlier ones. Which of its beams (n,) are not of now."""
        half = np.floor(now.angles % (2 * math.pi) * (SECTORS / (2 * math.pi))).astype(int) % SECTORS
        if len(self._ranges) != len(now.ranges):
            self._old[:], self._ranges = False, now.ranges
        same = (now.ranges == self._ranges) | (np.isnan(now.ranges) & np.isnan(self._ranges))
        alike, number = _over(half, np.stack([same, np.ones_like(same)]))
        self._old &= 2 * alike > number
        clear = changes.weight > REPEATED
        of_all = _over(half, clear)
        repeats = 2 * _over(half, clear & (changes.seen == 0.0)) > of_all
        self._old |= ((of_all >= TOLD) & repeats).any(0)
        self._ranges = now.ranges
        return np.asarray(self._old[half] | self._old[half - 1])


def way(move: Array) -> float:
    """How far [m] a motion (3,) leads, turning included."""
    return math.hypot(move[0], move[1]) + LEVER * abs(float(move[2]))


def expected(earlier: Sequence[Reference], moves: Array) -> Array:
    """Ranges (m, n) [m] that the beams of each of m scans that look alike should have after a motion (m, 3) of the
    scanner; NaN where that is not known: between things, and where nothing was seen."""
    angles, ends = earlier[0].angles, np.stack([before.ends for before in earlier])
    x, y = ends[..., 0], ends[..., 1]
    away_x, away_y = x - moves[:, 0, None], y - moves[:, 1, None]
    bearing, far = np.arctan2(away_y, away_x) - moves[:, 2, None], np.hypot(away_x, away_y)
    first = angles.min() - 0.5 * np.pi / MOST_BEAMS
    order = np.argsort(bearing := (bearing - first) % (2 * np.pi), axis=1)  # beams without a return come last
    bearing, far, x, y = (np.take_along_axis(each, order, 1) for each in (bearing, far, x, y))
    wanted, known = (angles - first) % (2 * np.pi), np.isfinite(bearing).sum(1)
    after = np.stack([row[:count].searchsorted(wanted) for row, count in zip(bearing, known, strict=True)])
    inside = (after > 0) & (after < known[:, None])
    last = np.arange(len(after))[:, None] * bearing.shape[1] + after

    def step(values: Array) -> tuple[Array, Array]:
        """Values (m, n) of the end before each beam, and how much more the one behind it has."""
        before = values.take(last - 1, mode="clip")
        return before, values.take(last, mode="clip") - before

    (start, gap), (near, more) = step(bearing), step(far)
    share = (wanted - start) / np.maximum(gap, 1e-9)
    surface = np.hypot(step(x)[1], step(y)[1]) < TOUCHING + 0.1 * far.take(last, mode="clip")
    return np.where(inside & surface, near + share * more, np.nan)


def _over(half: NDArray[np.int64], values: NDArray[np.floating] | NDArray[np.bool_]) -> Array:
    """Sums (m, SECTORS) of `values` (m, n) of beams over each sector, which is two neighbouring halves."""
    cells = half + SECTORS * np.arange(len(values))[:, None]
    sums = np.bincount(cells.ravel(), values.ravel(), SECTORS * len(values)).reshape(len(values), SECTORS)
    return np.asarray(sums + np.roll(sums, -1, axis=1))


def _weighted_medians(values: Array, weights: Array) -> Array:
    """Of each row of `values` (m, n); what counts nothing has to be the greatest."""
    order = np.argsort(values, axis=1)
    total = np.cumsum(np.take_along_axis(weights, order, 1), axis=1)
    middle = (total < total[:, -1:] / 2).sum(1, keepdims=True)
    return np.take_along_axis(values, np.take_along_axis(order, middle, 1), 1).ravel()
