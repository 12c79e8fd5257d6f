"""Writes a data set as bags, one for each episode, for programs that read only bags.

Values that are NaN and the IMU of tubs are left out. `extract` makes the same rows of these bags again.
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.learning.bag_writer import BagWriter
from ami_ros.learning.dataset import Dataset, Progress

SCANNER = "laser"  # frame of the scans


def export_bags(dataset: Dataset, folder: Path, progress: Progress = lambda done, total: None) -> list[Path]:
    """Writes the bags that are not there yet: `folder`/episode_000 and so on. Repeat it after an interruption.

    Raises:
        AmiError: it cannot write there, or the disk is full.
    """
    bags = []
    for number, (start, stop) in enumerate(dataset.episodes):
        bag, partial = folder / f"episode_{number:03d}", folder / f".episode_{number:03d}"
        bags.append(bag)
        if not bag.exists():
            try:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.rmtree(partial, ignore_errors=True)
                _write(dataset, range(start, stop), partial, lambda done: progress(done, len(dataset)))
                os.replace(partial, bag)
            except OSError as error:
                raise AmiError(f"export: {error.strerror or error}: {error.filename or folder}") from error
        progress(stop, len(dataset))
    return bags


def _write(dataset: Dataset, rows: range, path: Path, progress: Callable[[int], None]) -> None:
    width, height = dataset.card.image_size
    focal = width / 2 / math.tan(dataset.field_of_view / 2) if dataset.field_of_view else 0.0
    matrix = focal, focal, (width - 1) / 2, (height - 1) / 2
    with BagWriter(path) as bag:
        if dataset.scanner is not None:
            bag.mount("tf_static", float(dataset.stamp[rows.start]), dataset.scanner, SCANNER)
        for row in rows:
            stamp, jpeg = float(dataset.stamp[row]), dataset.jpeg(row)
            if jpeg:
                bag.image("image/compressed", stamp, jpeg)
            if jpeg and focal:
                bag.camera_info("camera_info", stamp, (width, height), matrix)
            _write_numbers(dataset, row, stamp, bag)
            progress(row + 1)


def _write_numbers(dataset: Dataset, row: int, stamp: float, bag: BagWriter) -> None:
    scan, pose, velocity = dataset.scan[row], dataset.odometry[row], dataset.velocity[row]
    if len(scan):
        bag.scan("scan", stamp, scan, 0.0, 2 * math.pi / len(scan), frame=SCANNER)
    if np.isfinite(pose).all() and np.isfinite(velocity).all():
        bag.odometry("odom", stamp, pose, tuple(velocity.tolist()))
    if np.isfinite(command := dataset.command[row]).all():
        bag.command("cmd_vel", stamp, *command.tolist())
    if np.isfinite(truth := dataset.truth[row]).all():
        bag.pose("ground_truth", stamp, truth, "world")
