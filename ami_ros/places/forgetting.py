"""What memory lets go of so that it fits its limits. Labelled places keep everything, whatever their age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.places.index import PlaceIndex
from ami_ros.places.place_map import PlaceMap

DAY = 86_400.0  # [s]
ROOM = 0.9  # share of the limit that is in use after pictures or places went


@dataclass(frozen=True)
class ForgettingConfig:
    """Limits of a memory."""

    # Pictures go first, since all that drives works without them; then places with a newer one at the same pose,
    # then those that were not passed for longest.
    size_limit: float = 500.0  # [MB] of the file; beyond it, old pictures are forgotten first, then places
    max_age: float = 0.0  # [days] until a place that was not seen again is forgotten; 0: never
    check_every: int = 200  # new places between two checks of the limits; larger lets the file grow beyond them


class Forgetter:
    """Keeps a map within its limits.

    Args:
        places: the map.
        config: its limits.
        most: places.
        cell: [m], [rad] within which poses count as the same.
    """

    def __init__(self, places: PlaceMap, config: ForgettingConfig, most: int, cell: tuple[float, float]) -> None:
        self.places, self.config, self.most, self.cell = places, config, most, cell
        self._added = 0

    def added(self, here: int, stamp: float) -> set[int]:
        """A place was added at `stamp` [s]; now and then pictures or places go, but not `here`, where the robot is.
        Returns the ids of these places."""
        self._added += 1
        kept, gone = {here, *self.places.labels}, set[int]()
        if len(self.places) > self.most:
            gone |= self._forget(self._least_missed(kept, ROOM * self.most / len(self.places)))
        if self._added % self.config.check_every or self.places.store.error:
            return gone
        if self.config.max_age:
            gone |= self._forget(outdated(self.places.index, kept, stamp - DAY * self.config.max_age))
        return gone | self._shrink(kept)

    def _shrink(self, kept: set[int]) -> set[int]:
        store, limit = self.places.store, 1e6 * self.config.size_limit
        store.wait()
        if (size := store.size()) <= limit:
            return set()
        index = self.places.index
        seen = dict(zip(index.ids.tolist(), index.column("last_seen").tolist(), strict=True))
        store.drop_thumbnails(oldest_pictures(store.picture_sizes(), seen, kept, int(size - ROOM * limit)))
        store.wait()
        size = store.size()
        return self._forget(self._least_missed(kept, ROOM * limit / size)) if size > limit else set()

    def _least_missed(self, kept: set[int], share: float) -> set[int]:
        """All but this share of the places."""
        count = int(np.ceil(len(self.places) * (1.0 - share)))
        return least_missed(self.places.index, kept, count, self.cell)

    def _forget(self, ids: set[int]) -> set[int]:
        if ids:
            self.places.forget(ids, wait=False)
            self.places.let_go += len(ids)
        return ids


def oldest_pictures(sizes: Mapping[int, int], seen: Mapping[int, float], kept: set[int], excess: int) -> list[int]:
    """Ids of the pictures to drop, those of places that were not passed for longest, until `excess` bytes are free.

    Args:
        sizes: place id -> bytes of its picture.
        seen: place id -> when it was last passed [s].
        kept: ids whose pictures stay.
        excess: bytes to free.
    """
    chosen = []
    for place_id in sorted(sizes, key=lambda i: seen.get(i, -np.inf)):
        if excess <= 0:
            break
        if place_id not in kept:
            chosen.append(place_id)
            excess -= sizes[place_id]
    return chosen


def outdated(index: PlaceIndex, kept: set[int], before: float) -> set[int]:
    """Ids of the places that were last passed before a stamp [s]."""
    return {int(i) for i in index.ids[index.column("last_seen") < before]} - kept


def least_missed(index: PlaceIndex, kept: set[int], count: int, cell: tuple[float, float]) -> set[int]:
    """Ids of `count` places: first those with a newer one at the same pose, then those not passed for longest.

    Args:
        index: all places.
        kept: ids that stay.
        count: of places.
        cell: [m], [rad] within which poses count as the same.
    """
    newest_first = np.argsort(-index.column("last_seen"), kind="stable")
    cells = np.floor(index.poses[newest_first] / [cell[0], cell[0], cell[1]]).astype(np.int64)
    _, first = np.unique(cells, axis=0, return_index=True)
    has_newer = np.ones(len(index), bool)
    has_newer[newest_first[first]] = False
    order: NDArray[np.int64] = np.lexsort((index.column("last_seen"), ~has_newer))
    free = [int(i) for i in index.ids[order] if int(i) not in kept]
    return set(free[:count])
