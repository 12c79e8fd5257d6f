"""Queued writes to a database, committed in batches on a thread; what cannot be written yet waits in RAM."""

from __future__ import annotations

import itertools
import queue
import sqlite3
import threading
from pathlib import Path

from ami_ros.errors import AmiError
from ami_ros.places.writing import Write

MAX_WAITING = 100_000  # writes that wait for a disk that takes none; with more the writer gives up
GATHER = 0.02  # [s] that writes wait for others of their batch, unless somebody waits for them


class _Asked:
    """Somebody waits for what is queued."""

    def __init__(self, to_file: bool) -> None:
        self.to_file, self.done = to_file, threading.Event()


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
        self._queue.put(asked := _Asked(to_file))
        self._urgent.set()
        asked.done.wait()

    def flush(self) -> None:
        """Waits until all that was put before is in the file itself, or cannot be."""
        self.wait(to_file=True)

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
                self._urgent.wait(GATHER)
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
            passing = isinstance(error, sqlite3.OperationalError) and len(self._waiting) < MAX_WAITING
            hint = "what is new stays in RAM until it can be written: free space"
            if not passing:
                self._gave_up, hint = True, "it goes on without storing: free space and start again"
                self._waiting.clear()
            self.error = AmiError(f"cannot write the memory {self._path}: {error}; {hint}")
        else:
            self.error = None
