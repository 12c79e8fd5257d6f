"""Old files, files that ship, and rows of which a bit has flipped."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.memory.database import SCHEMA_VERSION, meta_of
from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, Experience, PlaceRow
from harness.disk import laid_out
from harness.processes import REPOSITORY

# The first version, as it was.
VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE places (
    id INTEGER PRIMARY KEY, latent BLOB NOT NULL, x REAL NOT NULL, y REAL NOT NULL, yaw REAL NOT NULL,
    created REAL NOT NULL, last_seen REAL NOT NULL, visits INTEGER NOT NULL, label TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE thumbnails (id INTEGER PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE edges (
    start INTEGER NOT NULL, stop INTEGER NOT NULL, x REAL NOT NULL, y REAL NOT NULL, yaw REAL NOT NULL,
    traversals INTEGER NOT NULL, duration REAL NOT NULL, failures INTEGER NOT NULL, last_used REAL NOT NULL,
    PRIMARY KEY (start, stop)) WITHOUT ROWID;
PRAGMA application_id = 0x414D4931;
PRAGMA user_version = 1;
INSERT INTO meta VALUES ('encoder_id', 'net@0123'), ('latent_dim', '2');
INSERT INTO places VALUES (7, x'0000803f00000040', 1.0, 2.0, 3.0, 10.0, 20.0, 4, 'door', 'red');
INSERT INTO thumbnails VALUES (7, x'ffd8');
"""


VERSION_2 = f"""{VERSION_1}
ALTER TABLE places ADD COLUMN episode INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
"""


@pytest.fixture(params=[VERSION_1, VERSION_2], ids=["1", "2"])
def old(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "old.memory"
    connection = sqlite3.connect(path)
    connection.executescript(request.param)
    connection.close()
    return path


def version(path: Path) -> int:
    connection = sqlite3.connect(path)
    number = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.close()
    return number


def check(place: PlaceRow) -> None:
    assert (place.id, place.label, place.note, place.visits, place.episode) == (7, "door", "red", 4, 0)
    assert (place.surprise, place.keep_away) == (0.0, 0.0)
    np.testing.assert_array_equal(place.latent, [1.0, 2.0])
    np.testing.assert_array_equal(place.pose, [1.0, 2.0, 3.0])


def test_who_writes_brings_a_file_up_to_date_and_loses_nothing(old: Path) -> None:
    store = Store(old, "net@0123", 2)
    assert "no checksums" in store.notice and "from now on it has them" in store.notice and "\n" not in store.notice
    check(store.load()[0][0])
    store.put_places([PlaceRow(8, np.zeros(2, np.float32), np.zeros(3), 30.0, 30.0, 1, episode=5)])
    store.close()
    assert version(old) == SCHEMA_VERSION
    again = Store(old, "net@0123", 2)
    check(again.load()[0][0])
    assert again.notice == ""
    assert again.load()[0][1].episode == 5 and again.thumbnail(7) == b"\xff\xd8"
    again.close()


def test_who_reads_leaves_an_old_file_as_it_is_and_is_told_so(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(AmiError, match=f"of version {version(old)}, and cannot be read until it was opened once"):
        Store(old, "net@0123", 2, read_only=True)
    assert old.read_bytes() == before and version(old) < SCHEMA_VERSION


ENCODER, DIM = "net@0123", 4

COVARIANCE = np.diag([1.0, 2.0, 3.0]).astype(np.float32)
COMMANDS = np.full((24, 2), 0.25, np.float32)
KNOWN = Experience(COVARIANCE, COMMANDS, b"what a laser saw")
PLACE = PlaceRow(
    1, np.arange(4, dtype=np.float32), np.ones(3), 1.0, 2.0, 3, "door", "red", 4, 5.0, 6.0, b"picture", KNOWN
)
WAY = Edge(1, 2, np.ones(3), 2, 1.5, 1, 30.0, np.diag([4.0, 5.0, 6.0]), True)

# Every write that changes a row, and what of it.
WRITES: dict[str, Callable[[Store], None]] = {
    "a place alone": lambda s: s.put_places([replace(PLACE, visits=9, thumbnail=b"", experience=None)]),
    "a place and its picture": lambda s: s.put_places([replace(PLACE, thumbnail=b"another", experience=None)]),
    "all of a place": lambda s: s.put_places([PLACE]),
    "its covariance": lambda s: s.put_experience(1, Experience(covariance=COVARIANCE)),
    "its commands": lambda s: s.put_experience(1, Experience(commands=COMMANDS)),
    "its outline": lambda s: s.put_experience(1, Experience(submap=b"what a laser saw")),
    "a way alone": lambda s: s.put_edges([replace(WAY, covariance=None, is_loop=False)]),
    "all of a way": lambda s: s.put_edges([WAY]),
    "a picture dropped": lambda s: s.drop_thumbnails([1]),
    "a way erased": lambda s: s.erase_edge(1, 2),
}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("memory") / "home.memory"
    store = Store(path, ENCODER, DIM)
    store.put_places([PLACE, replace(PLACE, id=2, label="")])
    store.put_edges([WAY])
    store.close()
    return path.read_bytes()


def columns(content: bytes, folder: Path) -> list[tuple[str, str]]:
    path = folder / "columns"
    path.write_bytes(content)
    with sqlite3.connect(path) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = [(t, row[1]) for t in tables for row in connection.execute(f"PRAGMA table_info({t})")]
    connection.close()
    path.unlink()
    return [(table, column) for table, column in found if table != "meta"]


def flip(path: Path, table: str, column: str) -> None:
    """One bit of the first row's value, as a failing disk would, and not of its checksum."""
    key = "start" if table in ("edges", "measured") else "id"
    with sqlite3.connect(path) as connection:
        value = connection.execute(f"SELECT {column} FROM {table} WHERE {key} = 1").fetchone()[0]
        flipped: object
        if isinstance(value, bytes):
            flipped = bytes([value[0] ^ 4]) + value[1:]
        elif isinstance(value, str):
            flipped = chr(ord(value[0]) ^ 4) + value[1:]
        elif isinstance(value, int):
            flipped = value ^ 4
        else:
            flipped = np.frombuffer((np.float64(value).view(np.int64) ^ np.int64(1 << 44)).tobytes())[0].item()
        assert flipped != value
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {key} = 1", (flipped,))
    connection.close()


def wrong(store: Store) -> list[str]:
    """What a memory gives that nobody has written."""
    found = []
    for place in store.load()[0]:
        sound = place.visits in (3, 9) and (place.latent == PLACE.latent).all() and (place.pose == 1.0).all()
        times = (place.created, place.last_seen, place.note, place.episode, place.surprise, place.keep_away)
        sound = sound and times == (1.0, 2.0, "red", 4, 5.0, 6.0) and place.label == ("door" if place.id == 1 else "")
        found += [] if sound and place.id in (1, 2) else [f"place {place}"]
    for way in store.load()[1]:
        numbers = (way.start, way.stop, way.traversals, way.duration, way.failures, way.last_used)
        sound = numbers == (1, 2, 2, 1.5, 1, 30.0) and (way.relative == 1.0).all()
        sound = sound and (way.covariance is None or (way.covariance == WAY.covariance).all())
        found += [] if sound else [f"way {way}"]
    for i, known in store.experience([1, 2, 5]).items():
        sound = known.covariance is None or (known.covariance == COVARIANCE).all()
        sound = sound and (known.commands is None or (known.commands == COMMANDS).all())
        found += [] if sound and known.submap in (b"", KNOWN.submap) else [f"experience {i}"]
    found += [f"picture {i}" for i in (1, 2, 5) if store.thumbnail(i) not in (b"", b"picture", b"another")]
    return found


def whole(store: Store, write: str) -> bool:
    """Whether nothing is missing."""
    places, ways = store.load()
    known = store.experience([1]).get(1, Experience())
    return (
        [p.id for p in places] == [1, 2]
        and (write == "a way erased" or [way.covariance is not None for way in ways] == [True])
        and (write == "a picture dropped" or store.thumbnail(1) != b"")
        and known.covariance is not None
        and known.commands is not None
        and known.submap != b""
    )


@pytest.mark.fault("a column of memory changed beside a flipped one")
@pytest.mark.parametrize("when", ["open", "before"])
def test_no_write_to_a_row_signs_what_has_flipped_in_it(tmp_path: Path, content: bytes, when: str) -> None:
    tried, silent = 0, []
    for (table, column), (name, write) in itertools.product(columns(content, tmp_path), WRITES.items()):
        with laid_out({"home.memory": content}) as folder:
            path = folder / "home.memory"
            if when == "before":
                flip(path, table, column)
            store = Store(path, ENCODER, DIM)
            if when == "open":  # what was read on opening was sound
                flip(path, table, column)
            write(store)
            store.flush()
            told = store.notice
            assert wrong(store) == [] or when == "open", (table, column, name)
            store.close()
            again = Store(path, ENCODER, DIM)
            silent += [(table, column, f"{name}: {what}") for what in wrong(again)]
            if not (whole(again, name) or told or again.notice):
                silent.append((table, column, name))
            again.close()
            tried += 1
    assert silent == [] and tried == 38 * len(WRITES)


SHIPPED = sorted((REPOSITORY / "models").glob("*/*.memory"))
SCHEMA = 3000  # bytes at the beginning in which all tables are described


def everything(path: Path, of: tuple[str, int]) -> tuple[bytes, str]:
    """All that a memory gives, for comparing, and its notice."""
    store = Store(path, *of, read_only=True)
    try:
        table, ways = store.read()
        ids = [int(i) for i in table.numbers["id"]]
        known, pictures = store.experience(ids), [store.thumbnail(i) for i in ids]
        arrays: list[NDArray[Any]] = [table.latents, table.poses, table.numbers, ways]
        arrays += [x for i in sorted(known) for x in (known[i].covariance, known[i].commands) if x is not None]
        texts = repr((table.texts, pictures, sorted(known), [known[i].submap for i in sorted(known)]))
        return b"".join(array.tobytes() for array in arrays) + texts.encode(), store.notice
    finally:
        store.close()


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parent.name}-{path.stem}")
@pytest.mark.fault("memory file damaged")
def test_a_bit_that_flips_in_a_memory_that_ships_is_noticed_or_does_no_harm(path: Path) -> None:
    content, of, rng, noticed = path.read_bytes(), meta_of(path), np.random.default_rng(0), 0
    assert int.from_bytes(content[60:64]) == SCHEMA_VERSION, "ship the newest version"
    assert content[18:20] == b"\x01\x01", "it must be readable without a log: PRAGMA journal_mode = DELETE"
    with laid_out({"home.memory": content}) as folder:
        true, notice = everything(folder / "home.memory", of)
        assert notice == ""
    for bit in [*rng.integers(8 * len(content), size=24), *rng.integers(8 * SCHEMA, size=12)]:
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        with laid_out({"home.memory": bytes(flipped)}) as folder:
            try:
                found, notice = everything(folder / "home.memory", of)
            except AmiError as error:  # the version, or the kind of file, that it then says it is
                assert bit < 800 and "\n" not in str(error), error
                continue
            assert found == true or notice, bit
            noticed += bool(notice)
    assert noticed > 10
