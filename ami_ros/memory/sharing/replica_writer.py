"""Another robot's memory as far as it has come here: a memory file like any other, which grows row by row."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ami_ros.core.commands import unpack
from ami_ros.core.errors import AmiError
from ami_ros.core.images import decode_image
from ami_ros.core.submaps import Submap
from ami_ros.memory import database
from ami_ros.memory.database import blob_crc, edge_crc, fits, place_crc, seed_of
from ami_ros.memory.records import MAX_LABEL, MAX_NOTE, MAX_THUMBNAIL, MEASURED
from ami_ros.memory.replacing import FileUse, open_to_write
from ami_ros.memory.sharing.replica import VERSION
from ami_ros.memory.sharing.rows import OF_WAYS, TABLES, Key, RowSet, Values


class ReplicaWriter:
    """The copy of one robot's memory; this process alone writes it.

    Args:
        path: made if it is not there.
        encoder_id, latent_dim: of the latents.

    Attributes:
        identity: of the memory that it is a copy of; empty: that is open.

    Raises:
        AmiError: it is a memory of another encoder, or cannot be opened.
    """

    def __init__(self, path: Path, encoder_id: str, latent_dim: int) -> None:
        self.path, self.latent_dim = path, latent_dim
        self._seed = seed_of(encoder_id, latent_dim)
        self._use: FileUse | None = None
        try:
            self._use, _ = open_to_write(path)
            self._connection = database.connect(path)
            if database.is_empty(self._connection):
                database.create(self._connection, encoder_id, latent_dim)
            database.check(self._connection, path, encoder_id, latent_dim)
            database.begin_sharing(self._connection)
            self.identity = database.meta_value(self._connection, "copy of")
        except sqlite3.Error as error:
            self.close()
            raise AmiError(f"the copy {path} cannot be used: {error}; erase it, and it is fetched again") from error
        except BaseException:
            self.close()
            raise
        self.rows = RowSet(self._connection, own=False)

    @property
    def version(self) -> int:
        """That of the memory when this held all of it; 0: it never did."""
        return int(database.meta_value(self._connection, VERSION) or 0)

    def complete(self, version: int) -> None:
        """Notes that it holds all of that version."""
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (VERSION, str(version)))

    def begin(self, identity: str) -> None:
        """Notes which memory it is a copy of."""
        self.identity = identity
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES ('copy of', ?)", (identity,))

    def check(self, key: Key, row: Values, now: float) -> None:
        """Raises AmiError unless this is that row, as it was written, and makes sense at `now` [s]."""
        name, columns = TABLES[key.table]
        ids = key[1:] if name in OF_WAYS else key[1:2]
        if len(row) != len(columns.split(", ")) + 1 or row[: len(ids)] != ids:
            raise AmiError("it is another row")
        crc = {"places": place_crc, "edges": edge_crc}.get(name, blob_crc)
        if not fits(row[-1], crc, self._seed, *((row[0], row[2]) if name == "measured" else row[:-1])):
            raise AmiError("its checksum is wrong")
        try:
            for is_wrong, why in _faults(name, row, self.latent_dim, now):
                if is_wrong:
                    raise AmiError(why)
        except (TypeError, ValueError, IndexError) as error:
            raise AmiError("its values are of other types") from error

    def put(self, rows: Iterable[tuple[Key, Values]]) -> list[Key]:
        """Writes checked rows, all or none; returns those that were left out, for their place is not there (yet).

        Raises:
            AmiError: it cannot be written.
        """
        left: list[Key] = []
        with self._writing():
            for key, row in sorted(rows, key=lambda item: item[0].table):  # places come first
                name, place = TABLES[key.table][0], "SELECT 1 FROM places WHERE id = ?"
                if key.table and name not in OF_WAYS and not self._connection.execute(place, (key.id,)).fetchone():
                    left.append(key)
                    continue
                marks = ", ".join("?" * len(row))
                self._connection.execute(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", row)
        return left

    def erase(self, keys: Iterable[Key]) -> None:
        """Erases rows; with a place goes what belongs to it. Raises AmiError."""
        of_places = [name for name, _ in TABLES if name not in OF_WAYS]
        with self._writing():
            for key in keys:
                name, _ = TABLES[key.table]
                if name in OF_WAYS:
                    self._connection.execute(f"DELETE FROM {name} WHERE start = ? AND stop = ?", key[1:])
                    continue
                for table in of_places if name == "places" else (name,):
                    self._connection.execute(f"DELETE FROM {table} WHERE id = ?", (key.id,))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction."""
        try:
            with self._connection:
                yield
        except sqlite3.Error as error:
            raise AmiError(f"the copy {self.path} cannot be written: {error}; free space") from error

    def close(self) -> None:
        """Closes the file."""
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._use is not None:
            self._use.close()
            self._use = None


def _faults(table: str, row: Values, latent_dim: int, now: float) -> Iterator[tuple[bool, str]]:
    """What may be wrong with a row of a table, the checksum last, at `now` [s]: whether it is, and what to say then.
    What would harm a map is refused before it is written."""

    def are_finite(values: Iterable[object]) -> bool:
        return all(math.isfinite(v) for v in values if isinstance(v, float))

    infinite, future, late = "a number in it is not finite", "it is of the future", now + 60.0  # [s] for other clocks
    yield not are_finite(row), infinite
    if table == "places":
        latent, created, last_seen, label, note = row[1], row[5], row[6], str(row[8]), str(row[9])
        yield not isinstance(latent, bytes) or len(latent) != 4 * latent_dim, "its latent is of another length"
        yield not np.isfinite(np.frombuffer(latent, "<f4")).all(), infinite  # type: ignore[call-overload]
        yield len(label) > MAX_LABEL or len(note) > MAX_NOTE, "its label or note is too long"
        yield max(float(created), float(last_seen)) > late, future  # type: ignore[arg-type]
    elif table == "thumbnails":
        yield not isinstance(row[1], bytes) or len(row[1]) > MAX_THUMBNAIL, "its picture is too large, or none"
        if row[1]:
            decode_image(row[1])  # type: ignore[arg-type]
    elif table == "experience":
        covariance, commands = row[1:3]
        if covariance is not None:
            yield not isinstance(covariance, bytes) or len(covariance) != 36, "its covariance is none"
            yield not np.isfinite(np.frombuffer(covariance, "<f4")).all(), infinite  # type: ignore[call-overload]
        yield commands is not None and unpack(np.frombuffer(commands, "<f2")) is None, "its commands are none"  # type: ignore[call-overload]
    elif table == "outlines":
        yield not isinstance(row[1], bytes) or Submap.unpack(row[1]) is None, "its submap is none"
    elif table == "edges":
        yield float(row[8]) > late, future  # type: ignore[arg-type]
    else:
        yield not isinstance(row[2], bytes) or len(row[2]) != MEASURED.size, "its measurement is none"
        content = MEASURED.unpack(row[2])  # type: ignore[arg-type]
        yield content[:2] != row[:2], "its measurement is of another way"
        yield not are_finite(content), infinite
