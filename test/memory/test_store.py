"""The store of places: what it keeps, and what it does with broken, foreign and full files."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ami_ros.errors import AmiError
from ami_ros.memory.store import SCHEMA_VERSION, WRONG_ENCODER, EdgeRow, PlaceRow, Store

DIM = 4


def place(id: int, label: str = "", thumbnail: bytes = b"", note: str = "") -> PlaceRow:
    latent = np.arange(DIM, dtype=np.float32) + id
    return PlaceRow(id, latent, np.array([id, 0.5, -1.0]), 10.0, 20.0 + id, 3, label, note, thumbnail)


def edge(start: int, stop: int) -> EdgeRow:
    return EdgeRow(start, stop, np.array([0.1, 0.2, 0.3]), 2, 1.5, 1, 30.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "memory.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path, "net@0123", DIM)
    yield store
    store.close()


def test_places_and_edges_come_back_as_they_were(path: Path, store: Store) -> None:
    store.put_places([place(2, "kitchen", b"jpeg"), place(1)])
    store.put_edges([edge(1, 2)])
    store.close()
    again = Store(path, "net@0123", DIM)
    places, edges = again.load()
    assert [p.id for p in places] == [1, 2]
    kitchen = places[1]
    assert (kitchen.label, kitchen.visits, kitchen.last_seen, kitchen.thumbnail) == ("kitchen", 3, 22.0, b"")
    np.testing.assert_array_equal(kitchen.latent, place(2).latent)
    np.testing.assert_array_equal(kitchen.pose, place(2).pose)
    assert edges[0].start == 1 and edges[0].duration == 1.5 and edges[0].failures == 1
    np.testing.assert_array_equal(edges[0].relative, [0.1, 0.2, 0.3])
    assert (again.thumbnail(2), again.thumbnail(1), again.thumbnail(9)) == (b"jpeg", b"", b"")
    again.close()


def test_a_later_row_replaces_the_earlier_but_keeps_its_thumbnail(store: Store) -> None:
    store.put_places([place(1, "old", b"jpeg")])
    store.put_places([place(1, "new")])
    store.flush()
    assert store.load()[0][0].label == "new"
    assert store.thumbnail(1) == b"jpeg"


def test_a_store_without_path_lives_in_memory() -> None:
    store = Store(None, "net@0123", DIM)
    store.put_places([place(1)])
    store.flush()
    assert len(store.load()[0]) == 1
    store.close()


def test_erased_places_are_gone_with_their_edges_and_bytes(path: Path, store: Store) -> None:
    store.put_places([place(1, note="secret-of-one"), place(2, note="secret-of-two"), place(3)])
    store.put_edges([edge(1, 2), edge(2, 3), edge(3, 1)])
    store.erase([1])
    places, edges = store.load()
    assert [p.id for p in places] == [2, 3]
    assert [(e.start, e.stop) for e in edges] == [(2, 3)]
    content = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"secret-of-one" not in content and b"secret-of-two" in content
    store.erase_all()
    assert store.load() == ([], [])
    assert b"secret-of-two" not in b"".join(file.read_bytes() for file in path.parent.iterdir())


def test_only_the_owner_may_read_the_files(path: Path, store: Store) -> None:
    store.put_places([place(1)])
    store.flush()
    files = list(path.parent.iterdir())
    assert len(files) == 3  # the database and its two logs
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)


def test_two_readers_see_what_the_writer_flushed(path: Path, store: Store) -> None:
    readers = [Store(path, "net@0123", DIM, read_only=True) for _ in range(2)]
    store.put_places([place(1)])
    store.flush()
    assert [len(reader.load()[0]) for reader in readers] == [1, 1]
    with pytest.raises(AmiError, match="reading only"):
        readers[0].put_places([place(2)])
    for reader in readers:
        reader.close()


def test_latents_of_another_encoder_are_refused(path: Path, store: Store) -> None:
    store.close()
    with pytest.raises(AmiError, match="net@0123") as failure:
        Store(path, "net@9999", DIM)
    assert failure.value.code == WRONG_ENCODER
    with pytest.raises(AmiError):
        Store(path, "net@0123", DIM + 1)
    with pytest.raises(ValueError, match="latent"):
        Store(None, "net@0123", DIM + 1).put_places([place(1)])


def test_a_file_of_a_later_version_is_refused(path: Path, store: Store) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(AmiError, match="version 2, this program knows 1"):
        Store(path, "net@0123", DIM)


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_file_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)
    with pytest.raises(AmiError, match=r"memory\.db cannot be used.*restore it"):
        Store(path, "net@0123", DIM)
    assert path.read_bytes() == content


def test_damage_in_the_middle_is_an_error_not_a_wrong_answer(path: Path, store: Store) -> None:
    store.put_places([place(i, note="x" * 500) for i in range(200)])
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * 8192)
    again = Store(path, "net@0123", DIM)
    with pytest.raises(AmiError, match="cannot be used"):
        again.load()
    again.close()


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(AmiError, match="no memory of places"):
        Store(path, "net@0123", DIM)


def test_a_missing_file_cannot_be_read_and_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="no such file"):
        Store(tmp_path / "none.db", "net@0123", DIM, read_only=True)
    with pytest.raises(AmiError, match="cannot be opened"):
        Store(tmp_path, "net@0123", DIM)


def test_a_store_in_a_folder_that_nobody_may_write_can_be_read(path: Path, store: Store) -> None:
    store.put_places([place(1)])
    store.close()
    path.chmod(0o444)
    path.parent.chmod(0o555)
    reader = Store(path, "net@0123", DIM, read_only=True)
    assert len(reader.load()[0]) == 1
    reader.close()
    path.parent.chmod(0o755)
