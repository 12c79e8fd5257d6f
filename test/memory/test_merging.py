"""Two robots' memories become one map, or none if they have nothing in common."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import Code, GoalQuery
from harness.exact_model import pose_of

from .conftest import ENCODER, Opener, Walker


def explore(memory: PlaceMemory, start: tuple[float, float, float], seed: int, turns: int = 4) -> Walker:
    """Twice around a square of 1.6 m that begins at `start` of the world."""
    walker = Walker(memory, start, seed)
    walker.look(b"picture")
    for _ in range(2):
        for _ in range(turns):
            walker.drive(1.6, thumbnail=b"picture")
            walker.drive(0.0, np.pi / 2, thumbnail=b"picture")
    return walker


def errors(memory: PlaceMemory) -> Array:
    """Distance of each place from the truth, seen from the first place [m]."""
    true = pose_of(np.stack([memory.map.details[int(i)].latent for i in memory.map.index.ids]))
    seen = relative(memory.map.index.poses[0], memory.map.index.poses)
    return np.hypot(*(seen - relative(true[0], true))[:, :2].T)


@pytest.fixture
def other(tmp_path: Path, open_memory: Opener) -> Path:
    """Another robot's memory: its square overlaps with the first one's along one side."""
    path = tmp_path / "other.memory"
    memory = open_memory(path)
    walker = explore(memory, (0.8, 0.0, 0.0), 7)
    memory.remember("dock", "seen by the other")
    memory.find_route(GoalQuery(place_id=1))
    assert walker.time > 100.0
    memory.close()
    return path


def test_maps_are_laid_over_each_other_and_joined(other: Path, open_memory: Opener) -> None:
    memory = open_memory()
    walker = explore(memory, (0.0, 0.0, 0.0), 1)
    before, digest = len(memory), hashlib.sha256(other.read_bytes()).hexdigest()
    strange = GoalQuery(pose=np.array([2.4, 1.6, np.pi]))  # a corner where only the other has been
    with pytest.raises(AmiError) as unknown:
        memory.find_route(strange)
    assert unknown.value.code == Code.NO_ROUTE
    merged = memory.merge(other)
    assert merged.joined > 5 and merged.added > 10 and merged.ways > 10
    assert len(memory) == before + merged.added
    assert errors(memory).max() < 0.35
    route = memory.find_route(strange)
    assert 1.0 < route.length < 8.0
    assert memory.map.store.thumbnail(max(memory.map.details)) == b"picture"
    assert hashlib.sha256(other.read_bytes()).hexdigest() == digest
    location = walker.drive(0.5)
    assert location.localised


def test_what_was_merged_is_there_after_a_restart(path: Path, other: Path, open_memory: Opener) -> None:
    memory = open_memory(path)
    explore(memory, (0.0, 0.0, 0.0), 1)
    memory.merge(other)
    known, labels = memory.places(), dict(memory.map.labels)
    assert "dock" in labels.values()
    memory.close()
    again = open_memory(path).places()
    np.testing.assert_array_equal(again.ids, known.ids)
    np.testing.assert_allclose(again.poses, known.poses)
    assert {tuple(e) for e in again.edges} == {tuple(e) for e in known.edges} and again.labels == labels


def test_a_label_that_both_use_stays_where_it_is(other: Path, open_memory: Opener) -> None:
    memory = open_memory()
    explore(memory, (0.0, 0.0, 0.0), 1)
    mine = memory.remember("dock")
    memory.merge(other)
    assert memory.map.labelled("dock") == [mine]


def test_the_same_memory_twice_adds_hardly_anything(other: Path, open_memory: Opener) -> None:
    memory = open_memory()
    memory.merge(other)  # into an empty one: all of it
    first = len(memory)
    again = memory.merge(other)
    assert again.joined == first and again.added == 0 and again.ways == 0


def test_memories_with_nothing_in_common_are_not_merged(other: Path, open_memory: Opener) -> None:
    memory = open_memory()
    explore(memory, (8.0, 8.0, 0.0), 1)
    before = memory.places()
    with pytest.raises(AmiError, match="too little in common") as refused:
        memory.merge(other)
    assert refused.value.code == Code.NOTHING_IN_COMMON
    np.testing.assert_array_equal(memory.places().poses, before.poses)


def test_there_is_a_limit_and_nothing_changes_beyond_it(other: Path, open_memory: Opener) -> None:
    memory = open_memory()
    explore(memory, (0.0, 0.0, 0.0), 1)
    memory.config = replace(memory.config, max_places=len(memory) + 3)
    before = len(memory)
    with pytest.raises(AmiError, match="more than") as refused:
        memory.merge(other)
    assert refused.value.code == Code.MEMORY_FULL and len(memory) == before


def test_a_memory_of_another_encoder_is_not_merged(other: Path, open_memory: Opener) -> None:
    memory = open_memory(encoder="other@ba9876543210")
    assert memory.map.encoder_id != ENCODER
    with pytest.raises(AmiError) as refused:
        memory.merge(other)
    assert refused.value.code == Code.ENCODER_MISMATCH
