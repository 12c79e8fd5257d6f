"""Features of a frozen network, computed once and kept beside the data set.

A file for each network, data set and picture size, whose name is their hash: what was made of other weights is never
read. It is written block by block, and an interrupted run goes on behind the last whole one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.joined import Joined
from ami_ros.learning.selection import Selection
from ami_ros.world_model.checkpoint import write_atomically
from ami_ros.world_model.frozen_network import open_network
from ami_ros.world_model.spec import ModelSpec

BLOCK = 64  # pictures

Progress = Callable[[int, int], None]  # done, total


def cached_features(recording: object, spec: ModelSpec, progress: Progress | None = None) -> NDArray[np.float16]:
    """Features (n, frozen.width) of all pictures of a data set, memory-mapped; computes those that are missing.

    Args:
        recording: a data set, several joined, or a selection of one, which shares the whole one's file.
        spec: with `frozen` as `frozen_network.identified` makes it.
        progress: called with the number of pictures done, and of all.

    Raises:
        AmiError: no data set on disk, no room beside it, or weights that cannot be used.
    """
    if isinstance(recording, Joined):
        return np.concatenate([cached_features(part, spec, progress) for part in recording.parts])
    if isinstance(recording, Selection):
        return np.asarray(cached_features(recording.whole, spec, progress)[recording.rows])
    if not isinstance(recording, Dataset):
        raise AmiError("frozen features are kept beside one data set: extract the bags first")
    file = recording.folder / f"features_{_key(recording, spec)}.npy"
    if not file.is_file():
        try:
            _compute(recording, spec, file, progress)
        except OSError as error:
            raise AmiError(f"frozen features: cannot write {file} ({error.strerror}); make room there") from error
    features: NDArray[np.float16] = np.load(file, mmap_mode="c", allow_pickle=False)
    return features


def _key(dataset: Dataset, spec: ModelSpec) -> str:
    frozen = spec.frozen
    parts = (
        dataset.card.checksum,
        spec.inputs.image_size,
        frozen.sha256,
        frozen.architecture,
        frozen.size,
        frozen.grid,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def _compute(dataset: Dataset, spec: ModelSpec, file: Path, progress: Progress | None) -> None:
    partial, count = file.with_suffix(".partial"), file.with_suffix(".count")
    network, total = open_network(spec.frozen), len(dataset)
    begun = partial.is_file() and count.is_file()
    done = int(count.read_text()) if begun else 0
    shape: dict[str, Any] = {} if begun else {"dtype": np.float16, "shape": (total, spec.frozen.width)}
    features = np.lib.format.open_memmap(partial, mode="r+" if begun else "w+", **shape)
    for start in range(done, total, BLOCK):
        rows = np.arange(start, min(start + BLOCK, total))
        images = torch.from_numpy(dataset.images(rows, spec.inputs.image_size)).permute(0, 3, 1, 2)
        features[rows] = network(images).numpy()
        features.flush()
        write_atomically(count, str(int(rows[-1]) + 1).encode())
        if progress:
            progress(int(rows[-1]) + 1, total)
    del features
    os.replace(partial, file)
    count.unlink(missing_ok=True)
