"""Older files become new ones where they are written, and stay as they are where they are read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.memory.database import SCHEMA_VERSION
from ami_ros.memory.store import Store
from ami_ros.memory.types import PlaceRow

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
