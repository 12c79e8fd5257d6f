"""Which straight ways were seen to be free from places."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, inverse, relative, transform_points
from ami_ros.memory.closures import Closures, Join
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.views import gaps
from ami_ros.outlines import RAYS

BETWEEN = 0.05  # [rad] to either side of a direction, in which a laser of few beams has one
TO_JOIN = 0.0, 0.2  # [m] half width of what has to be free between two places, and how far beyond the other
TO_GOAL = 0.1, -0.15  # likewise up to a goal off the map: near walls its pose is often a little inside of one
HERE = 0.3  # [m] from a place that is free because a robot stood there
STEPS = (1.0, 1.5, 2.0)  # [m] from a place to spots that it saw to be free
BEARINGS = np.linspace(-np.pi, np.pi, 15, endpoint=False)  # [rad] in which they lie
TO_SPOT = 0.22, 0.25  # as TO_JOIN, so that a robot can turn around there
NEW = 0.9  # [m] from all places, from which a spot is one that nobody drove to


class FreeWays:
    """Asks the outlines of places.

    Args:
        places: the map.
        closures: holds the outlines.
    """

    def __init__(self, places: PlaceMap, closures: Closures) -> None:
        self._places, self._closures = places, closures

    def along(self, join: Join) -> bool:
        """Whether one of two joined places saw the straight way to the other to be free."""
        there, back = join.relative[:2], inverse(join.relative)[:2]
        return self._is_free(join.start, there, *TO_JOIN) or self._is_free(join.stop, back, *TO_JOIN)

    def to(self, place_id: int, point: Array) -> bool:
        """Whether a robot could drive from a place straight to `point` (2,) of the map, as far as was seen there."""
        pose = self._places.index.poses[self._places.index.row(place_id)]
        return self._is_free(place_id, relative(pose, np.array([*point, 0.0]))[:2], *TO_GOAL)

    def beyond(self, rows: NDArray[np.int64]) -> Array:
        """Spots (k, 2) of the map that places in `rows` saw to be free, and that nobody drove to."""
        index = self._places.index
        steps = np.array([(step * math.cos(b), step * math.sin(b)) for step in STEPS for b in BEARINGS])
        found = [np.zeros((0, 2))]
        for row in rows:
            place_id, here = int(index.ids[row]), transform_points(index.poses[row], steps)
            new = np.flatnonzero(gaps(here, index.poses[:, :2]) > NEW)
            free = [k for k in new if self._is_free(place_id, steps[k], *TO_SPOT)]
            found.append(here[free])
        return np.concatenate(found)

    def _is_free(self, place_id: int, point: Array, half_width: float, beyond: float) -> bool:
        """Whether a place saw that nothing stands between it and what is so far `beyond` [m] a `point` (2,) in its
        frame, on a strip of that half width [m] at its end."""
        outline, distance = self._closures.outline(place_id), float(np.hypot(*point))
        if outline is None:
            return False
        aside = max(math.atan2(half_width, max(distance, 1e-3)), BETWEEN)
        bearing, ray = math.atan2(point[1], point[0]), 2 * math.pi / RAYS
        rays = np.arange(round((bearing - aside) / ray), round((bearing + aside) / ray) + 1) % RAYS
        seen = outline.free[rays]
        return distance < HERE or bool(np.isfinite(seen).any() and np.nanmin(seen, initial=np.inf) > distance + beyond)
