"""A robot that walks about in a memory of exact latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from ami_ros.core.geometry import Array, compose
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import Location
from harness.exact_model import ExactModel, latent_of

ENCODER = "exact@0123456789ab"
PERIOD = 0.2  # [s]


class Walker:
    """Drives exactly, senses exactly, and reckons a little wrongly from an origin of its own.

    Its first pose becomes the origin of an empty memory's map; `start` is in the world.
    """

    def __init__(self, memory: PlaceMemory, start: ArrayLike = (0.0, 0.0, 0.0), seed: int = 0) -> None:
        self.memory, self.pose = memory, np.asarray(start, dtype=np.float64)
        self.rng = np.random.default_rng(seed)
        self.odometry = np.array([7.0, -3.0, 2.0])
        self.time = 100.0

    def look(self, thumbnail: bytes | None = None) -> Location:
        """Lets memory take in this moment."""
        return self.memory.observe(self.time, latent_of(self.pose), self.odometry, thumbnail)

    def drive(self, length: float, turn: float = 0.0, thumbnail: bytes | None = None) -> Location:
        """Drives `length` [m] while turning by `turn` [rad], at 0.5 m/s or 1.2 rad/s, looking five times a second."""
        steps = max(1, round(max(abs(length) / 0.5, abs(turn) / 1.2) / PERIOD))
        for _ in range(steps):
            motion = np.array([length / steps, 0.0, turn / steps])
            self.pose = compose(self.pose, motion)
            self.odometry = compose(self.odometry, motion * self.rng.normal(1.01, 0.02, 3))
            self.time += PERIOD
            location = self.look(thumbnail)
        return location

    def loop(self, side: float = 2.0) -> Location:
        """Once around a square to the left, ending where it began."""
        for _ in range(4):
            self.drive(side)
            location = self.drive(0.0, np.pi / 2)
        return location


def pose_error(a: Array, b: Array) -> float:
    """Distance [m] plus turn [rad]."""
    return float(np.hypot(*(a[:2] - b[:2])) + abs(np.angle(np.exp(1j * (a[2] - b[2])))))


Opener = Callable[..., PlaceMemory]
LIGHT = FilterConfig(particles=300)  # enough for a room, and three times as fast


@pytest.fixture(scope="session")
def model() -> ExactModel:
    return ExactModel()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


@pytest.fixture
def open_memory(model: ExactModel) -> Iterator[Opener]:
    """Opens memories, and closes them at the end."""
    opened: list[PlaceMemory] = []

    def open_one(path: Path | None = None, config: MemoryConfig | None = None, encoder: str = ENCODER) -> PlaceMemory:
        opened.append(PlaceMemory(model, encoder, path, config or MemoryConfig(filter=LIGHT)))
        return opened[-1]

    yield open_one
    for memory in opened:
        memory.close()
