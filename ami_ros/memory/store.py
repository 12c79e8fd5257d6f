"""The truth of the place memory: places and edges in one SQLite file that survives kills, full disks and upgrades.

Writes are queued to a thread that commits them in batches; what `flush` has acknowledged is on the disk.
"""

from __future__ import annotations

import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.geometry import Array

SCHEMA_VERSION = 1
APPLICATION_ID = 0x414D4931  # "AMI1": tells a memory from another program's SQLite file
WRONG_ENCODER = 10245  # code of the interfaces

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE places (
    id INTEGER PRIMARY KEY, latent BLOB NOT NULL, x REAL NOT NULL, y REAL NOT NULL, yaw REAL NOT NULL,
    created REAL NOT NULL, last_seen REAL NOT NULL, visits INTEGER NOT NULL, label TEXT NOT NULL, note TEXT NOT NULL);
CREATE TABLE thumbnails (id INTEGER PRIMARY KEY, jpeg BLOB NOT NULL);
CREATE TABLE edges (
    start INTEGER NOT NULL, stop INTEGER NOT NULL, x REAL NOT NULL, y REAL NOT NULL, yaw REAL NOT NULL,
    traversals INTEGER NOT NULL, duration REAL NOT NULL, failures INTEGER NOT NULL, last_used REAL NOT NULL,
    PRIMARY KEY (start, stop)) WITHOUT ROWID;
"""
_PUT_PLACE = """
INSERT INTO places VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET
    latent = excluded.latent, x = excluded.x, y = excluded.y, yaw = excluded.yaw, created = excluded.created,
    last_seen = excluded.last_seen, visits = excluded.visits, label = excluded.label, note = excluded.note
"""
_PUT_THUMBNAIL = "INSERT OR REPLACE INTO thumbnails VALUES (?, ?)"
_PUT_EDGE = "INSERT OR REPLACE INTO edges VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"

_Write = Callable[[sqlite3.Connection], object]


@dataclass(frozen=True)
class PlaceRow:
    """A place."""

    id: int
    latent: NDArray[np.float32]  # (latent_dim,)
    pose: Array  # (3,) in map
    created: float  # [s]
    last_seen: float  # [s]
    visits: int
    label: str = ""
    note: str = ""
    thumbnail: bytes = b""  # JPEG; empty as `load` gives it, and empty keeps the one stored


@dataclass(frozen=True)
class EdgeRow:
    """A way from one place to another that was driven."""

    start: int
    stop: int
    relative: Array  # (3,) pose of `stop` in the frame of `start`
    traversals: int
    duration: float  # [s]
    failures: int
    last_used: float  # [s]


class Store:
    """Opens a memory, or makes a new one.

    Args:
        path: the file; None keeps everything in RAM.
        encoder_id: of the latents; a file holds those of one encoder.
        latent_dim: length of a latent.
        read_only: serves what is there; any number of readers beside one writer.

    Attributes:
        error: why the store stopped writing (a full disk), None while it is well. It goes on serving.

    Raises:
        AmiError: not a memory, damaged, of a later version, or of another encoder (code 10245).
    """

    def __init__(self, path: Path | None, encoder_id: str, latent_dim: int, read_only: bool = False) -> None:
        self.path, self.latent_dim, self.read_only = path, latent_dim, read_only
        self.error: AmiError | None = None
        self._lock = threading.Lock()  # of the connection
        self._queue: queue.SimpleQueue[_Write | threading.Event | None] = queue.SimpleQueue()
        with self._named_errors():
            self._connection = _connect(path, read_only)
            try:
                self._check(encoder_id)
            except BaseException:
                self._connection.close()
                raise
        self._writer: threading.Thread | None = None
        if not read_only:
            self._writer = threading.Thread(target=self._write_batches, name="memory store", daemon=True)
            self._writer.start()

    def load(self) -> tuple[list[PlaceRow], list[EdgeRow]]:
        """Everything but the thumbnails, by id; edges whose places are both there."""
        with self._named_errors(), self._lock:
            rows = self._connection.execute("SELECT * FROM places ORDER BY id").fetchall()
            places = [_place(row, self.latent_dim) for row in rows]
            edges = self._connection.execute(
                "SELECT * FROM edges WHERE start IN (SELECT id FROM places) AND stop IN (SELECT id FROM places)"
            ).fetchall()
        return places, [EdgeRow(r[0], r[1], np.array(r[2:5]), *r[5:]) for r in edges]

    def thumbnail(self, id: int) -> bytes:
        """JPEG of a place, empty if it has none."""
        with self._named_errors(), self._lock:
            row = self._connection.execute("SELECT jpeg FROM thumbnails WHERE id = ?", (id,)).fetchone()
        return bytes(row[0]) if row else b""

    def put_places(self, rows: Iterable[PlaceRow]) -> None:
        """Queues places, new ones and changed ones."""
        places, thumbnails = [], []
        for row in rows:
            if row.latent.shape != (self.latent_dim,):
                raise ValueError(f"a latent of shape {row.latent.shape} in a store of ({self.latent_dim},)")
            latent = np.ascontiguousarray(row.latent, dtype="<f4").tobytes()
            numbers = *map(float, row.pose), float(row.created), float(row.last_seen)
            places.append((int(row.id), latent, *numbers, int(row.visits), str(row.label), str(row.note)))
            if row.thumbnail:
                thumbnails.append((int(row.id), bytes(row.thumbnail)))

        def write(connection: sqlite3.Connection) -> None:
            connection.executemany(_PUT_PLACE, places)
            connection.executemany(_PUT_THUMBNAIL, thumbnails)

        self._put(write)

    def put_edges(self, rows: Iterable[EdgeRow]) -> None:
        """Queues edges, new ones and changed ones."""
        values = []
        for r in rows:
            counts = int(r.traversals), float(r.duration), int(r.failures), float(r.last_used)
            values.append((int(r.start), int(r.stop), *map(float, r.relative), *counts))
        self._put(lambda connection: connection.executemany(_PUT_EDGE, values))

    def erase(self, ids: Iterable[int]) -> None:
        """Removes places and their edges, also from the bytes of the file. Waits until it is done."""
        keys = [(int(id),) for id in ids]

        def write(connection: sqlite3.Connection) -> None:
            for table, key in (("places", "id"), ("thumbnails", "id"), ("edges", "start"), ("edges", "stop")):
                connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", keys)

        self._put(write)
        self._wipe_log()

    def erase_all(self) -> None:
        """Removes everything, also from the bytes of the file. Waits until it is done."""

        def write(connection: sqlite3.Connection) -> None:
            for table in ("places", "thumbnails", "edges"):
                connection.execute(f"DELETE FROM {table}")

        self._put(write)
        self._wipe_log()

    def flush(self) -> None:
        """Waits until all that was put before is on the disk. Raises AmiError if it could not be written."""
        if self._writer is not None:
            self._queue.put(done := threading.Event())
            done.wait()
        if self.error:
            raise self.error

    def close(self) -> None:
        """Writes what is queued and closes the file; `error` tells if that failed."""
        if self._writer is not None:
            self._queue.put(None)
            self._writer.join()
            self._writer = None
        self._connection.close()

    def _put(self, write: _Write) -> None:
        if self.read_only:
            raise AmiError(f"the memory {self.path} is open for reading only")
        if self.error is None:
            self._queue.put(write)

    def _wipe_log(self) -> None:
        """The write-ahead log still holds erased rows until it is emptied."""
        self.flush()
        with self._named_errors(), self._lock:
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _write_batches(self) -> None:
        while True:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            self._commit([item for item in batch if callable(item)])
            for item in batch:
                if isinstance(item, threading.Event):
                    item.set()
            if None in batch:
                return

    def _commit(self, writes: list[_Write]) -> None:
        if not writes or self.error:
            return
        try:
            with self._lock, self._connection:  # a transaction
                for write in writes:
                    write(self._connection)
        except sqlite3.Error as error:
            hint = "it goes on without storing: free space and start again"
            self.error = AmiError(f"cannot write the memory {self.path}: {error}; {hint}")

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        hint = "restore it from a copy, or remove it to begin anew"
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise AmiError(f"the memory {self.path} cannot be used: {error}; {hint}") from error
        except OSError as error:
            raise AmiError(f"the memory {self.path} cannot be opened: {error.strerror or error}") from error

    def _check(self, encoder_id: str) -> None:
        """Makes the tables in a new file, or compares what the file says of itself."""
        connection = self._connection
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        is_new = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if is_new and not self.read_only:
            self._create(encoder_id)
            return
        if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
            raise AmiError(f"{self.path} is no memory of places: name another file")
        if version != SCHEMA_VERSION:
            versions = f"version {version}, this program knows {SCHEMA_VERSION}"
            raise AmiError(f"the memory {self.path} has {versions}: use a newer ami_ros, or name another file")
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        if meta.get("encoder_id") != encoder_id or meta.get("latent_dim") != str(self.latent_dim):
            raise AmiError(
                f"the memory {self.path} belongs to the encoder {meta.get('encoder_id')}, the model is {encoder_id}: "
                "use that model, or name another file",
                code=WRONG_ENCODER,
            )

    def _create(self, encoder_id: str) -> None:
        # One transaction, so that a kill leaves an empty file or a whole one.
        meta = f"INSERT INTO meta VALUES ('encoder_id', ?), ('latent_dim', '{self.latent_dim}')"
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            for statement in _SCHEMA.split(";")[:-1]:
                self._connection.execute(statement)
            self._connection.execute(meta, (encoder_id,))
            self._connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _connect(path: Path | None, read_only: bool) -> sqlite3.Connection:
    if path is None:
        return sqlite3.connect(":memory:", check_same_thread=False)
    if read_only:
        return _connect_to_read(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # the log files take over its mode
    connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # acknowledged is on the disk, also after a power cut
    connection.execute("PRAGMA secure_delete = ON")
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Readers of a WAL file write beside it; where they may not, nobody writes, and the file alone is the truth."""
    if not path.exists():
        raise FileNotFoundError(2, "no such file", str(path))
    address = f"{path.absolute().as_uri()}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=10, check_same_thread=False)
        connection.execute("SELECT count(*) FROM sqlite_master")
        return connection
    except sqlite3.OperationalError:
        return sqlite3.connect(f"{address}&immutable=1", uri=True, check_same_thread=False)


def _place(row: tuple, latent_dim: int) -> PlaceRow:
    latent = np.frombuffer(row[1], dtype="<f4").astype(np.float32)
    if latent.shape != (latent_dim,):
        raise ValueError(f"place {row[0]} has a latent of {len(latent)} numbers instead of {latent_dim}")
    return PlaceRow(row[0], latent, np.array(row[2:5]), *row[5:])
