"""From recordings to a memory of places, by the parts that grow it on a robot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.core.geometry import relative
from ami_ros.memory.particle_filter import FilterConfig
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.types import Location
from ami_ros.runtime.graph import AgentConfig
from ami_ros.runtime.recorded import RecordedBus
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.extract import extract
from ami_ros.world_model.torch_model import load_model
from harness.exact_model import ExactModel
from harness.processes import REPOSITORY
from harness.walked_room import legs, room, scan_at

ROWS = 100


@pytest.fixture
def memory() -> Iterator[PlaceMemory]:
    memory = PlaceMemory(ExactModel(), "exact@0", None, MemoryConfig(filter=FilterConfig(particles=300)))
    yield memory
    memory.close()


def bus_of(memory: PlaceMemory, dataset: Dataset, heard: list[Location], thumbnails: bool = True) -> RecordedBus:
    return RecordedBus(ExactModel(), "exact@0", memory, dataset, AgentConfig(thumbnails=thumbnails), heard.append)


def test_a_drive_becomes_places_and_beliefs(dataset: Dataset, memory: PlaceMemory) -> None:
    heard: list[Location] = []
    bus = bus_of(memory, dataset, heard)
    bus.play(ROWS * dataset.period / 60)
    assert not bus.refused and [location.stamp for location in heard] == list(dataset.stamp[:ROWS])
    assert len(memory) > 10 and len(memory.places().edges) >= len(memory) - 1
    driven = relative(dataset.odometry[0], dataset.odometry[:ROWS])
    believed = np.array([location.pose for location in heard])
    assert np.median(np.hypot(*(believed[:, :2] - driven[:, :2]).T)) < 0.2
    assert np.median([location.confidence for location in heard]) > 0.8
    assert memory.map.store.thumbnail(1)


def test_thumbnails_can_be_left_out(dataset: Dataset, memory: PlaceMemory) -> None:
    bus_of(memory, dataset, [], thumbnails=False).play(20 * dataset.period / 60)
    assert len(memory) > 1 and memory.map.store.thumbnail(1) == b""


def test_a_recording_is_lived_through_as_far_as_it_is_wanted(dataset: Dataset, memory: PlaceMemory) -> None:
    reports: list[tuple[int, int, int]] = []
    minutes = 260 * dataset.period / 60  # all of the first episode, and some of the second
    bus_of(memory, dataset, []).play(minutes, lambda *now: reports.append((*now, len(memory))))
    assert [done for done, _, _ in reports] == list(range(1, 261)) and {of for _, of, _ in reports} == {260}
    # The second episode has an odometry of its own, and yet the places of the first are known again.
    first = reports[199][2]
    assert first <= len(memory) < 1.7 * first


def test_what_was_not_played_does_not_make_memory_lose_its_place(
    dataset: Dataset, memory: PlaceMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each episode that came after the minutes that were wanted switched the robot on anew."""
    starts: list[None] = []
    monkeypatch.setattr(memory, "restart", lambda: starts.append(None))
    bus_of(memory, dataset, []).play(20 * dataset.period / 60)
    assert len(dataset.episodes) > 1 and len(starts) == 1


def test_who_walked_through_the_recording_is_not_remembered_as_a_wall(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BagWriter(tmp_path / "bag") as bag:
        for k in range(20):
            stamp, person = 0.2 * k, legs(np.array([1.5, -1.5 + 0.15 * k]), np.pi / 2, 0.15 * k)
            scan = scan_at([*room(), *person], np.zeros(3), seed=k)
            bag.scan("scan", stamp, scan.ranges, scan.angle_min, scan.angle_increment)
            bag.odometry("odom", stamp, np.zeros(3), (0.0, 0.0))
    loaded = load_model(REPOSITORY / "models/laser")
    memory = PlaceMemory(loaded.model, loaded.encoder_id, None, MemoryConfig())
    scans: list[Any] = []
    observe = memory.observe

    def seen(*given: Any) -> Location:
        scans.append(given[6])
        return observe(*given)

    monkeypatch.setattr(memory, "observe", seen)
    RecordedBus(loaded.model, loaded.encoder_id, memory, extract([tmp_path / "bag"], tmp_path / "data")).play(0.0)
    assert len(scans) > 15 and not np.isnan(scans[0].ranges).any()
    assert np.isnan(
        scans[-1].ranges
    ).any()  # those beams tell nothing: neither that something stands there, nor that it is free
    memory.close()
