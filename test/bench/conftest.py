from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.bench.trials import Trial
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from harness.exact_model import latent_of
from harness.loops import EXACT, FEW_PARTICLES

# Round the west room of `two_rooms`, through its door, round the east room and back.
TOUR = [(0.5, 0.5), (1.5, 0.5), (1.5, 1.6), (3.4, 1.6), (3.4, 0.6), (2.6, 0.6), (2.6, 2.4), (3.4, 2.4), (3.4, 1.6)]
TOUR += [(0.6, 1.6), (0.6, 2.5), (1.5, 2.5), (1.5, 1.6), (0.5, 0.5)]


@pytest.fixture
def trial() -> Callable[..., Trial]:
    """Makes a near trial that reached its goal, but for what the caller changes."""

    def make(**changes: Any) -> Trial:
        values: dict[str, Any] = {
            "kind": "near", "start": (0.0, 0.0, 0.0), "goal": (1.0, 0.0, math.pi - 0.05), "path_length_m": 1.0,
            "allowance_s": 30.0, "status": "succeeded", "still": True, "final": (1.1, 0.1, -math.pi + 0.05),
            "time_s": 8.0, "collisions": 0, "replans": 40, "recoveries": 0, "error_code": 0, "error_msg": "",
        }  # fmt: skip
        return Trial(**(values | changes))

    return make


@pytest.fixture(scope="package")
def memory_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A memory of both rooms of `two_rooms`, driven through in both directions."""
    path = tmp_path_factory.mktemp("memory") / "memory.db"
    config: MemoryConfig = FEW_PARTICLES
    memory = PlaceMemory(EXACT.model, EXACT.encoder_id, path, config)
    corners, stamp = np.array([*TOUR, *TOUR[-2::-1]]), 0.0
    for a, b in zip(corners[:-1], corners[1:], strict=True):
        steps = max(1, round(float(np.hypot(*(b - a))) / 0.12))
        for k in range(steps):
            pose = np.array([*(a + (b - a) * k / steps), np.arctan2(*(b - a)[::-1])])
            memory.observe(stamp, latent_of(pose), pose)
            stamp += 0.2
    memory.close()
    return path
