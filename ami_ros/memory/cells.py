"""Which places are near a position, without looking at all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array

SIZE = 1.0  # [m] of a cell


class Cells:
    """Rows of positions by the square that they are in. Positions are only appended, but for `clear`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Positions were moved or dropped."""
        self._rows: dict[tuple[int, int], list[int]] = {}
        self._count = 0

    def near(self, positions: Array, position: Array) -> NDArray[np.int64]:
        """Rows of all `positions` (n, 2) within SIZE of `position` (2,), and of some farther ones; O(1) amortised."""
        new = np.floor(positions[self._count :] / SIZE).astype(np.int64).tolist()
        for row, (x, y) in enumerate(new, self._count):
            self._rows.setdefault((x, y), []).append(row)
        self._count = len(positions)
        x, y = np.floor(np.asarray(position) / SIZE).astype(np.int64).tolist()
        cells = [(i, j) for i in (x - 1, x, x + 1) for j in (y - 1, y, y + 1)]
        return np.array([row for cell in cells for row in self._rows.get(cell, ())], np.int64)
