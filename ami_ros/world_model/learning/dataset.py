"""A data set on disk: episodes of images, scans, odometry and commands, one row a period, memory-mapped.

A folder with `dataset.yaml` (the card), `images.jpg` (JPEG files one behind the other), `offsets.npy`
(n, 2: first and last + 1 byte of each row's image) and one .npy a column. `extract` makes it from bags.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ami_ros.core.config import from_mapping, parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import decode_image
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.alignment import COLUMNS
from ami_ros.world_model.perception import fit_image

VERSION = 1  # of the layout
CARD, IMAGES = "dataset.yaml", "images.jpg"

Progress = Callable[[int, int], None]  # done, total


@dataclass(frozen=True)
class DatasetCard:
    """What a person should know of a data set, in `dataset.yaml`."""

    version: int
    frames: int
    episodes: int
    minutes: float
    period: float  # [s]
    image_size: tuple[int, int]  # width, height [px]
    scan_beams: int  # over the full circle, the first one straight ahead
    has_truth: bool
    checksum: str  # SHA-256 over all arrays and images
    sizes: dict[str, int]  # bytes by file
    sources: tuple[dict[str, Any], ...]  # bags: path, frames, topics, problems
    dropped: dict[str, int] = field(default_factory=dict)  # reason: number
    extraction: dict[str, Any] = field(default_factory=dict)  # the configuration
    has_odometry: bool = True  # else poses are NaN
    has_command: bool = True  # else commands are NaN
    scanner: Mount | None = None  # where it sat, by the bags' /tf_static; None: they do not tell


class Dataset:
    """Opens a data set. Its n rows are `period` apart within an episode.

    Attributes:
        stamp: (n,) float64 [s].
        scan: (n, beams) float32 [m], the full circle from straight ahead to the left, inf where nothing
            returned; (n, 0) without scanner.
        odometry: (n, 3) float64 pose in odom, whose origin differs from run to run.
        command: (n, 2) float32, or (n, 3) of a robot that drives sideways (`ami_ros.core.commands`); row i was
            commanded from stamp[i] to stamp[i + 1] (the mean, where it changed meanwhile), so it leads
            from row i to row i + 1.
        velocity: as wide, float32, measured at stamp[i].
        truth: (n, 3) float64 true pose, NaN where unknown; for evaluation only.
        imu: (n, 6) float32 acceleration [m/s^2] and angular rate [rad/s] in the sensor's axes, NaN where unknown;
            (n, 0) where nothing was recorded.
        version: that was opened, of a store that has several; 0: it has one.
        episode: (n,) int32 number of the row's episode.
        episodes: (start, stop) rows of each.
        period: between rows [s].
        scanner: where it sat; None: not known.

    Raises:
        AmiError: no data set there, of a later version, or damaged.
    """

    stamp: Array
    scan: NDArray[np.float32]
    odometry: Array
    command: NDArray[np.float32]
    velocity: NDArray[np.float32]
    truth: Array
    imu: NDArray[np.float32]
    episode: NDArray[np.int32]
    offsets: NDArray[np.int64]

    version = 0

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self.card = _read_card(self.folder)
        self.period, self.scanner = self.card.period, self.card.scanner
        for name, size in self.card.sizes.items():
            file = self.folder / name
            if not file.exists() or file.stat().st_size != size:
                raise AmiError(f"{file} is missing or cut off: extract the data set again")
        self.imu = np.zeros((len(self), 0), np.float32)  # where there are none
        for name in _arrays_of(self.folder):
            setattr(self, name, np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False))
        images = self.folder / IMAGES
        is_empty = not images.stat().st_size  # of a robot with a laser alone
        self._images = np.zeros(0, np.uint8) if is_empty else np.memmap(images, dtype=np.uint8, mode="r")
        first = np.flatnonzero(np.diff(self.episode, prepend=-1)).tolist()
        self.episodes: list[tuple[int, int]] = list(zip(first, [*first[1:], len(self)], strict=True))

    def __len__(self) -> int:
        return self.card.frames

    @property
    def recordings(self) -> list[tuple[int, int]]:
        """(start, stop) of the rows of each bag or tub."""
        ends = np.cumsum([0, *(int(source.get("frames", 0)) for source in self.card.sources)]).tolist()
        if ends[-1] != len(self):
            return [(0, len(self))]
        return [(start, stop) for start, stop in zip(ends[:-1], ends[1:], strict=True) if stop > start]

    @property
    def field_of_view(self) -> float:
        """Of the pinhole camera that its pictures were brought to [rad]; 0: they are as they were taken."""
        return float(self.card.extraction.get("field_of_view", 0.0))

    def jpeg(self, row: int) -> bytes:
        """The row's image as it is stored."""
        start, stop = self.offsets[row]
        return self._images[start:stop].tobytes()

    def jpegs(self, rows: Sequence[int] | NDArray[np.int64]) -> list[bytes]:
        """The images of some rows as they are stored."""
        return [self.jpeg(int(row)) for row in rows]

    def images(self, rows: Sequence[int] | NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        """Images (k, size, size, 3) RGB of some rows, fitted as perception does it."""
        images = np.empty((len(rows), size, size, 3), dtype=np.uint8)
        for image, jpeg in zip(images, self.jpegs(rows), strict=True):
            image[:] = fit_image(decode_image(jpeg), size)
        return images

    def load_images(self, size: int, progress: Progress | None = None) -> NDArray[np.uint8]:
        """All images (n, size, size, 3) RGB in memory, decoded on all cores."""
        images = np.empty((len(self), size, size, 3), dtype=np.uint8)
        batches = [range(start, min(start + 512, len(self))) for start in range(0, len(self), 512)]

        def load(rows: range) -> int:
            images[rows.start : rows.stop] = self.images(rows, size)
            return rows.stop

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            for done in pool.map(load, batches):
                if progress:
                    progress(done, len(self))
        return images

    def verify(self) -> None:
        """Reads everything and compares it with the card's checksum. Raises AmiError if it differs."""
        if checksum(self.folder) != self.card.checksum:
            raise AmiError(f"{self.folder} differs from its checksum: extract the data set again")


def checksum(folder: Path) -> str:
    """SHA-256 over the arrays and the images of a data set."""
    total = hashlib.sha256()
    for name in [f"{name}.npy" for name in _arrays_of(folder)] + [IMAGES]:
        with (folder / name).open("rb") as file:
            total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _arrays_of(folder: Path) -> list[str]:
    """Names of its columns; only some recordings have an IMU."""
    return ["offsets", "episode", *COLUMNS, *(["imu"] if (folder / "imu.npy").exists() else [])]


def _read_card(folder: Path) -> DatasetCard:
    try:
        values = parse_yaml((folder / CARD).read_text("utf-8"))
    except FileNotFoundError:
        raise AmiError(f"{folder} is no data set: it has no {CARD}; make one from bags with ./ami train BAG") from None
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise AmiError(f"{folder / CARD} cannot be read: {' '.join(str(error).split())}") from error
    version = values.get("version") if isinstance(values, dict) else None
    if version != VERSION:
        raise AmiError(f"{folder} has version {version}, this program reads {VERSION}: extract the data set again")
    for column in ("joints", "has_heading"):  # which earlier data sets have and no model takes
        values.pop(column, None)
    return from_mapping(DatasetCard, values, str(folder / CARD))
