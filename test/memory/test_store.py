"""What is put is there again, whatever happens to the process and its disk."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory.database import SCHEMA_VERSION
from ami_ros.memory.store import Store
from ami_ros.memory.types import Code, Edge, Experience, PlaceRow
from harness.memory_kill import kill_again_and_again
from harness.processes import Children

DIM = 4


def place(id: int, label: str = "", thumbnail: bytes = b"", note: str = "") -> PlaceRow:
    latent = np.arange(DIM, dtype=np.float32) + id
    return PlaceRow(id, latent, np.array([id, 0.5, -1.0]), 10.0, 20.0 + id, 3, label, note, thumbnail=thumbnail)


def edge(start: int, stop: int) -> Edge:
    return Edge(start, stop, np.array([0.1, 0.2, 0.3]), 2, 1.5, 1, 30.0)


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


def test_experience_comes_back_and_stays_when_the_place_changes(path: Path, store: Store) -> None:
    covariance = np.diag([0.1, 0.2, 0.3]).astype(np.float32)
    commands = np.array([[0.5, -1.0], [0.25, 1.5]], np.float32)
    store.put_places([replace(place(1), experience=Experience(covariance), surprise=7.5, keep_away=1.5), place(2)])
    store.put_experience(1, Experience(commands=commands))
    store.put_places([replace(place(1), surprise=7.5, keep_away=1.5, label="again")])
    store.close()
    again = Store(path, "net@0123", DIM)
    assert (again.load()[0][0].surprise, again.load()[0][0].keep_away) == (7.5, 1.5)
    found = again.experience([1, 2, 9])
    assert set(found) == {1}
    np.testing.assert_array_equal(found[1].covariance, covariance)
    np.testing.assert_array_equal(found[1].commands, commands)
    again.erase([1])
    assert again.experience([1]) == {}
    again.close()


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
    store.erase([2, 3])
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
    assert failure.value.code == Code.ENCODER_MISMATCH
    with pytest.raises(AmiError):
        Store(path, "net@0123", DIM + 1)


def test_a_file_of_a_later_version_is_refused(path: Path, store: Store) -> None:
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(AmiError, match=f"version {SCHEMA_VERSION + 1}, this program knows {SCHEMA_VERSION}"):
        Store(path, "net@0123", DIM)


@pytest.mark.parametrize("content", [b"not a database" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_corrupt_file_is_named_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "memory.db"
    path.write_bytes(content)
    with pytest.raises(AmiError, match=r"memory\.db c.*restore it"):
        Store(path, "net@0123", DIM)
    assert path.read_bytes() == content


BROKEN = [
    {"latent": np.full(DIM, np.nan, np.float32)},
    {"latent": np.zeros(DIM + 1, np.float32)},
    {"pose": np.array([0.0, np.inf, 0.0])},
    {"last_seen": float("nan")},
    {"label": "x" * 1_000_000},
    {"note": "x" * 1_000_000},
    {"thumbnail": b"x" * 2_000_000},
    {"surprise": float("inf")},
    {"keep_away": float("nan")},
    {"experience": Experience(np.full((3, 3), np.nan, np.float32))},
    {"experience": Experience(commands=np.zeros((1000, 2), np.float32))},
    {"experience": Experience(commands=np.zeros(2, np.float32))},
]


@pytest.mark.parametrize("fields", BROKEN, ids=lambda fields: next(iter(fields)))
def test_rows_that_make_no_sense_are_refused_and_the_store_goes_on(store: Store, fields: dict[str, Any]) -> None:
    with pytest.raises(AmiError) as failure:
        store.put_places([place(1), replace(place(2), **fields)])
    assert failure.value.code == Code.INVALID_INPUT and len(str(failure.value)) < 200
    with pytest.raises(AmiError):
        store.put_edges([replace(edge(1, 2), relative=np.array([0.0, np.nan, 0.0]))])
    store.put_places([place(3)])
    store.flush()
    assert [p.id for p in store.load()[0]] == [3]


def test_erasing_waits_for_readers_and_says_when_they_do_not_let_go(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ami_ros.memory.database.PATIENCE", 0.2)
    store = Store(path, "net@0123", DIM)
    store.put_places([place(1, note="secret")])
    store.flush()
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM places").fetchone()
    with pytest.raises(AmiError, match="close what reads"):
        store.erase([1])
    reader.close()
    assert store.error is None and store.load()[0] == []
    store.erase([])
    assert b"secret" not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    store.close()


def test_reading_does_not_wait_for_a_writer_in_the_middle_of_its_work(path: Path, store: Store) -> None:
    store.put_places([place(1, thumbnail=b"jpeg")])
    store.flush()
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")  # the store's own writer must wait for this one
    store.put_places([place(2)])
    assert [p.id for p in store.load()[0]] == [1] and store.thumbnail(1) == b"jpeg"
    other.rollback()
    other.close()
    store.flush()
    assert [p.id for p in store.load()[0]] == [1, 2]


def test_a_picture_can_be_dropped_and_its_place_stays(store: Store) -> None:
    store.put_places([place(i, thumbnail=b"x" * 100_000) for i in (1, 2)])
    store.flush()
    before = store.size()
    store.drop_thumbnails([1])
    store.flush()
    assert (store.thumbnail(1), len(store.thumbnail(2)), len(store.load()[0])) == (b"", 100_000, 2)
    assert before - store.size() > 90_000


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(AmiError, match="no memory of places"):
        Store(path, "net@0123", DIM)


def test_a_missing_file_cannot_be_read_and_a_folder_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="No such file"):
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


# The largest size that a file may have stands in for the end of the disk: both fail in the same call.
FILLER = """
import resource, sys, numpy as np
from pathlib import Path
from ami_ros.core.errors import AmiError
from ami_ros.memory.types import PlaceRow
from ami_ros.memory.store import Store
store = Store(Path(sys.argv[1]), "net@0123", 4)
place = lambda i: PlaceRow(i, np.full(4, i, np.float32), np.zeros(3), 0.0, 0.0, 1, thumbnail=b"x" * 2000)
store.put_places([place(i) for i in range(10)])
store.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, resource.RLIM_INFINITY))
try:
    for i in range(10, 500):
        store.put_places([place(i)])
        store.flush()
except AmiError as error:
    print("stopped:", error)
store.put_places([place(1000)])
print("serves", len(store.load()[0]), store.error is not None)
if sys.argv[2] == "recovers":
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    store.flush()
    print("after all", len(store.load()[0]), store.error)
store.close()
"""


@pytest.mark.fault("memory killed while writing")
def test_no_acknowledged_place_is_lost_by_kill_9(tmp_path: Path) -> None:
    acknowledged, lost = kill_again_and_again(tmp_path / "memory.db", rounds=3, seed=0)
    assert lost == 0 < acknowledged


@pytest.mark.fault("disk full")
def test_a_full_disk_stops_the_writing_and_nothing_else(tmp_path: Path, children: Children) -> None:
    path = tmp_path / "memory.db"
    filler = children.python("-c", FILLER, str(path), "stays")
    assert filler.wait(30) == 0, filler.output()
    stopped, serves = filler.output().splitlines()[-2:]
    assert stopped.startswith("stopped: cannot write the memory") and "free space" in stopped
    count = int(serves.split()[1])
    assert serves == f"serves {count} True" and 10 <= count < 500
    store = Store(path, "net@0123", 4)
    store.put_places([PlaceRow(1000, np.zeros(4, np.float32), np.zeros(3), 0.0, 0.0, 1)])
    store.flush()
    assert [p.id for p in store.load()[0]] == [*range(count), 1000]
    store.close()


@pytest.mark.fault("disk full")
def test_what_a_full_disk_did_not_take_is_written_once_there_is_room(tmp_path: Path, children: Children) -> None:
    path = tmp_path / "memory.db"
    filler = children.python("-c", FILLER, str(path), "recovers")
    assert filler.wait(30) == 0, filler.output()
    serves, after = filler.output().splitlines()[-2:]
    stored = int(serves.split()[1])
    assert after == f"after all {stored + 1} None"  # what did not fit in the file was in the log; one came later
    store = Store(path, "net@0123", 4, read_only=True)
    assert [p.id for p in store.load()[0]] == [*range(stored), 1000]
    store.close()
