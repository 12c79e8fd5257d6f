"""A memory of another encoder: places stay what they are, and get latents of the new one from their pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from ami_ros.core.errors import AmiError
from ami_ros.memory.conversion import reencode
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.memory.store import Store
from ami_ros.memory.types import Code, Edge, Experience, PlaceRow
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import LoadedModel, WorldModel

SPEC = ModelSpec(InputSpec(image_size=32, scan_beams=0), latent_dim=8, encoder_width=16, head_width=16, contrast_dim=8)


def picture(number: int) -> np.ndarray:
    return np.full((32, 32, 3), 20 * number, np.uint8)


def jpeg(number: int) -> bytes:
    return bytes(cv2.imencode(".jpg", picture(number))[1])


@pytest.fixture
def loaded() -> LoadedModel:
    torch.manual_seed(0)
    return LoadedModel(WorldModel(SPEC).eval(), "new", "1" * 64)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Five places in a chain; the fourth has no picture, the fifth a broken one."""
    path = tmp_path / "old.memory"
    store = Store(path, "old@000000000000", 3)
    pictures = [jpeg(1), jpeg(2), jpeg(3), b"", b"no picture"]
    for k, content in enumerate(pictures):
        pose, latent = np.array([k, 0.5, 0.1]), np.full(3, k, np.float32)
        row = PlaceRow(k + 1, latent, pose, 10.0 + k, 20.0, 3, "dock" if k == 1 else "", "note", 2, 7.0, 0.5, content)
        store.put_places([row])
    store.put_experience(1, Experience(commands=np.ones((4, 2), np.float32)))
    store.put_edges(Edge(k, k + 1, np.array([1.0, 0.0, 0.0]), 4) for k in range(1, 5))
    store.close()
    return path


def test_places_with_a_picture_get_latents_of_the_new_encoder(old: Path, loaded: LoadedModel, tmp_path: Path) -> None:
    out, seen = tmp_path / "new.memory", list[tuple[int, int]]()

    def progress(done: int, total: int) -> None:
        assert not out.exists(), "half a memory would be there after a kill"
        seen.append((done, total))

    made = reencode(old, loaded, out, progress)
    assert (made.places, made.without_picture, made.unreadable, made.ways, made.ways_lost) == (3, 1, 1, 2, 2)
    assert seen == [(k, 5) for k in range(1, 6)]
    store = Store(out, loaded.encoder_id, 8, read_only=True)
    places, edges = store.load()
    assert [p.id for p in places] == [1, 2, 3] and [(e.start, e.stop, e.traversals) for e in edges] == [
        (1, 2, 4),
        (2, 3, 4),
    ]
    dock = places[1]
    assert (dock.label, dock.note, dock.visits, dock.episode, dock.surprise, dock.keep_away) == (
        "dock",
        "note",
        3,
        2,
        7.0,
        0.5,
    )
    np.testing.assert_array_equal(dock.pose, [1.0, 0.5, 0.1])
    expected = Perception(loaded.model).encode_goal(picture(2))
    assert np.abs(dock.latent - expected).max() < 0.2 * np.abs(expected).max()  # JPEG
    assert store.thumbnail(2) == jpeg(2) and store.experience([1])[1].commands is not None
    store.close()
    memory = PlaceMemory(loaded.model, loaded.encoder_id, out, MemoryConfig())
    assert len(memory) == 3 and memory.places().labels == {2: "dock"}
    memory.close()


def test_what_cannot_be_done_is_said_and_nothing_is_written(old: Path, loaded: LoadedModel, tmp_path: Path) -> None:
    with pytest.raises(AmiError) as refused:
        PlaceMemory(loaded.model, loaded.encoder_id, old, MemoryConfig())
    assert refused.value.code == Code.ENCODER_MISMATCH and "--reencode" in str(refused.value)
    out = tmp_path / "new.memory"
    with pytest.raises(AmiError, match="already"):
        reencode(old, LoadedModel(loaded.model, "old", "0" * 64), out, lambda *_: None)
    with pytest.raises(AmiError, match="no memory"):
        reencode(tmp_path / "none", loaded, out, lambda *_: None)
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"something else" * 100)
    with pytest.raises(AmiError):
        reencode(foreign, loaded, out, lambda *_: None)
    assert not out.exists()

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        reencode(old, loaded, out, stop)
    assert not out.exists()
    out.write_bytes(b"mine")
    with pytest.raises(AmiError, match="exists"):
        reencode(old, loaded, out, lambda *_: None)
    assert out.read_bytes() == b"mine"
