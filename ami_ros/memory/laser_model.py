"""What a memory without a learned model is made of: a place looks like the outline of what a laser saw around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.submaps import REACH, Submap
from ami_ros.world_model.array_pairs import ArrayPairs
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.layers import Floats, unit
from ami_ros.world_model.spec import InputSpec

RINGS, SECTORS, WAVES = 16, 60, 5
ENCODER = "laser-outline-1"  # whose latents these are


class PlaceSpec(Protocol):
    """Sizes that memory needs to know of a model."""

    @property
    def latent_dim(self) -> int: ...
    @property
    def contrast_dim(self) -> int: ...
    @property
    def period(self) -> float: ...
    @property
    def command_dim(self) -> int: ...
    @property
    def inputs(self) -> InputSpec: ...


class Critic(Protocol):
    """Compares latents: the product of a query and a key, both of unit length, says how alike they are."""

    @property
    def temperature(self) -> float: ...
    def queries(self, latent: Floats, /) -> Floats: ...
    def keys(self, latent: Floats, /) -> Floats: ...


class PlaceModel(Protocol):
    """What gives meaning to the latents of a memory: a `Model` for arrays, or `LaserModel`."""

    @property
    def spec(self) -> PlaceSpec: ...
    @property
    def contrast(self) -> Critic: ...
    @property
    def pairs(self) -> ArrayPairs | None: ...
    def relative_pose(self, first: Floats, second: Floats) -> Floats:
        """x, y [m], cos and sin of the yaw (..., 4) of where the second latent was taken, as seen from the first."""


@dataclass(frozen=True)
class LaserSpec:
    """Sizes of `LaserModel`."""

    latent_dim: int = RINGS * WAVES
    contrast_dim: int = RINGS * WAVES
    period: float = 0.2  # [s]
    command_dim: int = 2
    inputs: InputSpec = field(default_factory=lambda: InputSpec(image_size=0))


class LaserModel:
    """A `PlaceModel` that has learned nothing: latents are `describe`'s, and are compared as they are."""

    spec, temperature, pairs = LaserSpec(), 0.05, None

    @property
    def contrast(self) -> LaserModel:
        return self

    def queries(self, latents: Floats) -> Floats:
        return unit(latents)

    keys = queries

    def relative_pose(self, first: Floats, second: Floats) -> Floats:
        """The place itself: how two outlines lie is for `Matcher` to say."""
        return np.broadcast_to(np.array([0, 0, 1, 0], np.float32), (*first.shape[:-1], 4))


def place_model(model: Any) -> PlaceModel:
    """What a memory asks: a `LaserModel`, or any other by `on_arrays`."""
    return model if isinstance(model, LaserModel) else on_arrays(model)


def describe(submap: Submap) -> NDArray[np.float32]:
    """Numbers (latent_dim,) that stay the same when the robot turns on the spot.

    Points are counted by ring and sector; of each ring the magnitudes of its first Fourier coefficients remain, which
    a turn does not change (cf. Scan Context, Kim and Kim, IROS 2018).
    """
    distance, angle = np.hypot(*submap.points.T), np.arctan2(submap.points[:, 1], submap.points[:, 0])
    ring = np.minimum((distance / REACH * RINGS).astype(np.int64), RINGS - 1)
    sector = ((angle + np.pi) / (2 * np.pi) * SECTORS).astype(np.int64) % SECTORS
    count = np.bincount(ring * SECTORS + sector, minlength=RINGS * SECTORS).reshape(RINGS, SECTORS)
    waves = np.abs(np.fft.rfft(np.sqrt(count), axis=1))[:, :WAVES]
    return np.asarray((waves / (np.linalg.norm(waves) + 1e-9)).ravel(), np.float32)
