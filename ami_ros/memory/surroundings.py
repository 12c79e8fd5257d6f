"""Surroundings of places as their lasers saw them, and which straight ways these show to be free."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, inverse, relative, transform_points
from ami_ros.core.submaps import RAYS, Submap
from ami_ros.memory.coverage import around, gaps
from ami_ros.memory.next_best_view import LOOKS
from ami_ros.memory.place_map import PlaceMap
from ami_ros.memory.store import Store


class SubmapCache:
    """Submaps by the ids of places.

    Args:
        store: of the places.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._submaps: OrderedDict[int, Submap | None] = OrderedDict()
        self._free: OrderedDict[int, NDArray[np.float32]] = OrderedDict()

    def is_empty(self) -> bool:
        """Whether the surroundings of no place are known."""
        return not self._store.has_submaps()

    def put(self, place_id: int, submap: Submap) -> None:
        """The surroundings of a place are known."""
        self._keep(place_id, submap)
        self._submaps.move_to_end(place_id)
        self._keep_free(place_id, submap.free)

    def of(self, place_id: int) -> Submap | None:
        """Of a place, from RAM or the store; None where it has none."""
        if place_id not in self._submaps:
            self._keep(place_id, Submap.unpack(self._packed(place_id)))
        else:
            self._submaps.move_to_end(place_id)
        return self._submaps[place_id]

    def many(self, ids: Collection[int]) -> dict[int, Submap]:
        """Of those places that have one. They are read at once, and what was in RAM stays there."""
        found = {i: submap for i in ids if (submap := self._submaps.get(i)) is not None}
        for i, known in self._store.experience([i for i in ids if i not in self._submaps]).items():
            if known.submap and (submap := Submap.unpack(known.submap)) is not None:
                found[i] = submap
        return found

    def free(self, place_id: int) -> NDArray[np.float32] | None:
        """How far (RAYS,) [m] it was seen to be free around a place, as in its submap; None where it has none."""
        if place_id not in self._free:
            submap = self._submaps.get(place_id)
            free = submap.free if submap is not None else Submap.unpack_free(self._packed(place_id))
            if free is None:
                return None
            self._keep_free(place_id, free)
        return self._free[place_id]

    def many_free(self, ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Likewise of those places that have it, read at once: one by one, 10,000 take two seconds."""
        near = [i for i in ids if i in self._free or i in self._submaps]
        found = {i: free for i in near if (free := self.free(i)) is not None}
        unknown = set(ids).difference(near)
        for i, known in self._store.experience(unknown).items():
            if (seen := Submap.unpack_free(known.submap)) is not None:
                self._keep_free(i, seen)
                found[i] = self._free[i]
        return found

    def forget(self, ids: Collection[int]) -> None:
        """Places that are no more."""
        for place_id in ids:
            self._submaps.pop(place_id, None)
            self._free.pop(place_id, None)

    def _packed(self, place_id: int) -> bytes:
        """As the store has it; empty where a place has none."""
        known = self._store.experience([place_id]).get(place_id)
        return known.submap if known is not None else b""

    def _keep(self, place_id: int, submap: Submap | None) -> None:
        self._submaps[place_id] = submap
        if len(self._submaps) > 400:
            self._submaps.popitem(last=False)

    def _keep_free(self, place_id: int, free: Array) -> None:
        self._free[place_id] = free.astype(np.float32)
        if len(self._free) > 16_000:
            self._free.popitem(last=False)


_AWAY, _BEARINGS = np.meshgrid(np.linspace(0.25, 1.0, 4) * LOOKS.sight, np.linspace(-np.pi, np.pi, 15, endpoint=False))
# (k, 2) [m] in the frame of a place: spots that it may have seen to be free.
SPOTS = np.column_stack([(_AWAY * np.cos(_BEARINGS)).T.ravel(), (_AWAY * np.sin(_BEARINGS)).T.ravel()])


class FreeWays:
    """Asks the submaps of places.

    Args:
        places: the map.
        loop_closure: holds the submaps.
    """

    def __init__(self, places: PlaceMap, submaps: SubmapCache) -> None:
        self._places, self._submaps = places, submaps

    def along(self, start: int, stop: int, step: Array) -> bool:
        """Whether one of two places, of which the other lies at `step` (3,) as seen from the first, saw the straight
        way between them to be free."""
        room = 0.0, 0.2  # [m] half width of what has to be free, and how far beyond the other place
        return self._is_free(start, step[:2], *room) or self._is_free(stop, inverse(step)[:2], *room)

    def to(self, place_id: int, point: Array) -> bool:
        """Whether a robot could drive from a place straight to `point` (2,) of the map, as far as was seen there."""
        pose = self._places.index.poses[self._places.index.row(place_id)]
        # Near walls a goal's pose is often a little inside of one.
        return self._is_free(place_id, relative(pose, np.array([*point, 0.0]))[:2], 0.1, -0.15)

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
        distance, (half_width, more) = np.hypot(*SPOTS.T), (0.22, 0.25)  # [m], so that a robot can turn around there
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
    between = 0.05  # [rad] to either side of a direction, in which a laser of few beams has one
    aside = max(math.atan2(half_width, max(distance, 1e-3)), between)
    bearing, ray = math.atan2(point[1], point[0]), 2 * math.pi / RAYS
    rays = np.arange(round((bearing - aside) / ray), round((bearing + aside) / ray) + 1) % RAYS
    return np.asarray(np.fmin.reduce(free[:, rays], axis=1))
