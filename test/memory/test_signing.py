"""A write to a row of which a bit has flipped on the disk: what the write does not give anew is never signed again."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.memory.store import Store
from ami_ros.memory.types import Edge, Experience, PlaceRow
from harness.disk import laid_out

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
