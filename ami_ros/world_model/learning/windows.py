"""What training reads of recordings, several of them as one, and the windows that are drawn: short stretches and far
frames."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.core.installation import importing
from ami_ros.core.scan import Mount
from ami_ros.world_model.learning.bag_reader import common_mount
from ami_ros.world_model.perception import fit_scan_columns
from ami_ros.world_model.spec import ModelSpec, Sensors

with importing("train"):
    import psutil

Images = NDArray[np.uint8]
Rows = NDArray[np.int64]


class Recording(Protocol):
    """What training reads of a data set; its n rows are moments `period` seconds apart within an episode."""

    period: float
    scan: NDArray[np.float32]  # (n, beams) [m]
    scanner: Mount | None  # where it sat; None: not known
    odometry: Array  # (n, 3)
    command: NDArray[np.float32]  # (n, 2 or 3, see `ami_ros.core.commands`) in force from row i to row i + 1
    episodes: list[tuple[int, int]]  # (start, stop) of each

    def __len__(self) -> int: ...

    def images(self, rows: Rows, size: int) -> Images:
        """(k, size, size, 3) RGB of some rows."""
        ...

    def load_images(self, size: int) -> Images:
        """(n, size, size, 3) RGB of all rows."""
        ...


def open_pictures(source: Recording, size: int, budget: float | None = None) -> Callable[[Rows], Images]:
    """What gives pictures (k, size, size, 3) of `source` by rows (k,): all are decoded in memory where they fit, else
    they stay on disk, a few kilobytes each, and are decoded when they are wanted.

    Args:
        source: where they are.
        size: side of the square that the model takes [px].
        budget: memory they may take [B]; None: half of what is free, shared with the other processes of a training.
    """
    if budget is None:
        budget = 0.5 * psutil.virtual_memory().available / int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if 3 * size * size * len(source) > budget:
        return lambda rows: source.images(rows, size)
    return source.load_images(size).__getitem__


# Several recordings as one, their rows behind one another.


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
        recordings: (start, stop) of the rows of each bag or tub.
        runs: likewise of each run.
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
        self.episodes = self._of_all(lambda part: list(part.episodes))
        self.recordings, self.runs = self._of_all(recordings_of), self._of_all(runs_of)

    def __len__(self) -> int:
        return int(self.starts[-1])

    def _of_all(self, stretches: Callable[[Recording], list[tuple[int, int]]]) -> list[tuple[int, int]]:
        offsets = zip(self.starts.tolist(), self.parts, strict=False)
        return [(first + start, first + stop) for first, part in offsets for start, stop in stretches(part)]

    def images(self, rows: Rows, size: int) -> NDArray[np.uint8]:
        """As `Recording.images`."""
        found = np.empty((len(rows), size, size, 3), np.uint8)
        owner = np.searchsorted(self.starts, rows, side="right") - 1
        for number in np.unique(owner):
            mine = owner == number
            found[mine] = self.parts[number].images(rows[mine] - self.starts[number], size)
        return found

    def load_images(self, size: int) -> NDArray[np.uint8]:
        """As `Recording.load_images`."""
        images = np.empty((len(self), size, size, 3), np.uint8)
        for part, start in zip(self.parts, self.starts, strict=False):
            images[start : start + len(part)] = part.load_images(size)
        return images


# Training windows: short stretches of one episode, and far frames of the same run.


class Batch(NamedTuple):
    """`frames`: starts of model steps, then far frames; rows of `sensors` run frame by frame (frames * batch)."""

    sensors: Sensors
    commands: Tensor  # (starts - 1, batch, chunk, command_dim)
    previous: Tensor  # (starts - 1, batch, command_dim)
    motions: Tensor  # (starts - 1, batch, 3) displacement during each chunk, by odometry
    pairs: Tensor  # (pairs, batch, 2) int64, indices into frames
    poses: Tensor  # (frames, batch, 3) of the frames, seen from the window's first, by odometry


@dataclass(frozen=True)
class WindowConfig:
    """Shape of a window."""

    starts: int = 6  # model steps rolled out from in a row; more: longer rollouts, slower
    far_frames: int = 2  # further frames of the same episode, for relative poses over longer stretches
    far_seconds: float = 12.0  # [s] from the window's start at most; larger relies on worse odometry
    pairs: int = 40  # pairs of frames for the relative-pose loss; more: more exact, slower
    mirror: bool = False  # of a camera alone: every other window left for right, and so its steering
    episodes: int = 0  # whose windows make up a batch; few: places of one building are told apart; 0: any number


@dataclass(frozen=True)
class Source:
    """Stretches that windows are drawn from."""

    episodes: Sequence[tuple[int, int]]  # (start, stop) rows of each
    share: float = 1.0  # of the windows of a batch, in relation to those of other sources


class WindowSampler:
    """Draws batches. Pictures are in memory where they fit, else decoded for each batch.

    Args:
        recording: the data.
        spec: of the model; says which sensors are read.
        config: shape of the windows.
        sources: where windows may lie; None: anywhere.
        budget: memory for the pictures, as in `open_pictures`.

    Raises:
        AmiError: the recording lacks an input of the model, or has another period.
    """

    def __init__(
        self, recording: Recording, spec: ModelSpec, config: WindowConfig, sources: Sequence[Source] | None = None,
        budget: float | None = None,
    ) -> None:  # fmt: skip
        inputs = spec.inputs
        check_inputs(recording, spec)
        self.spec, self.config = spec, config
        self.images = open_pictures(recording, inputs.image_size, budget) if inputs.image_size else None
        self.scan = recording.scan if inputs.scan_beams else None
        self.recorded = np.asarray(recording.odometry, np.float64)
        self.odometry = self.recorded  # what labels are made of; may be replaced by a corrected one
        self.command = np.asarray(recording.command, np.float32)
        self.episodes = tuple(recording.episodes)  # whole ones, whatever the sources are
        self.runs = runs_of(recording)
        self._index([Source(recording.episodes)] if sources is None else sources)

    def within(self, sources: Sequence[Source]) -> WindowSampler:
        """The same with other stretches; it shares all data with this one."""
        other = copy(self)
        other._index(sources)
        return other

    def _index(self, sources: Sequence[Source]) -> None:
        """Per row the episode's begin and end, and the rows where a window may start, by source."""
        span = (self.config.starts - 1) * self.spec.chunk
        self.begins = np.arange(len(self.odometry))  # elsewhere an episode of no length
        self.ends = self.begins.copy()
        self.firsts: list[Rows] = []
        self.rows: list[Rows] = []
        shares = []
        for source in sources:
            for start, stop in source.episodes:
                self.begins[start:stop], self.ends[start:stop] = start, stop
            firsts = [np.arange(start, max(start, stop - span)) for start, stop in source.episodes]
            if sum(map(len, firsts)) and source.share > 0:
                self.firsts.append(np.concatenate(firsts))
                self.rows.append(np.concatenate([np.arange(*episode) for episode in source.episodes]))
                shares.append(source.share)
        self.shares = np.cumsum(shares) / max(sum(shares), 1e-12)

    def __len__(self) -> int:
        """Rows where a window may start."""
        return sum(len(firsts) for firsts in self.firsts)

    def batch(self, rng: np.random.Generator, size: int, part: slice | None = None) -> Batch:
        """`size` random windows, or some of them.

        Args:
            rng: decides; whatever the part is, it draws the same `size` windows.
            size: windows of the batch.
            part: which of them are wanted; None: all.
        """
        config = self.config
        first, far = self._frames(rng, size)
        pairs = self._pairs(rng, config.starts + config.far_frames, size)
        if part is not None:
            first, far, pairs = first[part], far[:, part], pairs[:, part]
        frames = np.concatenate([self._starts(first), far])
        sensors = self.sensors(frames.ravel())
        batch = self._driven(first, frames)._replace(sensors=sensors, pairs=torch.from_numpy(pairs))
        return mirrored(batch) if config.mirror else batch

    def driven(self, rng: np.random.Generator, size: int) -> tuple[Rows, Batch]:
        """`size` random windows without what was sensed: rows (frames, size), and a batch without `sensors` and
        `pairs`."""
        first, far = self._frames(rng, size)
        frames = np.concatenate([self._starts(first), far])
        return frames, self._driven(first, frames)

    def _frames(self, rng: np.random.Generator, size: int) -> tuple[Rows, Rows]:
        """Rows of the first (size,) and of the far (far_frames, size) frames of random windows."""
        first = self._draw(self.firsts, rng, size)
        reach = round(self.config.far_seconds / self.spec.period)
        low = np.maximum(self.begins[first], first - reach)
        high = np.minimum(self.ends[first], first + reach)
        return first, rng.integers(low, high, (self.config.far_frames, size))

    def _starts(self, first: Rows) -> Rows:
        return first + self.spec.chunk * np.arange(self.config.starts)[:, None]

    def _driven(self, first: Rows, frames: Rows) -> Batch:
        """Commands and poses of the windows that begin at the rows `first` (size,), with these `frames`."""
        starts = frames[: self.config.starts]
        steps = starts[:-1, :, None] + np.arange(self.spec.chunk)
        before = np.maximum(starts[:-1] - 1, self.begins[first])
        previous = self.command[before] * (starts[:-1] > self.begins[first])[..., None]
        return Batch(
            Sensors(),
            torch.from_numpy(self.command[steps]),
            torch.from_numpy(previous.astype(np.float32)),
            torch.from_numpy(relative(self.odometry[starts[:-1]], self.odometry[starts[1:]]).astype(np.float32)),
            torch.zeros(0, len(first), 2, dtype=torch.int64),
            torch.from_numpy(relative(self.odometry[first], self.odometry[frames]).astype(np.float32)),
        )

    def moments(self, rng: np.random.Generator, size: int) -> Rows:
        """Random rows (size,) of the sources, from each its share."""
        return self._draw(self.rows, rng, size)

    def _draw(self, among: list[Rows], rng: np.random.Generator, size: int) -> Rows:
        counts = np.diff(np.rint(self.shares * size).astype(int), prepend=0)
        return np.concatenate([rng.choice(self._some(a, rng), n) for a, n in zip(among, counts, strict=True)])

    def _some(self, rows: Rows, rng: np.random.Generator) -> Rows:
        """Those of a few episodes, if that is wanted."""
        if not self.config.episodes:
            return rows
        own = self.begins[rows]
        return rows[np.isin(own, rng.choice(np.unique(own), self.config.episodes))]

    def _pairs(self, rng: np.random.Generator, frames: int, size: int) -> Rows:
        """Ordered pairs of different frames; the far frames are in at least half of them."""
        first = rng.integers(0, frames, (self.config.pairs, size))
        half = self.config.pairs // 2
        if self.config.far_frames:
            first[:half] = rng.integers(self.config.starts, frames, (half, size))
        second = (first + rng.integers(1, frames, first.shape)) % frames
        swap = rng.random(first.shape) < 0.5
        return np.stack([np.where(swap, second, first), np.where(swap, first, second)], -1)

    def sensors(self, rows: Rows) -> Sensors:
        """The sensors of some rows, as the encoder takes them."""
        images, scan = None, None
        if self.images is not None:
            images = torch.from_numpy(self.images(rows)).permute(0, 3, 1, 2)
        if self.scan is not None:
            scan = torch.from_numpy(fit_scan_columns(self.scan[rows], self.spec.inputs.scan_beams))
        return Sensors(images, scan)


def mirrored(batch: Batch) -> Batch:
    """Every other window left for right: what the camera saw, where it was, and the commands to the sides."""
    image, commands, previous = batch.sensors.image, batch.commands.clone(), batch.previous.clone()
    motions, poses = batch.motions.clone(), batch.poses.clone()
    frames, size = poses.shape[:2]
    image = image.unflatten(0, (frames, size)).clone()
    image[:, ::2] = image[:, ::2].flip(-1)
    for values in (commands, previous, motions, poses):
        values[:, ::2, ..., 1:] *= -1
    sensors = batch.sensors._replace(image=image.flatten(0, 1))
    return Batch(sensors, commands, previous, motions, batch.pairs, poses)


def check_inputs(recording: Recording, spec: ModelSpec) -> None:
    """Raises AmiError if a recording is not what a model of `spec` reads."""
    inputs = spec.inputs
    if abs(recording.period - spec.period) > 1e-6:
        raise AmiError(
            f"the data set has a frame each {recording.period:g} s, the model one each {spec.period:g} s; "
            f"extract it with --period {spec.period:g}, or set spec.period"
        )
    check_commands(recording.command.shape[1], spec)
    if inputs.scan_beams and not recording.scan.shape[1]:
        raise AmiError(
            "the model needs a scan, which the data set does not have; "
            "choose another preset or set spec.inputs.scan_beams=0"
        )


def check_commands(width: int, spec: ModelSpec) -> None:
    """Raises AmiError if a data set whose commands have `width` numbers is not one for a model of `spec`."""
    if width < spec.command_dim:
        raise AmiError(
            "the model drives sideways, and the data set does not tell the commands for it; extract it with "
            "--set lateral=true from bags whose cmd_vel has linear.y, or set spec.max_lateral=0"
        )
    if width > spec.command_dim:
        raise AmiError(
            "the data set is of a robot that drives sideways, and the model has no such command; set spec.max_lateral "
            "to its greatest speed to the sides [m/s], or extract it with --set lateral=false"
        )
