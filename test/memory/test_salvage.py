"""Damaged files: what is readable is served, and what was lost is said."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, PlaceRow

ENCODER, DIM, COUNT, PAGE = "net@0123", 4, 400, 4096


def place(id: int) -> PlaceRow:
    latent = np.arange(DIM, dtype=np.float32) + id
    return PlaceRow(id, latent, np.array([id, 0.5, -1.0]), 1.0, 2.0, 3, note="n" * 300, thumbnail=b"%d" % id * 50)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A memory of 400 places in a chain."""
    path = tmp_path / "home.memory"
    store = Store(path, ENCODER, DIM)
    store.put_places(place(i) for i in range(1, COUNT + 1))
    store.put_edges(Edge(i, i + 1, np.array([1.0, 0.0, 0.0])) for i in range(1, COUNT))
    store.close()
    return path


def break_page_of(path: Path, text: bytes) -> None:
    """Overwrites the page in which `text` is found first, as a bad sector would."""
    content = bytearray(path.read_bytes())
    start = content.index(text) // PAGE * PAGE
    assert start > 0
    content[start : start + PAGE] = b"\xff" * PAGE
    path.write_bytes(content)


@pytest.fixture
def damaged(path: Path) -> Path:
    """The same with one page of places gone."""
    break_page_of(path, b"n" * 300)
    return path


@pytest.mark.fault("memory file damaged")
def test_what_is_readable_of_a_damaged_file_is_served_and_what_is_lost_is_said(damaged: Path) -> None:
    store = Store(damaged, ENCODER, DIM)
    places, edges = store.load()
    assert COUNT - 20 < len(places) < COUNT
    ids = {p.id for p in places}
    for found in places:
        np.testing.assert_array_equal(found.latent, place(found.id).latent)
        assert store.thumbnail(found.id) == place(found.id).thumbnail
    assert {(e.start, e.stop) for e in edges} == {(i, i + 1) for i in range(1, COUNT) if {i, i + 1} <= ids}
    assert f"{len(places)} places" in store.notice and "lost" in store.notice and "\n" not in store.notice
    store.close()


def test_the_rescued_memory_is_written_again_and_the_damaged_file_is_kept(damaged: Path) -> None:
    before = damaged.read_bytes()
    store = Store(damaged, ENCODER, DIM)
    store.put_places([place(1000)])
    store.close()
    assert (damaged.parent / "home.memory.damaged1").read_bytes() == before
    assert stat.S_IMODE(damaged.stat().st_mode) == 0o600
    again = Store(damaged, ENCODER, DIM)
    assert again.notice == "" and again.load()[0][-1].id == 1000
    again.close()
    assert {file.name for file in damaged.parent.iterdir()} == {"home.memory", "home.memory.damaged1"}


def test_a_reader_serves_what_is_readable_and_changes_nothing(damaged: Path) -> None:
    before = damaged.read_bytes()
    store = Store(damaged, ENCODER, DIM, read_only=True)
    assert COUNT - 20 < len(store.load()[0]) < COUNT and "the file is as it was" in store.notice
    assert store.thumbnail(COUNT) == place(COUNT).thumbnail
    store.close()
    assert damaged.read_bytes() == before


def test_latents_that_make_no_sense_count_as_damage(path: Path) -> None:
    content = path.read_bytes()
    latent, broken = place(7).latent.tobytes(), np.full(DIM, np.nan, np.float32).tobytes()
    assert content.count(latent) == 1
    path.write_bytes(content.replace(latent, broken))
    break_page_of(path, place(COUNT).latent.tobytes())
    store = Store(path, ENCODER, DIM)
    ids = {p.id for p in store.load()[0]}
    assert 6 in ids and 7 not in ids and COUNT not in ids
    store.close()


def test_a_damaged_picture_counts_as_none_and_the_next_opening_saves_the_others(path: Path) -> None:
    content, picture = path.read_bytes(), place(200).thumbnail
    assert content.count(picture) == 1
    path.write_bytes(content.replace(picture, picture.replace(b"200", b"201", 1)))
    store = Store(path, ENCODER, DIM)
    assert store.notice == "" and len(store.load()[0]) == COUNT
    assert store.thumbnail(200) == b"" and "pictures" in store.notice and "\n" not in store.notice
    assert store.thumbnail(1) == place(1).thumbnail and store.error is None
    store.close()
    again = Store(path, ENCODER, DIM)
    assert "damaged" in again.notice and len(again.load()[0]) == COUNT and len(again.load()[1]) == COUNT - 1
    assert again.picture_sizes().keys() == set(range(1, COUNT + 1)) - {200}
    again.close()
    last = Store(path, ENCODER, DIM)
    assert last.notice == ""
    last.close()


def test_a_damaged_page_of_pictures_is_told_on_opening_and_all_else_is_kept(path: Path) -> None:
    break_page_of(path, place(200).thumbnail)
    store = Store(path, ENCODER, DIM)
    assert "damaged" in store.notice and len(store.load()[0]) == COUNT and len(store.load()[1]) == COUNT - 1
    pictures = store.picture_sizes()
    assert COUNT - 60 < len(pictures) < COUNT and 200 not in pictures
    store.close()


@pytest.mark.fault("memory file damaged")
@pytest.mark.parametrize("seed", range(6))
def test_random_damage_never_gives_a_wrong_place(path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    for page in rng.choice(np.arange(8, len(content) // PAGE), 3, replace=False):
        content[page * PAGE : (page + 1) * PAGE] = rng.bytes(PAGE)
    path.write_bytes(content)
    store = Store(path, ENCODER, DIM)
    places, edges = store.load()
    assert len(places) > COUNT / 2
    assert all((p.latent == place(p.id).latent).all() and p.note == "n" * 300 for p in places)
    assert all(e.stop == e.start + 1 for e in edges)
    store.close()


def test_a_log_beside_a_damaged_file_does_not_meet_the_new_one(damaged: Path) -> None:
    (damaged.parent / "home.memory-wal").write_bytes(b"remains of a killed writer")
    store = Store(damaged, ENCODER, DIM)
    assert len(store.load()[0]) > COUNT - 20
    store.put_places([place(1000)])
    store.close()
    again = Store(damaged, ENCODER, DIM)
    assert again.load()[0][-1].id == 1000
    again.close()


@pytest.mark.parametrize("pages", [1, 2, 3])
def test_of_a_small_memory_that_lost_whole_tables_the_others_are_read(tmp_path: Path, pages: int) -> None:
    path = tmp_path / "home.memory"
    store = Store(path, ENCODER, DIM)
    store.put_places([replace(place(i), note="", thumbnail=b"") for i in range(1, 20)])
    store.close()
    path.write_bytes(path.read_bytes()[: -PAGE * pages])
    store = Store(path, ENCODER, DIM)
    assert [p.id for p in store.load()[0]] == list(range(1, 20)) and "was damaged" in store.notice
    store.close()
