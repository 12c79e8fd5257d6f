"""Which straight ways were seen to be free from places."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, inverse, relative, transform_points
from ami_ros.core.submaps import RAYS
from ami_ros.memory.coverage import around, gaps
from ami_ros.memory.loop_closure import LoopConstraint
from ami_ros.memory.next_best_view import LOOKS
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.submap_cache import SubmapCache

TO_JOIN = 0.0, 0.2  # [m] half width of what has to be free between two places, and how far beyond the other
TO_GOAL = 0.1, -0.15  # likewise up to a goal off the map: near walls its pose is often a little inside of one
# [m] from a place to spots that it may have seen to be free ...
_AWAY = np.repeat(np.linspace(0.25, 1.0, 4) * LOOKS.sight, 15)
_BEARINGS = np.tile(np.linspace(-np.pi, np.pi, 15, endpoint=False), 4)  # [rad] ... and in which they lie
SPOTS = np.column_stack([_AWAY * np.cos(_BEARINGS), _AWAY * np.sin(_BEARINGS)])  # (k, 2) in its frame
TO_SPOT = 0.22, 0.25  # as TO_JOIN, so that a robot can turn around there


class FreeWays:
    """Asks the submaps of places.

    Args:
        places: the map.
        loop_closure: holds the submaps.
    """

    def __init__(self, places: PlaceMap, submaps: SubmapCache) -> None:
        self._places, self._submaps = places, submaps

    def along(self, constraint: LoopConstraint) -> bool:
        """Whether one of two linked places saw the straight way to the other to be free."""
        there, back = constraint.relative[:2], inverse(constraint.relative)[:2]
        return self._is_free(constraint.start, there, *TO_JOIN) or self._is_free(constraint.stop, back, *TO_JOIN)

    def to(self, place_id: int, point: Array) -> bool:
        """Whether a robot could drive from a place straight to `point` (2,) of the map, as far as was seen there."""
        pose = self._places.index.poses[self._places.index.row(place_id)]
        return self._is_free(place_id, relative(pose, np.array([*point, 0.0]))[:2], *TO_GOAL)

    def beyond(self, rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        """Spots (k, 2) of the map that nobody drove to, and rows (k,) of the places that saw them to be free.

        Args:
            rows: of the places that are asked.
            off: [m] from all places, at least.
        """
        index = self._places.index
        ids = index.ids[rows].tolist()
        seen = self._submaps.many_free(ids)
        if not seen:
            return np.zeros((0, 2)), np.zeros(0, np.int64)
        known = [k for k, place in enumerate(ids) if place in seen]
        asked, free = np.asarray(rows)[known], np.stack([seen[ids[k]] for k in known])
        distance, (half_width, more) = np.hypot(*SPOTS.T), TO_SPOT
        room = [_room(free, float(d), half_width, spot) for spot, d in zip(SPOTS, distance, strict=True)]
        good = np.stack(room, axis=1) > distance + more
        spots = transform_points(index.poses[asked], SPOTS)[good]
        new = gaps(spots, index.poses[around(spots, index.poses[:, :2], off), :2]) > off
        return spots[new], np.repeat(asked, good.sum(axis=1))[new]

    def _is_free(self, place_id: int, point: Array, half_width: float, beyond: float) -> bool:
        """Whether a place saw that nothing stands between it and what is so far `beyond` [m] a `point` (2,) in its
        frame, on a strip of that half width [m] at its end."""
        free, distance = self._submaps.free(place_id), float(np.hypot(*point))
        if free is None:
            return False
        # a robot stood there
        return distance < 0.3 or bool(_room(free[None], distance, half_width, point)[0] > distance + beyond)


def _room(free: NDArray[np.float32], distance: float, half_width: float, point: Array) -> NDArray[np.float32]:
    """How far (n,) [m] it was seen to be free from n places, of what is `free` (n, RAYS) there, towards a `point` (2,)
    in their frames, on a strip of that half width [m] at its `distance` [m]; NaN where nothing was seen."""
    # a laser of few beams has one in 0.05 rad to either side
    aside = max(math.atan2(half_width, max(distance, 1e-3)), 0.05)
    bearing, ray = math.atan2(point[1], point[0]), 2 * math.pi / RAYS
    rays = np.arange(round((bearing - aside) / ray), round((bearing + aside) / ray) + 1) % RAYS
    return np.asarray(np.fmin.reduce(free[:, rays], axis=1))
