"""The truth of the place memory: places and edges in one SQLite file that survives kills, full disks and upgrades.

Writes are queued to a thread that commits them in batches. What `flush` has acknowledged is on the disk, in the file
itself: its log may be cut off or get lost. Reading has a connection of its own, so that neither waits for the other.
"""

from __future__ import annotations

import itertools
import os
import queue
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.memory import database
from ami_ros.memory.records import (
    PlaceColumns,
    Tables,
    Write,
    edges_to_write,
    erasure,
    experience_to_write,
    insertion,
    places_to_write,
    read_experience,
    read_picture,
    read_tables,
)
from ami_ros.memory.replacing import FileUse, open_to_write, settled
from ami_ros.memory.salvage import rescue, rescue_file
from ami_ros.memory.types import Edge, Experience, PlaceRow, PlaceTable, edge_of


class Store:
    """Opens a memory, or makes a new one.

    An older version is brought up to date, and cannot be read before. Of a damaged file what is readable is served; who
    may write gets it as a new file, and the damaged one is kept beside it.

    Args:
        path: the file; None keeps everything in RAM.
        encoder_id: of the latents; a file holds those of one encoder.
        latent_dim: length of a latent.
        read_only: serves what is there; any number of readers beside one writer.

    Attributes:
        notice: what a damaged file lost, that an empty one was begun anew, that an older one had no checksums, or what
            lay beside a new one, one line; else empty.

    Raises:
        AmiError: not a memory, beyond repair, of a later version, of another encoder (code 10245), or another process
            writes to it.
    """

    def __init__(self, path: Path | None, encoder_id: str, latent_dim: int, read_only: bool = False) -> None:
        self.path, self.latent_dim, self.read_only = path, latent_dim, read_only
        self._file = path and Path(os.path.realpath(path))  # SQLite keeps the log beside this one, too
        self.notice = ""
        self._write_lock = self._lock = threading.Lock()  # of the connections that write and read
        # The log is written beside the file.
        is_ours = (
            path is None or not os.path.exists(path) or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
        )
        self._only_reads = read_only or not is_ours
        self._unchangeable: AmiError | None = None
        if self._only_reads and not read_only:
            lost = "what is new is lost at the end; mend its rights"
            self._unchangeable = AmiError(f"the memory {path} cannot be changed: {lost}")
        self._seed = database.seed_of(encoder_id, latent_dim)
        self._first: Tables | None = None  # what was read on opening, until somebody asks or writes
        self._seen = 0
        self._use: FileUse | None = None
        with self._named_errors(), ExitStack() as undo:
            undo.callback(self._let_go)
            self._open(encoder_id)
            undo.pop_all()
        self._writer = None if self._only_reads else BatchWriter(self._connection, self._write_lock, path)

    @property
    def error(self) -> AmiError | None:
        """Why nothing can be written now (a full disk, one that is read-only), None while it is well. It goes on
        serving, keeps what is new in RAM, and writes it as soon as that is possible again."""
        return self._unchangeable if self._writer is None else self._writer.error

    # Reading

    def load(self) -> tuple[list[PlaceRow], list[Edge]]:
        """Every place and way as an object of its own, by id; see `read` for many."""
        places, edges = self.read()
        return places.rows(), [edge_of(values) for values in edges.tolist()]

    def read(self) -> tuple[PlaceTable, NDArray[np.void]]:
        """Everything but thumbnails and experience; ways (m,) with the fields of `WAYS`, between these places."""
        with self._named_errors(), self._lock:
            tables, self._first = self._first, None
            if tables is None or self._changes() != self._seen:
                tables = read_tables(self._reader, self.latent_dim)
            return tables.unpacked(self.latent_dim)

    def thumbnail(self, id: int) -> bytes:
        """JPEG of a place, empty if it has none, or a damaged one."""
        with self._named_errors(), self._lock, self._damage_noted():
            return read_picture(self._reader, self._seed, id)
        return b""

    def experience(self, ids: Collection[int]) -> dict[int, Experience]:
        """What is known of some places besides how they look; those of which nothing is known are left out."""
        with self._named_errors(), self._lock, self._damage_noted():
            return read_experience(self._reader, self._seed, ids)
        return {}

    def has_submaps(self) -> bool:
        """Whether it is known what a laser saw around some place. Counting them takes 0.2 s for 100,000."""
        if not self.error:
            self.wait()
        with self._named_errors(), self._lock:
            return bool(self._reader.execute("SELECT EXISTS (SELECT 1 FROM outlines)").fetchone()[0])

    def picture_sizes(self) -> dict[int, int]:
        """Place id -> bytes of its picture."""
        with self._named_errors(), self._lock:
            return dict(self._reader.execute("SELECT id, length(jpeg) FROM thumbnails").fetchall())

    def size(self) -> int:
        """Bytes of the file that are in use; what was erased is used again before the file grows."""
        with self._named_errors(), self._lock:
            pages, free, page = (
                self._reader.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return int((pages - free) * page)

    # Writing

    def put_places(self, rows: Iterable[PlaceRow] | PlaceColumns) -> None:
        """Queues places, new ones and changed ones; see `places_to_write`, and for very many ones `PlaceColumns`, which
        are without pictures and experience. Raises AmiError, and nothing was queued."""
        if isinstance(rows, PlaceColumns):
            self._put([(insertion("places"), rows)])
        else:
            self._put(places_to_write(rows, self.latent_dim))

    def put_experience(self, place_id: int, experience: Experience) -> None:
        """Queues what is known of a place besides how it looks; see `experience_to_write`. Raises AmiError."""
        self._put(experience_to_write({place_id: experience}))

    def put_edges(self, rows: Iterable[Edge]) -> None:
        """Queues edges, new ones and changed ones; see `edges_to_write`. Raises AmiError."""
        self._put(edges_to_write(rows))

    def drop_thumbnails(self, ids: Iterable[int]) -> None:
        """Queues the removal of pictures; their places stay."""
        self._put([("DELETE FROM thumbnails WHERE id = ?", [(int(i),) for i in ids])])

    def erase_edge(self, start: int, stop: int) -> None:
        """Queues the removal of one way."""
        ends = [(int(start), int(stop))]
        self._put([(f"DELETE FROM {table} WHERE start = ? AND stop = ?", ends) for table in ("edges", "measured")])

    def erase(self, ids: Iterable[int], wait: bool = True) -> None:
        """Removes places and their edges, also from the bytes of the files. Waits until it is done, if told to.

        Raises:
            AmiError: it could not be written, or another process keeps old rows alive by reading them.
        """
        self._put(erasure(ids))
        if wait:
            self.flush()

    def begin_sharing(self, anew: bool = False) -> None:
        """From now on others may copy it; `anew`: it is another memory than it was. Raises AmiError."""
        if self._writer is not None:
            with self._named_errors(), self._write_lock:
                database.begin_sharing(self._connection, anew)

    def wait(self) -> None:
        """Waits until all that was put before can be read. Raises AmiError if it could not be written."""
        if self._writer is not None:
            self._writer.wait()
        if self.error:
            raise self.error

    def flush(self) -> None:
        """Waits until all that was put before is on the disk, in the file itself, and its log is empty.

        Raises:
            AmiError: it could not be written; another process reads without end, which keeps it in the log; or the file
                is no more.
        """
        if self._writer is not None:
            self._writer.wait(to_file=True)
        if self.error:
            raise self.error
        if self._writer is not None and self._use is not None:
            if self._writer.in_log:
                raise AmiError(f"written, but only to the log of the memory {self.path}: close what reads the memory")
            if self._use.is_gone():
                gone = "was erased or replaced while it was in use"
                raise AmiError(
                    f"the memory {self.path} {gone}: what is new is lost at the end; save it to another file"
                )

    def close(self) -> None:
        """Writes what is queued and closes the file; `error` tells if that failed."""
        if self._writer is not None:
            self._writer.close()
        self._reader.close()
        self._connection.close()
        self._let_go()

    # Inside

    def _open(self, encoder_id: str) -> None:
        """Connects."""
        path = self._file
        was_there = path is not None and path.exists()
        if path is not None:
            if self._only_reads:
                self._file = path = settled(path)
                self._use = FileUse(path, writes=False)
            else:
                self._use, self.notice = open_to_write(path)
        try:
            self._connect(path, was_there, encoder_id)
        except database.DAMAGE as error:
            if database.is_passing(error):
                raise
            assert path is not None
            self._rescue(path, encoder_id)
        try:
            database.register(self._connection, encoder_id, self.latent_dim)
            # Without a file, and of a damaged one that is only read, there is one connection for all.
            self._reader = self._connection
            if path and not self._only_reads:
                self._reader, self._lock = database.connect_to_read(path), threading.Lock()
        except BaseException:
            self._connection.close()
            raise

    def _connect(self, path: Path | None, was_there: bool, encoder_id: str) -> None:
        """Opens a file, which is begun where it is new, and brought up to date where it is an older one.

        Raises:
            AmiError: it is another's, see `database.check`, or an older one that may not be written.
            sqlite3.DatabaseError: it is damaged.
        """
        connection = database.connect_to_read(path) if path and self._only_reads else database.connect(path)
        self._connection = connection
        try:
            if not self._only_reads and database.is_empty(connection):
                database.create(connection, encoder_id, self.latent_dim)
                if was_there:
                    self.notice = f"the memory {self.path} was there, and nothing in it: it is begun anew"
            version = database.check(connection, self.path, encoder_id, self.latent_dim)
            if version < database.SCHEMA_VERSION:
                old = f"the memory {self.path} is of version {version}"
                if self._only_reads:
                    raise AmiError(f"{old}, and cannot be read until it was opened once to be written")
                database.migrate(connection, encoder_id, self.latent_dim)
                if version < 4:
                    unseen = "which has no checksums: damage in it cannot be told; from now on it has them"
                    self.notice = f"{old}, {unseen}"
            if path is not None and not self._is_sound(path):
                raise sqlite3.DatabaseError("some of it is not what was written")
        except BaseException:
            connection.close()
            raise

    def _is_sound(self, path: Path) -> bool:
        try:
            # In this order: closed while it is checked, SQLite crashes.
            with closing(database.connect_to_read(path)) as whole, ThreadPoolExecutor(1) as beside:
                sound = beside.submit(database.is_sound, whole)
                self._seen, self._first = self._changes(), read_tables(self._connection, self.latent_dim)
                return not self._first.wrong(self._seed) and sound.result()
        except (ValueError, TypeError, OverflowError):
            return False

    def _let_go(self) -> None:
        if self._use is not None:
            self._use.close()
            self._use = None

    def _changes(self) -> int:
        """A number that is another one once another process has written."""
        return int(self._connection.execute("PRAGMA data_version").fetchone()[0])

    def _rescue(self, path: Path, encoder_id: str) -> None:
        self._first = None
        if self._only_reads:
            rescued = database.connect(None)
            database.create(rescued, encoder_id, self.latent_dim)
            losses = rescue(path, rescued, encoder_id, self.latent_dim)
            self._connection, kept = rescued, "the file is as it was"
        else:
            losses, damaged = rescue_file(path, encoder_id, self.latent_dim)
            self._let_go()
            self._use, _ = open_to_write(path)
            self._connection, kept = database.connect(path), f"the damaged file is kept as {damaged}"
        self.notice = f"the memory {self.path} was damaged: {losses}; {kept}"

    def _put(self, write: Write) -> None:
        if self.read_only:
            raise AmiError(f"the memory {self.path} is open for reading only")
        self._first = None
        if self._writer is not None:
            self._writer.put(write)

    @contextmanager
    def _damage_noted(self) -> Iterator[None]:
        """What is not looked at on opening may be damaged: it counts as not there, and the next opening rescues."""
        try:
            yield
        except database.DAMAGE as error:
            if database.is_passing(error):
                raise
            self.notice = (
                f"the memory {self.path} has damaged pictures ({error}): open it again to save what is readable"
            )
            if not self.read_only:
                self._put([("INSERT OR REPLACE INTO meta VALUES ('damaged', 'yes')", [()])])  # see `database.is_sound`

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        hint = "restore it from a copy, or remove it to begin anew"
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            raise AmiError(f"the memory {self.path} cannot be used: {error}; {hint}") from error
        except OSError as error:
            raise AmiError(f"the memory {self.path} cannot be opened: {error.strerror or error}") from error


# Queued writes to a database, committed in batches on a thread; what cannot be written yet waits in RAM.


class _Asked(NamedTuple):
    """Somebody waits for what is queued."""

    done: threading.Event
    to_file: bool


class BatchWriter:
    """Writes what it is given, in order.

    Args:
        connection: of the database.
        lock: held while it writes.
        path: of the database, for messages.

    Attributes:
        error: why nothing can be written now (a full disk, one that is read-only), None while it is well. What is new
            waits in RAM, and is written as soon as that is possible again.
        in_log: whether what was flushed last is in the log only, for somebody reads without end.
    """

    def __init__(self, connection: sqlite3.Connection, lock: threading.Lock, path: Path | None) -> None:
        self._connection, self._lock, self._path = connection, lock, path
        self.error: AmiError | None = None
        self.in_log = False
        self._waiting: list[Write] = []  # what could not be written yet
        self._gave_up = False  # the file lacks something: nothing is added to it any more
        self._urgent = threading.Event()  # somebody waits for what is queued
        self._queue: queue.SimpleQueue[Write | _Asked | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_batches, name="memory store", daemon=True)
        self._thread.start()

    def put(self, write: Write) -> None:
        """Queues it."""
        if not self._gave_up:
            self._queue.put(write)

    def wait(self, to_file: bool = False) -> None:
        """Waits until all that was put before is committed, or cannot be; see `error`.

        Args:
            to_file: from the log to the file, too; see `in_log`.
        """
        if not self._thread.is_alive():
            return
        self._queue.put(asked := _Asked(threading.Event(), to_file))
        self._urgent.set()
        asked.done.wait()

    def close(self) -> None:
        """Writes what is queued and ends."""
        if not self._thread.is_alive():
            return
        self._queue.put(None)
        self._urgent.set()
        self._thread.join()

    def _write_batches(self) -> None:
        while True:
            batch = [self._queue.get()]
            if isinstance(batch[0], list):
                # [s] that writes wait for others of their batch, unless somebody waits for them
                self._urgent.wait(0.02)
            self._urgent.clear()
            while not self._queue.empty():
                batch.append(self._queue.get())
            asked = [item for item in batch if isinstance(item, _Asked)]
            to_file = None in batch or any(item.to_file for item in asked)
            self._commit([item for item in batch if isinstance(item, list)], to_file)
            for item in asked:
                item.done.set()
            if None in batch:
                return

    def _commit(self, writes: list[Write], to_file: bool) -> None:
        """Writes these behind those that are still waiting, all or none; then from the log to the file, if told to."""
        if self._gave_up:
            return
        self._waiting += writes
        if not (self._waiting or to_file):
            return
        try:
            with self._lock:
                with self._connection:  # a transaction
                    for statement, values in itertools.chain.from_iterable(self._waiting):
                        self._connection.executemany(statement, values)
                self._waiting.clear()
                if to_file:
                    # Also empties the log, which still holds what was erased.
                    self.in_log = bool(self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        except sqlite3.Error as error:
            # A disk may have room again later, a lock be given back; what is wrong in itself stays wrong.
            passing = isinstance(error, sqlite3.OperationalError) and len(self._waiting) < 100_000
            hint = "what is new stays in RAM until it can be written: free space"
            if not passing:
                self._gave_up, hint = True, "it goes on without storing: free space and start again"
                self._waiting.clear()
            self.error = AmiError(f"cannot write the memory {self._path}: {error}; {hint}")
        else:
            self.error = None
