"""What sensors show: scans as the gate keeps them, and points of sensors beside the laser."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, inverse, relative, transform_points
from ami_ros.core.scan import Scan

LASER = "scan"  # the name of the gate's own laser among the sources
WIDEST = np.radians(15.0)  # of what a single beam answers for [rad], however far apart beams are
BINS = 720  # directions of the laser, half a degree wide
NOT_SEEN = -1.0
FINEST = np.radians(3.0)  # of a sector [rad]: 10,000 beams make no more work than 120
NO_RETURN = 0.99  # share of the range from which a reading means that nothing returned: drivers say so in many ways
FARTHEST = 1e4  # [m]; what is farther away is not there


@dataclass(frozen=True)
class LookLimits:
    """How much there is time to look at, in half a period of a gate of 20 Hz."""

    cell: float = 0.01  # [m] of points so dense that they are looked at cell by cell
    exact: int = 500  # points near the way that are looked at one by one
    cells: int = 3000  # near the way

    @property
    def shift(self) -> float:
        """By how much [m] a point may be off the one that stands for its cell."""
        return self.cell * math.sqrt(2.0)


@dataclass(frozen=True)
class Observation:
    """What one message showed."""

    pose: Array  # (3,) of base_link in the gate's frame when it was measured
    error: float  # of the way at that time [m]
    stamp: float  # when it was measured [s]
    came: float  # steady time [s]
    points: Array  # (n, 2) [m] in base_link then; all that were read


@dataclass(frozen=True)
class Readings:
    """What sensors show, in base_link now: each reading, however dense."""

    points: Array  # (n, 2) [m]
    sources: NDArray[np.str_]  # (n,) names of the sensors

    @classmethod
    def of(cls, shown: Mapping[str, Observation], here: Array, radius: float) -> Readings:
        """What observations, by the names of their sources, show within `radius` [m] of base_link, which is at `here`
        (3,) in the gate's frame."""
        points = [within(radius, transform_points(relative(here, each.pose), each.points)) for each in shown.values()]
        names = np.repeat(np.array([*shown], dtype=np.str_), [len(each) for each in points])
        return cls(np.concatenate([np.zeros((0, 2)), *points]), names)

    def beside(self, other: Readings) -> Readings:
        """Both."""
        points, sources = (self.points, other.points), (self.sources, other.sources)
        return Readings(np.concatenate(points), np.concatenate(sources))

    def only(self, sources: Collection[str]) -> Readings:
        """Those of some sensors; of all, where none is named."""
        if not sources:
            return self
        named = np.isin(self.sources, [*sources])
        return Readings(self.points[named], self.sources[named])


class Observations:
    """The newest message of each source.

    Args:
        timeouts: name of a source -> the age [s] at which its message shows nothing any more, and the robot has to
            stand; 0: it holds until the next one.
    """

    def __init__(self, timeouts: Mapping[str, float]) -> None:
        self._timeouts = timeouts
        self._newest: dict[str, Observation] = {}

    @property
    def newest(self) -> dict[str, Observation]:
        """Of each source that has said something, by its name."""
        return dict(self._newest)

    @property
    def count(self) -> int:
        """Readings in all of these messages."""
        return sum(len(each.points) for each in self._newest.values())

    def put(self, source: str, seen: Observation) -> None:
        """A message came."""
        self._newest[source] = seen

    def has_newer(self, source: str, stamp: float) -> bool:
        """Whether something newer than `stamp` [s] came of a source."""
        return source in self._newest and self._newest[source].stamp > stamp

    def missing(self, now: float, steady: float) -> str:
        """The first source that should have said something since, "" if there is none."""
        for source, timeout in self._timeouts.items():
            seen = self._newest.get(source)
            if seen is None or (timeout and max(now - seen.stamp, steady - seen.came) > timeout):
                return source
        return ""


def usable(points: Array) -> Array:
    """Those of `points` (n, 2) [m] that are a place."""
    return points[(np.abs(points) < FARTHEST).all(1)]


def within(radius: float, points: Array) -> Array:
    """Those of `points` (n, 2) [m] that are not farther than `radius` [m] from base_link."""
    return points[(points**2).sum(1) <= radius**2]


def one_a_cell(points: Array, cell: float = LookLimits.cell) -> NDArray[np.intp]:
    """Indices (k,) of `points` (n, 2) [m] that stand for all, one in each cell of this size [m]."""
    cells = np.floor(points / cell).astype(np.int64)
    return np.unique(cells[:, 0] * 2**32 + cells[:, 1], return_index=True)[1]


@dataclass(frozen=True)
class Snapshot:
    """A scan as sectors of equal width around the scanner."""

    pose: Array  # (3,) of base_link in the gate's frame
    stamp: float  # when it was measured [s]
    error: float  # of the way at that time [m]
    origin: tuple[float, float]  # of the scanner in base_link [m]
    first: float  # direction of the middle of the first sector [rad]
    free: Array  # (s,) [m] seen to be free; NOT_SEEN where there was no reading
    points: Array  # (n, 2) [m] in base_link, the nearest return in each sector, in their order
    empty: NDArray[np.bool_]  # (s,) sectors with readings of which none returned
    beams: Array  # (b,) [m] all readings; NaN: none, inf: nothing returned
    increment: float  # [rad] between beams, the first at `first`
    max_range: float  # [m]
    blind: float  # [m] from the scanner up to which it passes over some things

    @classmethod
    def of(cls, scan: Scan, pose: Array, error: float, stamp: float) -> Snapshot:
        """The nearest reading of each sector; a single sector without one is as narrow as what lasers miss anyway."""
        count = int(2 * np.pi / min(max(abs(scan.angle_increment), FINEST), WIDEST) + 1e-6)
        sector = np.rint((scan.angles - scan.angle_min) / (2 * np.pi / count)).astype(int) % count
        ranges = scan.ranges.astype(np.float64)
        ranges[~(ranges > 0)] = np.nan
        ranges[ranges >= NO_RETURN * scan.max_range] = np.inf
        seen = np.flatnonzero(~np.isnan(ranges))
        seen = seen[np.argsort(-ranges[seen], kind="stable")]  # the nearest last, so that it stays
        beam = np.full(count, -1)
        beam[sector[seen]] = seen
        returned = beam[(beam >= 0) & np.isfinite(ranges[beam])]
        ends = ranges[returned, None] * np.column_stack([np.cos(scan.angles[returned]), np.sin(scan.angles[returned])])
        free = filled(np.where(beam >= 0, np.minimum(ranges[beam], scan.max_range), NOT_SEEN))
        empty = (beam >= 0) & np.isinf(ranges[beam])
        increment, first, points = scan.angle_increment, scan.angle_min, ends + scan.origin
        return cls(
            pose, stamp, error, scan.origin, first, free, points, empty, ranges, increment, float(scan.max_range),
            scan.blind,
        )  # fmt: skip

    def bearings(self, points: Array) -> Array:
        """Directions (n,) [rad] in base_link in which the scanner sees `points` (n, 2) of the gate's frame."""
        local = self._local(points)
        return np.asarray(np.arctan2(local[:, 1], local[:, 0]))

    def sector(self, bearings: NDArray[np.floating]) -> NDArray[np.int64]:
        """The sectors (n,) of directions (n,) [rad] in base_link."""
        width = 2 * np.pi / len(self.free)
        return np.asarray(np.rint((bearings - self.first) / width).astype(int) % len(self.free))

    def look(self, points: Array, beyond: float = 0.0) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Whether `points` (n, 2) of the gate's frame lie in a sector with a reading, and which of those were free, up
        to `beyond` [m] behind them: (n,) each."""
        local = self._local(points)
        free = self.free[self.sector(np.arctan2(local[:, 1], local[:, 0]))]
        return free != NOT_SEEN, np.hypot(local[:, 0], local[:, 1]) + beyond <= free

    def readings(self, points: Array) -> tuple[Array, Array, NDArray[np.int64], NDArray[np.bool_]]:
        """What the beams nearest to `points` (n, 2) of the gate's frame say.

        Returns:
            (n,) each: how far away [m] the points are; what the beam reads [m]; its direction (of BINS); whether there
            is such a beam.
        """
        local, step = self._local(points), abs(self.increment)
        ahead = np.arctan2(local[:, 1], local[:, 0]) - self.first
        offset = ((ahead if self.increment > 0 else -ahead) + step / 2) % (2 * np.pi) - step / 2  # from the first beam
        count = len(self.beams)
        beam = np.rint(np.minimum(offset / step, count)).astype(int)
        off = np.abs(offset - beam * step)
        in_view = (beam < count) & (off <= WIDEST / 2)
        beam = np.minimum(beam, count - 1)
        ranges = np.where(in_view, self.beams[beam], np.nan)
        return np.hypot(local[:, 0], local[:, 1]), ranges, _bins(self.first + beam * self.increment), in_view

    def returning(self) -> NDArray[np.bool_]:
        """Directions (BINS,) from which something returned."""
        found = np.zeros(BINS, dtype=bool)
        found[_bins(self.first + self.increment * np.flatnonzero(np.isfinite(self.beams)))] = True
        return found

    def _local(self, points: Array) -> Array:
        return transform_points(inverse(self.pose), points) - self.origin


def filled(free: Array) -> Array:
    """What is free (s,) [m], with each single sector that nothing is known of as the nearer of its neighbours."""
    return np.where(free == NOT_SEEN, np.minimum(np.roll(free, 1), np.roll(free, -1)), free)


def _bins(bearings: NDArray[np.floating]) -> NDArray[np.int64]:
    return np.asarray(np.floor(bearings % (2 * np.pi) * (BINS / (2 * np.pi)) + 1e-6).astype(int) % BINS)
