"""Several recordings as one, their rows behind one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.learning.pictures import Recording
from ami_ros.learning.scanner_mount import common_mount
from ami_ros.world_model.perception import fit_scan_columns


def recordings_of(recording: Recording) -> list[tuple[int, int]]:
    """(start, stop) of the rows of each bag or tub, where that is known; else all rows."""
    return getattr(recording, "recordings", [(0, len(recording))])


def runs_of(recording: Recording) -> list[tuple[int, int]]:
    """(start, stop) of the rows of each run: an episode, or what is left of one that was divided."""
    return getattr(recording, "runs", list(recording.episodes))


class Joined:
    """A recording made of others, which stay where they are but for the small columns.

    Attributes:
        parts: the recordings.
        starts: the row at which each begins, and the number of all rows.

    Raises:
        AmiError: periods or numbers in commands differ, some have a scan and others none, or the scanner sat elsewhere.
    """

    def __init__(self, parts: Sequence[Recording]) -> None:
        self.parts = list(parts)
        self.starts = np.cumsum([0, *(len(part) for part in parts)])
        self.period = parts[0].period
        if any(abs(part.period - self.period) > 1e-6 for part in parts):
            periods = ", ".join(f"{part.period:g}" for part in parts)
            raise AmiError(f"data sets of different periods ({periods} s) cannot be joined: extract them again")
        if len({part.command.shape[1] for part in parts}) > 1:
            raise AmiError("the robots of some data sets drive sideways, some do not: they cannot be joined")
        beams = {part.scan.shape[1] for part in parts}
        if len(beams) > 1 and 0 in beams:
            raise AmiError("some of the data sets have scans, some have none: they cannot be joined")
        # Of the nearest beams the finest scan keeps all that any model reads of the others.
        scans = [part.scan if len(beams) == 1 else fit_scan_columns(part.scan, max(beams)) for part in parts]
        self.scan = np.concatenate(scans)
        self.scanner = common_mount(part.scanner for part in parts)
        self.odometry = np.concatenate([part.odometry for part in parts])
        self.command = np.concatenate([part.command for part in parts])
        self.episodes = [episode for number in range(len(parts)) for episode in self.episodes_of(number)]

    def __len__(self) -> int:
        return int(self.starts[-1])

    def episodes_of(self, number: int) -> list[tuple[int, int]]:
        """(start, stop) of the episodes of one part, as rows of the whole."""
        first = int(self.starts[number])
        return [(first + start, first + stop) for start, stop in self.parts[number].episodes]

    @property
    def recordings(self) -> list[tuple[int, int]]:
        """(start, stop) of the rows of each bag or tub."""
        return self._of_all(recordings_of)

    @property
    def runs(self) -> list[tuple[int, int]]:
        """(start, stop) of the rows of each run."""
        return self._of_all(runs_of)

    def _of_all(self, stretches: Callable[[Recording], list[tuple[int, int]]]) -> list[tuple[int, int]]:
        offsets = zip(self.starts.tolist(), self.parts, strict=False)
        return [(first + start, first + stop) for first, part in offsets for start, stop in stretches(part)]

    def images(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """As `PictureSource.images`."""
        found = np.empty((len(rows), size, size, 3), np.uint8)
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(owner):
            mine = owner == number
            found[mine] = self.parts[number].images(rows[mine] - self.starts[number], size)
        return found

    def load_images(self, size: int) -> NDArray[np.uint8]:
        """As `PictureSource.load_images`."""
        images = np.empty((len(self), size, size, 3), np.uint8)
        for part, start in zip(self.parts, self.starts, strict=False):
            images[start : start + len(part)] = part.load_images(size)
        return images
