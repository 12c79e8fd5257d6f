"""Executed segments: what was seen, what was done, what came of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.world_model.spec import Sensors

if TYPE_CHECKING:  # who only makes segments does without torch
    from torch import Tensor


@dataclass(frozen=True)
class Segment:
    """One model step that the robot has driven."""

    stamp: float  # at its end [s]
    before: NDArray[np.float32]  # latent (latent_dim,)
    previous: Array  # (2,) command in force before [m/s, rad/s]
    commands: Array  # (chunk, 2) [m/s, rad/s]
    after: NDArray[np.float32]  # latent (latent_dim,)
    motion: Array  # (3,) by odometry, in the base frame at its start [m, m, rad]
    sensors: Sensors | None = None  # a batch of two, of arrays: what `before` and `after` were made of, as it came


class Segments(NamedTuple):
    """Many of them: each field as in `Segment`, with the batch first; of sensors twice as many, two for each."""

    before: Tensor
    previous: Tensor
    commands: Tensor
    after: Tensor
    motion: Tensor
    sensors: Sensors | None = None


class SegmentStore:
    """Keeps the newest `capacity` segments; `rng` is that of `draw`."""

    def __init__(self, capacity: int, rng: np.random.Generator) -> None:
        self._rng = rng
        self._rows: deque[Segment] = deque(maxlen=capacity)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, segment: Segment) -> None:
        """Takes one more in."""
        self._rows.append(segment)

    def all(self) -> Segments:
        """All that are kept."""
        return _stacked(self._rows)

    def draw(self, count: int) -> Segments:
        """`count` of them at random, with replacement."""
        return _stacked([self._rows[k] for k in self._rng.integers(len(self._rows), size=count)])


def _stacked(rows: Sequence[Segment]) -> Segments:
    import torch

    def column(name: str) -> Tensor:
        return torch.from_numpy(np.array([getattr(row, name) for row in rows], dtype=np.float32))

    sensors = [row.sensors for row in rows if row.sensors is not None]
    columns = {name: column(name) for name in Segments._fields if name != "sensors"}
    kept = None
    if sensors and len(sensors) == len(rows):
        kept = Sensors(*(None if values is None else torch.from_numpy(values) for values in joined(sensors)))
    return Segments(**columns, sensors=kept)


def joined(parts: Sequence[Sensors]) -> Sensors:
    """Several batches of sensors as one."""
    return Sensors(*(None if column[0] is None else np.concatenate(column) for column in zip(*parts, strict=True)))


def single(segment: Segment) -> Segments:
    """A batch of one."""
    return _stacked([segment])
