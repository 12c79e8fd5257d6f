"""The part `memory` takes in what other robots remember, while it waits."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from ami_ros.bench.logs import laser_config, with_drift
from ami_ros.core.geometry import relative
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import PlaceQuery
from ami_ros.runtime.memory import MemoryPart, MemorySettings
from ami_ros.runtime.simulated_bus import SimulatedBus, Timing
from harness.carmen import RING, driven, scan_at

CORNERS = np.array([(1.0, 1.0), (15.0, 1.0), (15.0, 11.0), (1.0, 11.0)])


def toured(path: Path, corners: np.ndarray, seed: int) -> PlaceMemory:
    """The memory of a robot that has driven past these corners."""
    memory, rng = PlaceMemory(LaserModel(), ENCODER, path, laser_config()), np.random.default_rng(seed)
    memory.share_as(path.stem)
    truth = driven(corners)
    odometry = with_drift(truth, 0.03, np.random.default_rng(seed))
    for k, pose in enumerate(truth):
        memory.observe(0.2 * k, None, relative(odometry[0], odometry[k]), scan=scan_at(RING, pose, rng))
    memory.finish()
    memory.map.store.flush()
    return memory


def test_copies_of_other_robots_memories_are_taken_in_with_their_labels(tmp_path: Path) -> None:
    theirs = toured(tmp_path / "amr2.memory", CORNERS[[2, 1, 0, 3]], 2)
    theirs.remember("dock")
    theirs.close()
    mine = toured(tmp_path / "amr1.memory", CORNERS, 1)
    bus = SimulatedBus(Timing())
    part = bus.add(MemoryPart(bus.seat("memory"), mine, MemorySettings(), 2))
    copies = tmp_path / "amr1.memory.site"
    part.share("amr1", copies)
    bus.run_until(3.0)
    assert mine.joined == {} and not mine.recall(PlaceQuery(label="dock"))
    copies.mkdir()
    shutil.copy(tmp_path / "amr2.memory", copies)
    bus.run_until(6.0)
    while part.between():
        pass
    joined = mine.joined["amr2"]
    assert joined.taken > 0 and joined.left == 0 and joined.message == ""
    assert len(mine.recall(PlaceQuery(label="dock"))) == 1
    mine.close()
