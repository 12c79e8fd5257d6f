"""What sensors beside the laser show: depth points, ranges, bumpers, cliffs, a second laser."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative, transform_points

LASER = "scan"  # the name of the gate's own laser among the sources
CELL = 0.01  # [m] of points so dense that they are looked at cell by cell
SHIFT = CELL * math.sqrt(2.0)  # [m] by which a point may be off the one that stands for its cell
MOST_EXACT = 500  # points near the way that are looked at one by one
MOST_LOOKED = 3000  # cells near the way that there is time for: half a period of a gate of 20 Hz
MOST_READINGS = 200_000  # of all sensors together that there is time to sort out
FARTHEST = 1e4  # [m]; what is farther away is not there


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


def one_a_cell(points: Array, cell: float = CELL) -> NDArray[np.intp]:
    """Indices (k,) of `points` (n, 2) [m] that stand for all, one in each cell of this size [m]."""
    cells = np.floor(points / cell).astype(np.int64)
    return np.unique(cells[:, 0] * 2**32 + cells[:, 1], return_index=True)[1]
