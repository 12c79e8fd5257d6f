"""Training windows: short stretches of one episode, and far frames of the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.geometry import relative
from ami_ros.learning.feature_cache import cached_features
from ami_ros.world_model.encoder import Sensors
from ami_ros.world_model.perception import fit_scan_columns
from ami_ros.world_model.spec import ModelSpec


class Recording(Protocol):
    """What training reads of a data set; rows are moments `period` seconds apart within an episode."""

    @property
    def period(self) -> float: ...
    @property
    def scan(self) -> NDArray[np.float32]:
        """(n, beams) [m]"""
        ...

    @property
    def odometry(self) -> NDArray[np.float64]:
        """(n, 3)"""
        ...

    @property
    def command(self) -> NDArray[np.float32]:
        """(n, 2) in force from row i to row i + 1"""
        ...

    @property
    def heading(self) -> NDArray[np.float32]:
        """(n,) [rad], NaN without a compass"""
        ...

    @property
    def episodes(self) -> Sequence[tuple[int, int]]:
        """(start, stop) of each"""
        ...

    def load_images(self, size: int) -> NDArray[np.uint8]: ...


class Batch(NamedTuple):
    """`frames`: starts of model steps, then far frames; rows of `sensors` run frame by frame (frames * batch)."""

    sensors: Sensors
    commands: Tensor  # (starts - 1, batch, chunk, 2) [m/s, rad/s]
    previous: Tensor  # (starts - 1, batch, 2)
    motions: Tensor  # (starts - 1, batch, 3) displacement during each chunk, by odometry
    pairs: Tensor  # (pairs, batch, 2) int64, indices into frames
    poses: Tensor  # (frames, batch, 3) of the frames, seen from the window's first, by odometry


@dataclass(frozen=True)
class WindowConfig:
    """Shape of a window."""

    starts: int = 6  # model-step starts in a row
    far_frames: int = 2  # further frames of the same episode
    far_seconds: float = 12.0  # at most this far from the window's start, so that odometry is still good
    pairs: int = 40  # pairs of frames a window gives to the relative-pose loss
    image_noise: int = 0  # grey levels, up to which each byte of an image is changed at random


class WindowSampler:
    """Draws batches; everything is held in memory, images as bytes."""

    def __init__(self, recording: Recording, spec: ModelSpec, config: WindowConfig) -> None:
        inputs = spec.inputs
        self.spec, self.config = spec, config
        self.images = torch.from_numpy(self._pictures(recording)) if inputs.image_size else None
        self.scan = torch.from_numpy(fit_scan_columns(recording.scan, inputs.scan_beams)) if inputs.scan_beams else None
        self.heading = torch.from_numpy(np.array(recording.heading, np.float32)) if inputs.heading else None
        self.recorded = np.asarray(recording.odometry, np.float64)
        self.odometry = self.recorded  # what labels are made of, see `correct`
        self.command = np.asarray(recording.command, np.float32)
        span = (config.starts - 1) * spec.chunk
        self.begins, self.ends, firsts = self._index(recording.episodes, span)
        self.firsts = firsts
        self.episodes = tuple(recording.episodes)

    def _index(
        self, episodes: Sequence[tuple[int, int]], span: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Per row the episode's begin and end, and the rows where a window may start."""
        begins = np.zeros(len(self.odometry), np.int64)
        ends = np.zeros(len(self.odometry), np.int64)
        firsts = []
        for start, stop in episodes:
            begins[start:stop], ends[start:stop] = start, stop
            firsts.append(np.arange(start, max(start, stop - span)))
        return begins, ends, np.concatenate(firsts) if firsts else np.zeros(0, np.int64)

    def _pictures(self, recording: Recording) -> NDArray[Any]:
        """All pictures as bytes, or as a frozen network's features."""
        if self.spec.image_encoder != "frozen":
            return recording.load_images(self.spec.inputs.image_size)
        if self.config.image_noise:
            raise AmiError("windows.image_noise has no effect on frozen features, which are computed once: set it to 0")
        return cached_features(recording, self.spec)

    def __len__(self) -> int:
        return len(self.firsts)

    def correct(self, odometry: NDArray[np.float64]) -> None:
        """Takes labels from this odometry (n, 3) instead of the recorded one."""
        self.odometry = odometry

    def batch(self, rng: np.random.Generator, size: int) -> Batch:
        """`size` random windows."""
        config, chunk = self.config, self.spec.chunk
        first = rng.choice(self.firsts, size)
        starts = first + chunk * np.arange(config.starts)[:, None]
        reach = round(config.far_seconds / self.spec.period)
        low = np.maximum(self.begins[first], first - reach)
        high = np.minimum(self.ends[first], first + reach)
        far = rng.integers(low, high, (config.far_frames, size))
        frames = np.concatenate([starts, far])
        pairs = self._pairs(rng, len(frames), size)
        steps = starts[:-1, :, None] + np.arange(chunk)
        before = np.maximum(starts[:-1] - 1, self.begins[first])
        previous = self.command[before] * (starts[:-1] > self.begins[first])[..., None]
        return Batch(
            self.sensors(frames.ravel(), rng),
            torch.from_numpy(self.command[steps]),
            torch.from_numpy(previous.astype(np.float32)),
            torch.from_numpy(relative(self.odometry[starts[:-1]], self.odometry[starts[1:]]).astype(np.float32)),
            torch.from_numpy(pairs),
            torch.from_numpy(relative(self.odometry[first], self.odometry[frames]).astype(np.float32)),
        )

    def _pairs(self, rng: np.random.Generator, frames: int, size: int) -> NDArray[np.int64]:
        """Ordered pairs of different frames; the far frames are in at least half of them."""
        first = rng.integers(0, frames, (self.config.pairs, size))
        half = self.config.pairs // 2
        if self.config.far_frames:
            first[:half] = rng.integers(self.config.starts, frames, (half, size))
        second = (first + rng.integers(1, frames, first.shape)) % frames
        swap = rng.random(first.shape) < 0.5
        return np.stack([np.where(swap, second, first), np.where(swap, first, second)], -1)

    def sensors(self, rows: NDArray[np.int64], rng: np.random.Generator | None = None) -> Sensors:
        """The sensors of some rows, as the encoder takes them; with `rng` as for training, with noise."""
        index = torch.from_numpy(rows)
        images = self.images[index] if self.images is not None else None
        if images is not None and rng is not None and self.config.image_noise:
            images = _add_noise(images, self.config.image_noise, rng)
        return Sensors(
            image=images.permute(0, 3, 1, 2) if images is not None and images.ndim == 4 else images,
            scan=self.scan[index] if self.scan is not None else None,
            heading=self.heading[index] if self.heading is not None else None,
        )


def _add_noise(images: Tensor, levels: int, rng: np.random.Generator) -> Tensor:
    """Whatever a camera or a JPEG leaves in a picture must not be taken for a sign of the robot."""
    noise = torch.from_numpy(rng.integers(-levels, levels, images.shape, np.int8, endpoint=True))
    return (images.short() + noise).clamp_(0, 255).byte()
