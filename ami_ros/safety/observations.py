"""What sensors beside the laser show: depth points, ranges, bumpers, cliffs, a second laser."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative, transform_points

LASER = "scan"  # the name of the gate's own laser among the sources
CELL = 0.02  # [m]; points of one cell count, and are as near as the nearest of them
MOST_CELLS = 500  # of one message; more of them are brought to larger cells
FARTHEST = 1e4  # [m]; what is farther away is not there


@dataclass(frozen=True)
class Observation:
    """What one message showed."""

    pose: Array  # (3,) of base_link in the gate's frame when it was measured
    error: float  # of the way at that time [m]
    stamp: float  # when it was measured [s]
    came: float  # steady time [s]
    points: Array  # (n, 2) [m] in base_link then
    counts: Array = field(default_factory=lambda: np.zeros(0))  # (n,) of the readings that each stands for


@dataclass(frozen=True)
class Readings:
    """What sensors show, in base_link now."""

    points: Array  # (n, 2) [m]
    counts: Array  # (n,) of the readings that each stands for
    sources: NDArray[np.str_]  # (n,) names of the sensors

    @classmethod
    def of(cls, shown: Mapping[str, Observation], here: Array) -> Readings:
        """Of observations by the names of their sources, while base_link is at `here` (3,) in the gate's frame."""
        points = [transform_points(relative(here, each.pose), each.points) for each in shown.values()]
        counts = np.concatenate([np.zeros(0), *(each.counts for each in shown.values())])
        names = np.repeat(np.array([*shown], dtype=np.str_), [len(each.points) for each in shown.values()])
        return cls(np.concatenate([np.zeros((0, 2)), *points]), counts, names)

    def only(self, sources: Collection[str]) -> Readings:
        """Those of some sensors; of all, where none is named."""
        if not sources:
            return self
        named = np.isin(self.sources, [*sources])
        return Readings(self.points[named], self.counts[named], self.sources[named])


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


def gathered(points: Array) -> tuple[Array, Array]:
    """Points (n, 2) [m] in base_link, brought to few.

    Returns:
        (k, 2) the nearest to base_link in each cell, and (k,) how many lie there.
    """
    points = points[(np.abs(points) < FARTHEST).all(1)]
    points = points[np.argsort(np.hypot(points[:, 0], points[:, 1]), kind="stable")]
    size = CELL
    while True:
        cells = np.floor(points / size).astype(np.int64)
        _, nearest, counts = np.unique(cells[:, 0] * 2**32 + cells[:, 1], return_index=True, return_counts=True)
        if len(nearest) <= MOST_CELLS:
            return points[nearest], counts.astype(np.float64)
        size *= 2 ** math.ceil(math.log2(len(nearest) / MOST_CELLS) / 2)
