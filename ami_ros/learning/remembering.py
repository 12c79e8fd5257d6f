"""From recorded experience to a memory of places, by the same code that grows it while driving."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ami_ros.learning.dataset import Dataset
from ami_ros.learning.windows import WindowConfig, WindowSampler
from ami_ros.scan import Mount, Scan
from ami_ros.slam.place_memory import PlaceMemory
from ami_ros.world_model.arrays import ArrayModel
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import Sensors

Progress = Callable[[int, int], None]


def encode_rows(
    model: WorldModel | ArrayModel, sampler: WindowSampler, rows: NDArray[np.int64], batch: int = 256
) -> NDArray[np.float32]:
    """Latents (k, latent_dim) of some rows of a data set."""
    arrays, parts = on_arrays(model), []
    for start in range(0, len(rows), batch):
        sensors = sampler.sensors(rows[start : start + batch])
        parts.append(arrays.encode(Sensors(*(None if value is None else value.numpy() for value in sensors))))
    return np.concatenate(parts)


def remember_episode(
    memory: PlaceMemory,
    dataset: Dataset,
    rows: NDArray[np.int64],
    latents: NDArray[np.float32],
    progress: Progress | None = None,
    thumbnails: bool = True,
) -> NDArray[np.float64]:
    """Lives through the rows of one episode; odometry is taken to start anew.

    Returns:
        What memory believed at each row (k, 4): x, y, yaw in the map frame, and the confidence.
    """
    memory.restart()
    beliefs = np.zeros((len(rows), 4))
    for i, row in enumerate(rows):
        thumbnail = dataset.jpeg(int(row)) if thumbnails else None
        stamp, odometry, scan = float(dataset.stamp[row]), dataset.odometry[row], scan_of(dataset, int(row))
        location = memory.observe(stamp, latents[i], odometry, thumbnail, scan=scan)
        beliefs[i] = [*location.pose, location.confidence if location.localised else 0.0]
        if progress:
            progress(i + 1, len(rows))
    return beliefs


def scan_of(dataset: Dataset, row: int) -> Scan | None:
    """The scan of a row in base_link; None of a data set without scanner."""
    ranges = np.array(dataset.scan[row])
    return (dataset.scanner or Mount()).in_base(Scan(ranges, 0.0, 2 * np.pi / len(ranges))) if len(ranges) else None


def _report(progress: Progress, before: int, total: int, done: int, _: int) -> None:
    """Progress of one episode as that of the whole recording."""
    progress(before + done, total)


def remember_recording(
    memory: PlaceMemory, dataset: Dataset, minutes: float, progress: Progress, thumbnails: bool = True
) -> None:
    """Lives through the first `minutes` of a data set (0: all of it), episode by episode."""
    model = cast(ArrayModel, memory.map.index.model)
    sampler = WindowSampler(dataset, model.spec, WindowConfig())
    total = len(dataset) if minutes <= 0 else min(len(dataset), round(minutes * 60 / dataset.period))
    done = 0
    for start, stop in dataset.episodes:
        rows = np.arange(start, min(stop, start + total - done))
        if len(rows):
            report = partial(_report, progress, done, total)
            remember_episode(memory, dataset, rows, encode_rows(model, sampler, rows), report, thumbnails)
            done += len(rows)
    memory.finish()
