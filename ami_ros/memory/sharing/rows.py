"""A memory file row by row, as robots exchange it: which rows it has, by their checksums, and what is in them.

Two files hold the same where the sums of their checksums are the same, bucket by bucket of place ids. So nobody has to
note what changed, what was sent, or what arrived (anti-entropy with hash trees of one level, as in Dynamo,
doi 10.1145/1294261.1294281): a robot that was away for an hour, or has lost what it knew, compares and asks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ami_ros.core.errors import AmiError
from ami_ros.memory import database
from ami_ros.memory.replacing import settled
from ami_ros.memory.types import OWN

TABLES = tuple(database.TABLES.items())  # name and columns; `Key.table` counts them
OF_WAYS = "edges", "measured"  # their keys are two places
LARGEST = 32_000  # bytes of a picture that is shared: it has to fit into one datagram
Values = tuple[object, ...]


class Key(NamedTuple):
    """One row of a memory."""

    table: int  # of `TABLES`
    id: int  # of the place, or of that at which the way begins
    stop: int  # of the place to which the way leads; 0: it is no way


@contextmanager
def told_as_errors() -> Iterator[None]:
    """What SQLite raises becomes an AmiError of one line."""
    try:
        yield
    except sqlite3.Error as error:
        raise AmiError(f"a memory or a copy cannot be read: {error}") from error


class RowSet:
    """The rows that one robot's memory adds to what all know: its own places, and ways that begin or end there.

    Args:
        connection: of a memory, as it is now.
        own: only these; false: all that is there.
    """

    def __init__(self, connection: sqlite3.Connection, own: bool) -> None:
        self._connection, self._only = connection, dict.fromkeys(database.TABLES, "true")
        if own:
            for name in self._only:
                self._only[name] = f"(start < {OWN} OR stop < {OWN})" if name in OF_WAYS else f"id < {OWN}"
            self._only["thumbnails"] += f" AND length(jpeg) <= {LARGEST}"

    def sums(self, shift: int) -> dict[int, int]:
        """Sums of checksums by bucket, `id >> shift`; of all rows in bucket 0 if `shift` is 63."""
        found: dict[int, int] = {}
        for number, (name, _) in enumerate(TABLES):
            key = "start" if name in OF_WAYS else "id"
            query = f"SELECT {key} >> {shift}, sum(crc) FROM {name} WHERE {self._only[name]} GROUP BY 1"
            for bucket, total in self._connection.execute(query):
                # A checksum is of its table alone: an odd factor keeps those of two tables apart.
                found[bucket] = (found.get(bucket, 0) + (2 * number + 1) * total) % ((1 << 63) - 1)
        return found

    def digest(self) -> tuple[int, int]:
        """How many places there are, and the sum of all checksums."""
        places = self._connection.execute(f"SELECT count(*) FROM places WHERE {self._only['places']}").fetchone()[0]
        return int(places), self.sums(63).get(0, 0)

    def keys(self, bucket: int, shift: int) -> dict[Key, int]:
        """The rows of a bucket, and their checksums."""
        first, last = bucket << shift, ((bucket + 1) << shift) - 1
        found: dict[Key, int] = {}
        for number, (name, _) in enumerate(TABLES):
            key, stop = ("start", "stop") if name in OF_WAYS else ("id", "0")
            query = f"SELECT {key}, {stop}, crc FROM {name} WHERE {key} BETWEEN ? AND ? AND {self._only[name]}"
            found |= {Key(number, i, j): crc for i, j, crc in self._connection.execute(query, (first, last))}
        return found

    def row(self, key: Key) -> Values | None:
        """The values of a row, the checksum last; None: it is not there (any more)."""
        name, columns = TABLES[key.table]
        is_it = "start = ? AND stop = ?" if name in OF_WAYS else "id = ?"
        ids = key[1:] if name in OF_WAYS else key[1:2]
        query = f"SELECT {columns}, crc FROM {name} WHERE {is_it} AND {self._only[name]}"
        found = self._connection.execute(query, ids).fetchone()
        return None if found is None else tuple(found)


class OwnRows:
    """What this robot's memory file has to share. Reads beside the node that writes it.

    Args:
        path: of the memory; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._file = -1  # inode
        self._changes = -1

    def rows(self) -> RowSet | None:
        """The rows as they are now; None as long as there is no memory.

        Raises:
            AmiError: the file is no memory.
        """
        path = settled(self.path)
        inode = path.stat().st_ino if path.is_file() else -1
        if inode != self._file:
            self.close()
        try:
            if self._connection is None and inode >= 0:
                connection = database.connect_to_read(path)
                tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
                # Who writes it has made all of its tables, and said that others may copy it.
                if not ({"meta", "measured"} <= tables and database.meta_value(connection, "identity")):
                    connection.close()
                    return None
                self._connection, self._file, self._changes = connection, inode, -1
        except FileNotFoundError:
            return None
        except sqlite3.Error as error:
            raise AmiError(f"the memory {self.path} cannot be shared: {error}") from error
        return None if self._connection is None else RowSet(self._connection, own=True)

    def identity(self) -> str:
        """Of the memory; empty as long as there is none."""
        return "" if self._connection is None else database.meta_value(self._connection, "identity")

    def changed(self) -> bool:
        """Whether somebody may have written since this was asked last."""
        if self._connection is None:
            return False
        before, self._changes = self._changes, int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        return before != self._changes

    def meta(self) -> tuple[str, int]:
        """Encoder id and latent length. Raises AmiError: there is no memory (yet)."""
        return database.meta_of(self.path)

    def close(self) -> None:
        """Lets go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self._file = None, -1
