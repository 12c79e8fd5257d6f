"""The pictures of a recording: decoded in memory where they fit, else read and decoded when they are wanted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.extras import importing
from ami_ros.scan import Mount

with importing("train"):
    import psutil

MOST = 0.5  # of the memory that is free now, for all processes of this machine that train together

Images = NDArray[np.uint8]
Rows = NDArray[np.int64]


class PictureSource(Protocol):
    """What has pictures by row."""

    def __len__(self) -> int: ...

    def images(self, rows: Rows, size: int) -> Images:
        """(k, size, size, 3) RGB of some rows."""
        ...

    def load_images(self, size: int) -> Images:
        """(n, size, size, 3) RGB of all rows."""
        ...


class Recording(PictureSource, Protocol):
    """What training reads of a data set; rows are moments `period` seconds apart within an episode."""

    @property
    def period(self) -> float: ...
    @property
    def scan(self) -> NDArray[np.float32]:
        """(n, beams) [m]"""
        ...

    @property
    def scanner(self) -> Mount | None:
        """Where the scanner sat; None: not known."""
        ...

    @property
    def odometry(self) -> NDArray[np.float64]:
        """(n, 3)"""
        ...

    @property
    def command(self) -> NDArray[np.float32]:
        """(n, 2 or 3, see `ami_ros.commands`) in force from row i to row i + 1"""
        ...

    @property
    def episodes(self) -> Sequence[tuple[int, int]]:
        """(start, stop) of each"""
        ...


class Pictures(Protocol):
    """Pictures (k, size, size, 3) RGB by rows (k,)."""

    def __getitem__(self, rows: Rows, /) -> NDArray[Any]: ...


class StoredPictures:
    """Pictures that stay on disk, as JPEG files a few kilobytes each, which the system keeps at hand as it can."""

    def __init__(self, source: PictureSource, size: int) -> None:
        self._source, self._size = source, size

    def __getitem__(self, rows: Rows, /) -> Images:
        return self._source.images(rows, self._size)


def open_pictures(source: PictureSource, size: int, budget: float | None = None) -> Pictures:
    """All pictures of `source` at `size` [px].

    Args:
        source: where they are.
        size: side of the square that the model takes [px].
        budget: memory they may take [B]; None: half of what is free, shared with the other processes of a training.
    """
    if budget is None:
        budget = MOST * psutil.virtual_memory().available / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return source.load_images(size) if 3 * size * size * len(source) <= budget else StoredPictures(source, size)
