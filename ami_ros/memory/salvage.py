"""What can still be read of a damaged memory.

SQLite reads a table as a tree of pages; a damaged page hides a range of rows and no others. Rows are therefore read
in ranges of ids, and a range that fails in halves. Rows that make no sense (latents that are not finite or of another
length) count as damaged, too.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.memory import database

_LEAST_ROW = 64  # bytes that a row takes, at least: bounds the ids to look for where the last page is gone


@dataclass
class Losses:
    """Rows of a damaged memory."""

    places: int = 0  # readable
    edges: int = 0
    thumbnails: int = 0
    damaged: int = 0  # ids whose rows could not be read, or made no sense

    def __str__(self) -> str:
        kept = f"{self.places} places, {self.edges} ways and {self.thumbnails} pictures could be read"
        return f"{kept}, at most {self.damaged} rows were lost"


def rescue(source: sqlite3.Connection, target: sqlite3.Connection, latent_dim: int) -> Losses:
    """Copies what is readable into an empty memory; ways whose places are lost are left behind."""
    losses = Losses()
    last = _last_id(source)
    version = source.execute("PRAGMA user_version").fetchone()[0]
    ids = set()
    with target:
        for row in _rows(source, database.columns_of(version), "places", "id", 0, last, losses):
            if _makes_sense(row, latent_dim):
                target.execute(f"INSERT INTO places VALUES ({', '.join('?' * len(row))})", row)
                ids.add(row[0])
            else:
                losses.damaged += 1
        losses.places = len(ids)
        for row in _rows(source, "*", "thumbnails", "id", 0, last, losses):
            if row[0] in ids:
                target.execute("INSERT INTO thumbnails VALUES (?, ?)", row)
                losses.thumbnails += 1
        if version >= database.EXPERIENCE_SINCE:
            for row in _rows(source, "*", "experience", "id", 0, last, losses):
                if row[0] in ids:
                    target.execute("INSERT INTO experience VALUES (?, ?, ?)", row)
        for row in _rows(source, "*", "edges", "start", 0, last, losses):
            if row[0] in ids and row[1] in ids:
                target.execute(f"INSERT OR REPLACE INTO edges VALUES ({', '.join('?' * len(row))})", row)
                losses.edges += 1
    return losses


def rescue_file(path: Path, source: sqlite3.Connection, encoder_id: str, latent_dim: int) -> tuple[Losses, Path]:
    """Puts what is readable of `path` in its place; returns the losses, and where the damaged file is now.

    Closes `source`, which has `path` open.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        target = sqlite3.connect(name)
        target.execute("PRAGMA synchronous = FULL")
        database.create(target, encoder_id, latent_dim)
        losses = rescue(source, target, latent_dim)
        target.close()
    except BaseException:
        Path(name).unlink()
        raise
    source.close()
    damaged = _free_name(path)
    os.link(path, damaged)
    # The log must not meet the new file. A kill from here on leaves a damaged file, to be rescued once more.
    for suffix in ("-wal", "-shm"):
        if (log := path.with_name(path.name + suffix)).exists():
            log.rename(damaged.with_name(damaged.name + suffix))
    os.replace(name, path)
    return losses, damaged


def _free_name(path: Path) -> Path:
    number = 1
    while (name := path.with_name(f"{path.name}.damaged{number}")).exists():
        number += 1
    return name


def _last_id(source: sqlite3.Connection) -> int:
    """The greatest id there can be."""
    pages = source.execute("PRAGMA page_count").fetchone()[0]
    found = [pages * source.execute("PRAGMA page_size").fetchone()[0] // _LEAST_ROW]
    for query in ("SELECT max(id) FROM places", "SELECT max(id) FROM thumbnails", "SELECT max(start) FROM edges"):
        try:
            found.append(source.execute(query).fetchone()[0] or 0)
        except sqlite3.DatabaseError:
            pass
    return max(found)


def _rows(
    source: sqlite3.Connection, columns: str, table: str, key: str, first: int, last: int, losses: Losses
) -> Iterator[tuple]:
    """The readable rows whose `key` lies in [first, last]."""
    query = f"SELECT {columns} FROM {table} WHERE {key} BETWEEN ? AND ?"
    ranges = [(first, last)]
    while ranges:
        low, high = ranges.pop()
        try:
            yield from source.execute(query, (low, high)).fetchall()
        except sqlite3.DatabaseError:
            if low == high:
                losses.damaged += 1
            else:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]


def _makes_sense(row: tuple, latent_dim: int) -> bool:
    """Whether a place has a latent and numbers."""
    try:
        latent = np.frombuffer(row[1], dtype="<f4")
        numbers = np.array([*row[2:8], *row[10:13]], dtype=np.float64)
    except (TypeError, ValueError):
        return False
    texts = all(isinstance(text, str) for text in row[8:10])
    return len(latent) == latent_dim and bool(np.isfinite(latent).all() and np.isfinite(numbers).all()) and texts
