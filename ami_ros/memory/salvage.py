"""What can still be read of a damaged memory.

SQLite reads a table as a tree of pages; a damaged page hides a range of rows and no others. Rows are therefore read
in ranges of ids, and a range that fails in halves. Rows that are not what was written, or make no sense (latents that
are not finite or of another length), count as damaged, too. All this is done with a copy of the file, which is mended
first as far as SQLite needs it to be opened at all.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.memory import database
from ami_ros.memory.records import insertion, measured_fits
from ami_ros.memory.replacing import LOGS, free_name, log_of, put_in_place, sync


@dataclass
class Losses:
    """Rows of a damaged memory."""

    places: int = 0  # readable
    edges: int = 0
    thumbnails: int = 0
    damaged: int = 0  # ids whose rows could not be read, or made no sense: at most so many rows there were

    def __str__(self) -> str:
        kept = f"{self.places} places, {self.edges} ways and {self.thumbnails} pictures could be read"
        return f"{kept}, all else was lost"


def rescue(path: Path, target: sqlite3.Connection, encoder_id: str, latent_dim: int) -> Losses:
    """Copies what is readable of `path` into an empty memory; ways whose places are lost are left behind.

    Raises:
        AmiError: nothing is.
    """
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        copy = Path(folder) / "copy"
        shutil.copyfile(path, copy)
        if (log := path.with_name(f"{path.name}-wal")).exists():
            shutil.copyfile(log, f"{copy}-wal")
        if not _can_be_read(copy):
            _mend(copy, encoder_id, latent_dim)
        with closing(database.connect(copy)) as source:
            database.refuse_code(source, path)
            losses = _copy_rows(source, target, encoder_id, latent_dim)
    if not losses.places:
        raise AmiError(f"nothing in {path} can be read as a memory of places: restore it from a copy, or name another")
    return losses


def rescue_file(path: Path, encoder_id: str, latent_dim: int) -> tuple[Losses, Path]:
    """Puts what is readable of `path` in its place; returns the losses, and where the damaged file is now.

    The caller has the lock of `path`. A kill leaves the damaged file with its log, or the new one without.

    Raises:
        AmiError: nothing is; the file is as it was.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        with closing(sqlite3.connect(name)) as target:
            target.execute("PRAGMA synchronous = FULL")
            database.create(target, encoder_id, latent_dim)
            losses = rescue(path, target, encoder_id, latent_dim)
    except BaseException:
        Path(name).unlink()
        raise
    damaged = free_name(path)
    for suffix in ("", *LOGS):
        if (file := log_of(path, suffix)).exists():
            os.link(file, log_of(damaged, suffix))
    sync(path.parent)
    put_in_place(Path(name), path, overwrite=True, owned=True)
    return losses, damaged


def _can_be_read(copy: Path) -> bool:
    try:
        with closing(database.connect(copy)) as source:
            for table, columns in database.TABLES.items():
                source.execute(f"SELECT {columns}, crc FROM {table} LIMIT 0")
            return bool(source.execute("PRAGMA user_version").fetchone()[0] == database.SCHEMA_VERSION)
    except database.DAMAGE:
        return False


def _mend(copy: Path, encoder_id: str, latent_dim: int) -> None:
    """Gives a file the number of pages that it has, and, if that is not enough, the first page of a new memory.

    The first page says where each table begins; that is the same in all memories that were made as this version makes
    them.
    """
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        fresh = Path(folder) / "fresh"
        with closing(database.connect(fresh)) as made:
            database.create(made, encoder_id, latent_dim)
            size = made.execute("PRAGMA page_size").fetchone()[0]
        new = fresh.read_bytes()
    content = copy.read_bytes()
    content += bytes(max(-len(content) % size, len(new) - len(content)))  # each table has at least its first page
    # The counter of changes, the number of pages and the counter that this number belongs to are there in the database
    # header (https://sqlite.org/fileformat2.html, 1.3).
    changes, pages, valid_for = 24, 28, 92
    for page in (content[:size], new[:size]):
        header = bytearray(page)
        struct.pack_into(">I", header, pages, len(content) // size)
        header[valid_for : valid_for + 4] = header[changes : changes + 4]
        copy.write_bytes(bytes(header) + content[size:])
        if _can_be_read(copy):
            return


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection, encoder_id: str, latent_dim: int) -> Losses:
    """Copies rows, those that are what was written and make sense."""
    seed, losses, ids = database.seed_of(encoder_id, latent_dim), Losses(), set[int]()
    database.register(target, encoder_id, latent_dim)
    try:
        size = [source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size")]
    except database.DAMAGE:
        return losses
    most = (
        size[0] * size[1] // 64
    )  # of 64 bytes, which a row takes at least: bounds the ids where the last page is gone
    found = [most]
    for key, table in (("id", "places"), ("id", "thumbnails"), ("start", "edges")):
        try:
            last = source.execute(f"SELECT max({key}) FROM {table}").fetchone()[0]
            found.append(last if isinstance(last, int) else 0)
        except database.DAMAGE:
            pass
    last = min(max(found), 2**62)
    with target:
        for table in database.TABLES:
            for row in _readable_rows(source, table, last, most, losses):
                if table == "measured":
                    sound = measured_fits(seed, *row)
                else:
                    crc = {"places": database.place_crc, "edges": database.edge_crc}.get(table, database.blob_crc)
                    sound = database.fits(row[-1], crc, seed, *row[:-1])
                if table == "places":
                    sound = sound and _makes_sense(row, latent_dim)
                    ids |= {row[0]} if sound else set()
                    losses.damaged += not sound
                elif table in ("edges", "measured"):
                    sound = sound and row[1] in ids and (table == "measured" or _are_finite(row[:-1]))
                if sound and row[0] in ids:
                    target.execute(insertion(table), row[:-1])
                    losses.thumbnails += table == "thumbnails"
                    losses.edges += table == "edges"
    losses.places = len(ids)
    return losses


def _readable_rows(source: sqlite3.Connection, table: str, last: int, most: int, losses: Losses) -> Iterator[tuple]:
    """The rows of a table that can be read, with their checksums; ids up to the `last`, and up to so many damaged ones:
    a damaged id may be any number, and not all up to it are tried."""
    columns, ranges, most = database.TABLES[table], [(0, last)], losses.damaged + most
    query = f"SELECT {columns}, crc FROM {table} WHERE {columns.split(', ')[0]} BETWEEN ? AND ?"
    while ranges and losses.damaged <= most:
        low, high = ranges.pop()
        try:
            yield from source.execute(query, (low, high)).fetchall()
        except database.DAMAGE:
            if low == high:
                losses.damaged += 1
            else:
                middle = (low + high) // 2
                ranges += [(middle + 1, high), (low, middle)]


def _makes_sense(row: tuple, latent_dim: int) -> bool:
    """Whether a place has a latent and numbers."""
    try:
        latent = np.frombuffer(row[1], dtype="<f4")
    except (TypeError, ValueError):
        return False
    texts = all(isinstance(text, str) for text in row[8:10])
    finite = bool(np.isfinite(latent).all()) and _are_finite((*row[2:8], *row[10:13]))
    return len(latent) == latent_dim and finite and texts


def _are_finite(values: tuple) -> bool:
    try:
        return bool(np.isfinite(np.array(values, dtype=np.float64)).all())
    except (TypeError, ValueError):
        return False
