"""Surroundings of places as their lasers saw them: in the store, and the newest and those asked for last in RAM."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array
from ami_ros.core.submaps import Submap
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
