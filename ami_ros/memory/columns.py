"""Columns of one table as arrays that grow in place: a million rows are a dozen objects, not a million."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

FIRST = 64  # rows that there is room for at first


class Columns:
    """Named arrays of one length; appending is O(1) amortised.

    Args:
        columns: name -> type of one row: a dtype, or (dtype, width).
    """

    def __init__(self, **columns: DTypeLike | tuple[DTypeLike, int]) -> None:
        self._count = 0
        self._arrays: dict[str, NDArray[Any]] = {}
        for name, kind in columns.items():
            dtype, tail = (kind[0], (kind[1],)) if isinstance(kind, tuple) else (kind, ())
            self._arrays[name] = np.zeros((FIRST, *tail), dtype)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, name: str) -> NDArray[Any]:
        """The rows of a column, for reading and writing; the next `extend` may leave it behind."""
        return self._arrays[name][: self._count]

    def extend(self, count: int, **values: Any) -> None:
        """Appends `count` rows; columns that are not given are zero."""
        start, stop = self._count, self._count + count
        for name, array in self._arrays.items():
            if stop > len(array):
                room = max(2 * len(array), stop)
                self._arrays[name] = grown = np.zeros((room, *array.shape[1:]), array.dtype)
                grown[:start] = array[:start]
            self._arrays[name][start:stop] = values.get(name, 0)
        self._count = stop

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drops all rows but those where `kept` (n,) is true; they keep their order."""
        count = int(kept.sum())
        for array in self._arrays.values():
            array[:count] = array[: self._count][kept]
        self._count = count
