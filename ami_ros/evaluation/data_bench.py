"""How fast experience becomes batches: extraction from bags, random windows, and whether a training waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.learning.bag_writer import BagWriter
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.extract import extract
from ami_ros.learning.frames import encode_frame
from ami_ros.learning.trainer import Trainer, TrainingConfig

PERIOD = 0.2  # [s]
SIDE = 96  # of the pictures [px]
BEAMS = 360
LENGTH = 16  # frames of a window


def record_sample(path: Path, frames: int, rng: np.random.Generator, progress: Callable[[int, int], None]) -> None:
    """A bag of a camera that moves over a random scene, with scan, odometry and commands at 5 Hz.

    Its JPEG files are about as large as those of the simulator's worlds (5 kB).
    """
    coarse = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (1024, 1024), interpolation=cv2.INTER_CUBIC)
    scene = np.clip(scene + rng.normal(0, 6, scene.shape), 0, 255).astype(np.uint8)
    with BagWriter(path) as bag:
        for i in range(frames):
            left, top = (int(464 + 460 * f(i / 90)) for f in (np.sin, np.cos))
            stamp = PERIOD * i
            bag.image("image/compressed", stamp, encode_frame(scene[top : top + SIDE, left : left + SIDE]))
            ranges = (2 + rng.random(BEAMS)).astype(np.float32)
            bag.scan("scan", stamp, ranges, 0.0, 2 * np.pi / BEAMS)
            bag.odometry("odom", stamp, [0.05 * i, 0.0, 0.0], (0.25, 0.0))
            bag.command("cmd_vel", stamp, 0.25, 0.1 * np.sin(i / 7))
            progress(i + 1, frames)


def time_extraction(bag: Path, out: Path, progress: Callable[[int, int], None]) -> tuple[Dataset, float, float]:
    """Extracts a bag; the data set, frames per second of wall time and per second of CPU time."""
    wall, cpu = time.perf_counter(), time.process_time()
    dataset = extract([bag], out, progress=progress)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return dataset, len(dataset) / wall, len(dataset) / cpu


def time_windows(dataset: Dataset, count: int, workers: int, rng: np.random.Generator) -> float:
    """Random windows of 16 frames per second, decoded from disk by `workers` threads together."""
    starts = np.concatenate([np.arange(a, max(a, b - LENGTH + 1)) for a, b in dataset.episodes])
    first = rng.choice(starts, count)

    def load(part: NDArray[np.int64]) -> None:
        for row in part:
            dataset.images(np.arange(row, row + LENGTH), SIDE)

    load(first[: min(20, count)])  # threads and caches
    began = time.perf_counter()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(load, np.array_split(first, workers)))
    return count / (time.perf_counter() - began)


def time_training(dataset: Dataset, config: TrainingConfig, folder: Path, budget: float | None) -> tuple[float, float]:
    """Trains; steps per second, and the share of their time that was computing and not waiting for a batch.

    Args:
        dataset: to learn from.
        config: of the training.
        folder: for its checkpoint.
        budget: memory for the pictures [B]; 0: they are decoded for each batch.
    """
    trainer = Trainer(config, dataset, folder, budget=budget)
    times: list[float] = []
    trainer.run(lambda step, terms: times.append(time.perf_counter()))
    return (len(times) - 1) / (times[-1] - times[0]), trainer.compute_share
