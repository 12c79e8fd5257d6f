"""Another robot's memory as far as it has come here: a memory file like any other, which grows row by row."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
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

_CRC = {"places": place_crc, "edges": edge_crc}
_OF = "copy of"  # of `meta`: the identity of the memory
_OF_PLACES = tuple(name for name, _ in TABLES if name not in OF_WAYS)


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
            self.identity = self._meta(_OF)
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
        return int(self._meta(VERSION) or 0)

    def complete(self, version: int) -> None:
        """Notes that it holds all of that version."""
        self._put_meta(VERSION, str(version))

    def begin(self, identity: str) -> None:
        """Notes which memory it is a copy of."""
        self.identity = identity
        self._put_meta(_OF, identity)

    def check(self, key: Key, row: Values, now: float) -> None:
        """Raises AmiError unless this is that row, as it was written, and makes sense at `now` [s]."""
        name, columns = TABLES[key.table]
        ids = key[1:] if name in OF_WAYS else key[1:2]
        if len(row) != len(columns.split(", ")) + 1 or row[: len(ids)] != ids:
            raise AmiError("it is another row")
        signed = (row[0], row[2]) if name == "measured" else row[:-1]
        if not fits(row[-1], _CRC.get(name, blob_crc), self._seed, *signed):
            raise AmiError("its checksum is wrong")
        check_values(name, row, self.latent_dim, now)

    def put(self, rows: Iterable[tuple[Key, Values]]) -> list[Key]:
        """Writes checked rows, all or none; returns those that were left out, for their place is not there (yet).

        Raises:
            AmiError: it cannot be written.
        """
        left: list[Key] = []
        try:
            with self._connection:
                for key, row in sorted(rows, key=lambda item: item[0].table):  # places come first
                    name, _ = TABLES[key.table]
                    if key.table and name not in OF_WAYS and not self._has_place(key.id):
                        left.append(key)
                        continue
                    marks = ", ".join("?" * len(row))
                    self._connection.execute(f"INSERT OR REPLACE INTO {name} VALUES ({marks})", row)
        except sqlite3.Error as error:
            raise AmiError(f"the copy {self.path} cannot be written: {error}; free space") from error
        return left

    def erase(self, keys: Iterable[Key]) -> None:
        """Erases rows; with a place goes what belongs to it. Raises AmiError."""
        try:
            with self._connection:
                for key in keys:
                    name, _ = TABLES[key.table]
                    if name in OF_WAYS:
                        self._connection.execute(f"DELETE FROM {name} WHERE start = ? AND stop = ?", key[1:])
                        continue
                    for table in _OF_PLACES if name == "places" else (name,):
                        self._connection.execute(f"DELETE FROM {table} WHERE id = ?", (key.id,))
        except sqlite3.Error as error:
            raise AmiError(f"the copy {self.path} cannot be written: {error}; free space") from error

    def close(self) -> None:
        """Closes the file."""
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._use is not None:
            self._use.close()
            self._use = None

    def _meta(self, key: str) -> str:
        found = self._connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return str(found[0]) if found else ""

    def _put_meta(self, key: str, value: str) -> None:
        with self._connection:
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def _has_place(self, place_id: int) -> bool:
        return self._connection.execute("SELECT 1 FROM places WHERE id = ?", (place_id,)).fetchone() is not None


# Whether a row of another robot makes sense: what would harm a map is refused before it is written.

AHEAD = 60.0  # [s] by which a row may be of the future


def check_values(table: str, row: Values, latent_dim: int, now: float) -> None:
    """Raises AmiError unless a row of a table, the checksum last, makes sense at `now` [s]."""
    try:
        _CHECKS[table](row, latent_dim, now)
    except (TypeError, ValueError, IndexError) as error:
        raise AmiError("its values are of other types") from error


def _finite(values: Iterable[object]) -> None:
    if not all(math.isfinite(v) for v in values if isinstance(v, float)):
        raise AmiError("a number in it is not finite")


def _numbers(content: bytes, kind: str) -> None:
    if not np.isfinite(np.frombuffer(content, kind)).all():
        raise AmiError("a number in it is not finite")


def _check_place(row: Values, latent_dim: int, now: float) -> None:
    latent, created, last_seen, label, note = row[1], row[5], row[6], str(row[8]), str(row[9])
    _finite(row)
    if not isinstance(latent, bytes) or len(latent) != 4 * latent_dim:
        raise AmiError("its latent is of another length")
    _numbers(latent, "<f4")
    if len(label) > MAX_LABEL or len(note) > MAX_NOTE:
        raise AmiError("its label or note is too long")
    if max(float(created), float(last_seen)) > now + AHEAD:  # type: ignore[arg-type]
        raise AmiError("it is of the future")


def _check_picture(row: Values, latent_dim: int, now: float) -> None:
    if not isinstance(row[1], bytes) or len(row[1]) > MAX_THUMBNAIL:
        raise AmiError("its picture is too large, or none")
    if row[1]:
        decode_image(row[1])


def _check_experience(row: Values, latent_dim: int, now: float) -> None:
    covariance, commands = row[1:3]
    if covariance is not None:
        if not isinstance(covariance, bytes) or len(covariance) != 36:
            raise AmiError("its covariance is none")
        _numbers(covariance, "<f4")
    if commands is not None and unpack(np.frombuffer(commands, "<f2")) is None:  # type: ignore[call-overload]
        raise AmiError("its commands are none")


def _check_submap(row: Values, latent_dim: int, now: float) -> None:
    if not isinstance(row[1], bytes) or Submap.unpack(row[1]) is None:
        raise AmiError("its submap is none")


def _check_way(row: Values, latent_dim: int, now: float) -> None:
    _finite(row)
    if float(row[8]) > now + AHEAD:  # type: ignore[arg-type]
        raise AmiError("it is of the future")


def _check_measured(row: Values, latent_dim: int, now: float) -> None:
    if not isinstance(row[2], bytes) or len(row[2]) != MEASURED.size:
        raise AmiError("its measurement is none")
    content = MEASURED.unpack(row[2])
    if content[:2] != row[:2]:
        raise AmiError("its measurement is of another way")
    _finite(content)


_CHECKS = {
    "places": _check_place, "thumbnails": _check_picture, "experience": _check_experience, "outlines": _check_submap,
    "edges": _check_way, "measured": _check_measured,
}  # fmt: skip
