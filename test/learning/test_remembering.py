"""From recordings to a memory of places."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from ami_ros.geometry import relative
from ami_ros.learning.dataset import Dataset
from ami_ros.learning.remembering import encode_rows, remember_episode, remember_recording
from ami_ros.learning.windows import WindowConfig, WindowSampler
from ami_ros.slam.particle_filter import FilterConfig
from ami_ros.slam.place_memory import MemoryConfig, PlaceMemory
from harness.exact_model import ExactModel

EPISODE = np.arange(0, 100)


@pytest.fixture
def memory() -> Iterator[PlaceMemory]:
    memory = PlaceMemory(ExactModel(), "exact@0", None, MemoryConfig(filter=FilterConfig(particles=300)))
    yield memory
    memory.close()


@pytest.fixture(scope="module")
def latents(dataset: Dataset) -> np.ndarray:
    model = ExactModel()
    return encode_rows(model, WindowSampler(dataset, model.spec, WindowConfig()), EPISODE, batch=32)


def test_rows_are_encoded_in_order_whatever_the_batch(dataset: Dataset, latents: np.ndarray) -> None:
    model = ExactModel()
    again = encode_rows(model, WindowSampler(dataset, model.spec, WindowConfig()), EPISODE[40:50])
    assert latents.shape == (100, 4) and latents.dtype == np.float32
    np.testing.assert_allclose(again, latents[40:50], atol=1e-5)


def test_an_episode_becomes_places_and_beliefs(dataset: Dataset, latents: np.ndarray, memory: PlaceMemory) -> None:
    reports: list[tuple[int, int]] = []
    beliefs = remember_episode(memory, dataset, EPISODE, latents, lambda *now: reports.append(now))
    assert beliefs.shape == (100, 4) and reports[0] == (1, 100) and reports[-1] == (100, 100)
    assert len(memory) > 10 and len(memory.places().edges) >= len(memory) - 1
    driven = relative(dataset.odometry[0], dataset.odometry[:100])
    assert np.median(np.hypot(*(beliefs[:, :2] - driven[:, :2]).T)) < 0.2
    assert np.median(beliefs[:, 3]) > 0.8
    assert memory.map.store.thumbnail(1) == dataset.jpeg(0)


def test_thumbnails_can_be_left_out(dataset: Dataset, latents: np.ndarray, memory: PlaceMemory) -> None:
    remember_episode(memory, dataset, EPISODE[:20], latents, thumbnails=False)
    assert len(memory) > 1 and memory.map.store.thumbnail(1) == b""


def test_a_recording_is_lived_through_as_far_as_it_is_wanted(dataset: Dataset, memory: PlaceMemory) -> None:
    reports: list[tuple[int, int]] = []
    minutes = 260 * dataset.period / 60  # all of the first episode, and some of the second
    remember_recording(memory, dataset, minutes, lambda *now: reports.append(now))
    assert reports[-1] == (260, 260) and [done for done, _ in reports] == sorted(done for done, _ in reports)
    first = remember_only_first(dataset)
    # The second episode has an odometry of its own, and yet the places of the first are known again.
    assert first <= len(memory) < 1.7 * first


def remember_only_first(dataset: Dataset) -> int:
    """How many places the first episode alone makes."""
    memory = PlaceMemory(ExactModel(), "exact@0", None, MemoryConfig(filter=FilterConfig(particles=300)))
    remember_recording(memory, dataset, 200 * dataset.period / 60, lambda done, total: None)
    count = len(memory)
    memory.close()
    return count
