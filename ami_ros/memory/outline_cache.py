"""Surroundings of places as their lasers saw them: in the store, and the newest and those asked for last in RAM."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ami_ros.memory.store import Store
from ami_ros.outlines import Outline

CACHED = 400  # outlines in RAM ...
CACHED_FREE = 4000  # ... and what was free around a place, of each 0.7 kB


class OutlineCache:
    """Outlines by the ids of places.

    Args:
        store: of the places.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._outlines: OrderedDict[int, Outline | None] = OrderedDict()
        self._free: OrderedDict[int, NDArray[np.float32]] = OrderedDict()

    def count(self) -> int:
        """Places whose surroundings are known."""
        return self._store.outlines()

    def put(self, place_id: int, outline: Outline) -> None:
        """The surroundings of a place are known."""
        self._keep(place_id, outline)
        self._outlines.move_to_end(place_id)
        self._keep_free(place_id, outline)

    def of(self, place_id: int) -> Outline | None:
        """Of a place, from RAM or the store; None where it has none."""
        if place_id not in self._outlines:
            known = self._store.experience([place_id]).get(place_id)
            self._keep(place_id, Outline.unpack(known.outline) if known is not None and known.outline else None)
        else:
            self._outlines.move_to_end(place_id)
        return self._outlines[place_id]

    def free(self, place_id: int) -> NDArray[np.float32] | None:
        """How far (RAYS,) [m] it was seen to be free around a place, as in its outline; None where it has none."""
        if place_id not in self._free:
            outline = self.of(place_id)
            if outline is None:
                return None
            self._keep_free(place_id, outline)
        return self._free[place_id]

    def forget(self, ids: Collection[int]) -> None:
        """Places that are no more."""
        for place_id in ids:
            self._outlines.pop(place_id, None)
            self._free.pop(place_id, None)

    def _keep(self, place_id: int, outline: Outline | None) -> None:
        self._outlines[place_id] = outline
        if len(self._outlines) > CACHED:
            self._outlines.popitem(last=False)

    def _keep_free(self, place_id: int, outline: Outline) -> None:
        self._free[place_id] = outline.free.astype(np.float32)
        if len(self._free) > CACHED_FREE:
            self._free.popitem(last=False)
