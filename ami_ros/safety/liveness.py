"""Whether scans are of now: a laser on a robot that moves sees things come and go as odometry says.

A driver that hangs sends old scans with new stamps: one, several in turn, or with a little noise on them. Two questions
find that out. Does a scan repeat an earlier one to the last bit? And does it look like an earlier one where the way
driven since should have changed it? Where several lasers are merged into one scan, one of them may hang alone. So each
part of the view is asked as well whether it repeats an earlier one to the last bit.

Scans that a network guesses from pictures err by more than a short way changes them. Of them only the first is asked.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, compose, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.safety.motion import LEVER


@dataclass(frozen=True)
class LivenessConfig:
    """From when on a scan is taken for one of before."""

    moved: float = 0.02  # [m] and [rad] from which a laser that sees something cannot measure the same to the last bit
    kept_exact: int = 256  # scans that are known to the last bit
    still: tuple[float, float, float] = (0.02, 0.02, 0.03)  # [m/s, m/s, rad/s] of odometry that drifts while it stands
    kept: int = 16  # scans, `apart` from each other, to compare with: 0.4 m of way, or a turn of 0.8 rad
    apart: float = 0.025  # [m] of way between scans, below which they are not compared
    most_beams: int = 180  # of a scan that are compared
    sweep: float = 0.2  # [s] that a turn of the laser may take: by as much beams may be off the pose of their scan
    touching: float = 0.2  # [m] between neighbouring returns of one surface
    clear: float = 0.01  # [m] by which the way must change a range for the beam to tell anything
    strongest: float = 0.3  # [m] of change that a beam counts for at most: edges of things tell little
    sure: float = 0.15  # [m] of change, over all beams that tell (root of the sum of squares), that are believed
    told: int = 8  # beams that have to tell
    stale: float = 0.4  # share of the change that should have been seen, below which it was not
    sectors: int = 16  # parts of the view: one of 45 degrees begins at every 22.5
    repeated: float = 0.03  # [m] of change that lets no beam that lives read the same, for most of a sector
    lasts: float = 0.4  # [s] of doubt, after which a laser has to prove itself once the robot has turned ...
    turned: float = 0.005  # ... by so much [rad]: one of several scans in turn may fit where the robot looks by chance
    proving: int = 6  # scans running that change as a turn says, after which a laser that was doubted is believed ...
    proof: float = 0.15  # [m] of way over which they do: a turn of 0.3 rad, more than scans in turn pretend


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
    config: LivenessConfig
    earlier: tuple[Reference, ...] = ()  # the m scans

    @classmethod
    def since(cls, earlier: Iterable[Reference], now: Reference, config: LivenessConfig) -> Changes:
        """Since those of the earlier scans of which anything can be told."""
        found = []
        for before in earlier:
            move, unsure = relative(before.pose, now.pose), now.unsure + before.unsure
            if before.looks_as(now) and way(move) >= max(config.apart, 2 * unsure):
                swept = config.sweep * way(now.velocity - before.velocity)
                found.append((before, move, way(move) >= 2 * (swept + unsure)))
        if not found:
            nothing = np.zeros((0, len(now.ranges)))
            return cls(nothing, nothing, nothing, np.zeros(0, dtype=bool), config)
        befores, moves, exact = zip(*found, strict=True)
        ranges = np.stack([before.ranges for before in befores])
        wanted, seen = expected(befores, np.stack(moves), config) - ranges, now.ranges - ranges
        size = np.abs(wanted)
        tells = (size > config.clear) & np.isfinite(seen)
        weight = np.where(tells, np.minimum(size, config.strongest), 0.0)
        return cls(wanted, seen, weight, np.array(exact), config, befores)

    def shares(self) -> Array:
        """How much of each change (m,) was seen: 1 for a laser that lives, 0 for an old scan. NaN: too few beams
        tell."""
        tells, config = self.weight > 0, self.config
        enough = self.is_exact & (tells.sum(1) >= config.told) & ((self.weight**2).sum(1) >= config.sure**2)
        share = np.divide(self.seen, self.wanted, out=np.full(tells.shape, np.inf), where=tells)
        order = np.argsort(share, axis=1)  # what counts nothing comes last
        total = np.cumsum(np.take_along_axis(self.weight, order, 1), axis=1)
        middle = (total < total[:, -1:] / 2).sum(1, keepdims=True)
        medians = np.take_along_axis(share, np.take_along_axis(order, middle, 1), 1).ravel()
        return np.where(enough, medians, np.nan)

    def none_since(self, accusing: Sequence[Reference]) -> list[Reference]:
        """Those of the earlier scans that this one looks like, although the robot has moved far enough to see something
        else. One that was `accusing` before stays so until the way is known well enough to tell again."""
        shares, found = self.shares(), []
        for k, before in enumerate(self.earlier):
            if np.isnan(shares[k]):
                if any(before is each for each in accusing):
                    found.append(before)
            elif abs(shares[k]) < self.config.stale:
                wanted, seen = (np.abs(each[k, self.weight[k] > 0]) for each in (self.wanted, self.seen))
                if np.median(seen) < self.config.stale * np.median(wanted):
                    found.append(before)
        return found


class OldSectors:
    """Which parts of the view are not of now: one of several lasers that are merged may hang alone.

    A part is old once most of it repeats an earlier scan to the last bit, although the robot has moved far enough for
    it to show something else. It is so until it shows anything else.
    """

    def __init__(self, config: LivenessConfig) -> None:
        self._config = config
        self._old = np.zeros(config.sectors, dtype=bool)
        self._ranges = np.zeros(0)  # (n,) [m] of the newest scan

    def look(self, now: Reference, changes: Changes) -> NDArray[np.bool_]:
        """A scan came, with its changes since earlier ones. Which of its beams (n,) are not of now."""
        config, sectors = self._config, self._config.sectors
        half = np.floor(now.angles % (2 * math.pi) * (sectors / (2 * math.pi))).astype(int) % sectors
        if len(self._ranges) != len(now.ranges):
            self._old[:], self._ranges = False, now.ranges
        same = (now.ranges == self._ranges) | (np.isnan(now.ranges) & np.isnan(self._ranges))
        alike, number = _over(half, np.stack([same, np.ones_like(same)]), sectors)
        self._old &= 2 * alike > number
        clear = changes.weight > config.repeated
        of_all = _over(half, clear, sectors)
        repeats = 2 * _over(half, clear & (changes.seen == 0.0), sectors) > of_all
        self._old |= ((of_all >= config.told) & repeats).any(0)
        self._ranges = now.ranges
        return np.asarray(self._old[half] | self._old[half - 1])


def way(move: Array) -> float:
    """How far [m] a motion (3,) leads, turning included."""
    return math.hypot(move[0], move[1]) + LEVER * abs(float(move[2]))


def expected(earlier: Sequence[Reference], moves: Array, config: LivenessConfig) -> Array:
    """Ranges (m, n) [m] that the beams of each of m scans that look alike should have after a motion (m, 3) of the
    scanner; NaN where that is not known: between things, and where nothing was seen."""
    angles, ends = earlier[0].angles, np.stack([before.ends for before in earlier])
    x, y = ends[..., 0], ends[..., 1]
    away_x, away_y = x - moves[:, 0, None], y - moves[:, 1, None]
    bearing, far = np.arctan2(away_y, away_x) - moves[:, 2, None], np.hypot(away_x, away_y)
    first = angles.min() - 0.5 * np.pi / config.most_beams
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
    surface = np.hypot(step(x)[1], step(y)[1]) < config.touching + 0.1 * far.take(last, mode="clip")
    return np.where(inside & surface, near + share * more, np.nan)


def _over(half: NDArray[np.int64], values: NDArray[np.floating] | NDArray[np.bool_], sectors: int) -> Array:
    """Sums (m, sectors) of `values` (m, n) of beams over each sector, which is two neighbouring halves."""
    cells = half + sectors * np.arange(len(values))[:, None]
    sums = np.bincount(cells.ravel(), values.ravel(), sectors * len(values)).reshape(len(values), sectors)
    return np.asarray(sums + np.roll(sums, -1, axis=1))


class Liveness:
    """Remembers scans that were believed, and compares the next ones with them.

    Args:
        measured: whether a sensor measures the scans, so that they change as the way says.
        config: from when on a scan is old.
    """

    def __init__(self, measured: bool = True, config: LivenessConfig | None = None) -> None:
        self._measured, self._config = measured, config or LivenessConfig()
        self._exact: OrderedDict[bytes, tuple[Array, float]] = OrderedDict()  # ranges -> first pose (3,), and doubt [m]
        self._kept: deque[Reference] = deque(maxlen=self._config.kept)
        self._accusing: list[Reference] = []  # those of them that the newest scan looks like, though it should not
        self._pose: Array = np.zeros(3)  # of the robot, without drift while standing
        self._last: tuple[Array, float] | None = None  # pose and stamp of the last scan
        self._believed = -math.inf  # stamp of the last scan that was [s]
        self._doubted: Array | None = None  # (3,) pose of the scanner when doubt began to last; None: there is none
        self._turned = False  # whether the robot has turned since then
        self._proof: tuple[Reference, int] | None = None  # a scan since then, and how many running agree with it
        self._sectors = OldSectors(self._config)
        self.old = np.zeros(0, dtype=bool)  # (n,) beams of the newest scan that are not of now, though others may be

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
        config, every = self._config, math.ceil(len(scan.ranges) / self._config.most_beams)  # of how many one counts
        self._follow(pose, stamp)
        seen = self._reference(scan, velocity, unsure, every)
        changes = Changes.since(self._kept, seen, config)
        self.old = self._sectors.look(seen, changes)[np.arange(len(scan.ranges)) // every]
        if not np.isfinite(seen.ranges).any():
            return ""
        problem = self._is_old(scan, pose, seen, changes)
        if self._doubted is not None:
            self._turned |= abs(float(wrap(seen.pose[2] - self._doubted[2]))) > config.turned
        if self._doubted is not None and self._is_proven(seen):
            self._exact.clear()  # what was seen before lies elsewhere: the wheels have slipped
            self._kept.clear()
        elif self._turned:
            return problem or "scans were not of now; a turn on the spot shows whether they are again"
        elif problem:
            if self._measured and self._doubted is None and stamp - self._believed > config.lasts:
                self._doubted, self._proof = seen.pose, None
            return problem
        self._doubted, self._turned, self._believed = None, False, stamp
        if not self._kept or way(relative(self._kept[-1].pose, seen.pose)) >= config.apart:
            self._kept.append(seen)
        return ""

    def _is_old(self, scan: Scan, pose: Array, seen: Reference, changes: Changes) -> str:
        """Why a scan is one from before the robot moved; "" if it may not be."""
        first, unsure = self._exact.setdefault(scan.ranges.tobytes(), (pose, seen.unsure))
        if len(self._exact) > self._config.kept_exact:
            self._exact.popitem(last=False)
        if (np.abs(relative(first, pose)) > self._config.moved + unsure + seen.unsure).any():
            return "the scan repeats one from before the robot moved, to the last bit; does its driver hang?"
        self._accusing = changes.none_since(self._accusing) if self._measured else []
        if self._accusing:
            return "the scan looks like one from before the robot moved; does its driver hang, or do the wheels slip?"
        return ""

    def _is_proven(self, seen: Reference) -> bool:
        """Whether scans since the doubt change as the motion since then says."""
        config = self._config
        if self._proof is None:
            self._proof = seen, 0
            return False
        start, agreeing = self._proof
        share = Changes.since([start], seen, config).shares()  # (1,), or (0,) where both are too near
        if not np.isfinite(share).any():
            return False
        if (np.abs(share - 1.0) > config.stale).any():
            self._proof = seen, 0
            return False
        self._proof = start, agreeing + 1
        return agreeing + 1 >= config.proving and way(relative(start.pose, seen.pose)) >= config.proof

    def came_late(self, scan: Scan, pose: Array) -> None:
        """A scan came after one that repeats it: it was measured at this pose (3,)."""
        self._exact[scan.ranges.tobytes()] = pose, 0.0

    def _follow(self, pose: Array, stamp: float) -> None:
        if self._last is not None:
            before, since = self._last
            step = relative(before, pose)
            if (np.abs(step) > np.array(self._config.still) * (stamp - since)).any():
                self._pose = compose(self._pose, step)
        self._last = pose, stamp

    def _reference(self, scan: Scan, velocity: Command, unsure: float, every: int) -> Reference:
        """The scan, of which each `every`-th beam counts."""
        ranges = scan.ranges[::every].astype(np.float64)
        ranges[~((ranges > 0) & (ranges < scan.max_range))] = np.nan
        linear, angular, lateral = velocity
        scanner = compose(self._pose, np.array([*scan.origin, 0.0]))
        now = Reference(scanner, np.array([linear, lateral, angular]), scan.angles[::every], ranges, unsure)
        if self._kept and self._kept[-1].looks_as(now):
            return replace(now, angles=self._kept[-1].angles)
        return now
