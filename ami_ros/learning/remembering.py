"""From recorded experience to a memory of places, by the same code that grows it while driving."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ami_ros.learning.dataset import Dataset
from ami_ros.learning.windows import WindowSampler
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.world_model.model import WorldModel

Progress = Callable[[int, int], None]


def encode_rows(model: WorldModel, sampler: WindowSampler, rows: NDArray[np.int64], batch: int = 256) -> NDArray[np.float32]:
    """Latents (k, latent_dim) of some rows of a data set."""
    import torch

    parts = []
    with torch.inference_mode():
        for start in range(0, len(rows), batch):
            parts.append(model.encode(sampler.sensors(rows[start : start + batch])).float().numpy())
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
        location = memory.observe(float(dataset.stamp[row]), latents[i], dataset.odometry[row], thumbnail)
        beliefs[i] = [*location.pose, location.confidence if location.localised else 0.0]
        if progress:
            progress(i + 1, len(rows))
    return beliefs
