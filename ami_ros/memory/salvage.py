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
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.memory import database
from ami_ros.memory import database as checksums
from ami_ros.memory.records import measured_fits
from ami_ros.memory.replacing import LOGS, free_name, log_of, put_in_place, sync
from ami_ros.memory.types import EDGES

_LEAST_ROW = 64  # bytes that a row takes, at least: bounds the ids to look for where the last page is gone
# The database header (https://sqlite.org/fileformat2.html, 1.3): where the counter of changes, the number of pages and
# the counter that this number belongs to are.
_CHANGES, _PAGES, _VALID_FOR = 24, 28, 92


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
    with _opened(path, encoder_id, latent_dim) as source:
        losses = _Rescue(source, target, encoder_id, latent_dim).run()
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


@contextmanager
def _opened(path: Path, encoder_id: str, latent_dim: int) -> Iterator[sqlite3.Connection]:
    """A copy of a damaged file, so that whatever can be read is read."""
    with tempfile.TemporaryDirectory(prefix="memory-") as folder:
        copy = Path(folder) / "copy"
        shutil.copyfile(path, copy)
        if (log := path.with_name(f"{path.name}-wal")).exists():
            shutil.copyfile(log, f"{copy}-wal")
        if not _can_be_read(copy):
            _mend(copy, encoder_id, latent_dim)
        with closing(database.connect(copy)) as source:
            database.refuse_code(source, path)
            yield source


def _can_be_read(copy: Path) -> bool:
    try:
        with closing(database.connect(copy)) as source:
            version = source.execute("PRAGMA user_version").fetchone()[0]
            for table, columns in database.tables_of(version).items():
                source.execute(f"SELECT {columns} FROM {table} LIMIT 0")
            return 1 <= version <= database.SCHEMA_VERSION
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
    for page in (content[:size], new[:size]):
        header = bytearray(page)
        struct.pack_into(">I", header, _PAGES, len(content) // size)
        header[_VALID_FOR : _VALID_FOR + 4] = header[_CHANGES : _CHANGES + 4]
        copy.write_bytes(bytes(header) + content[size:])
        if _can_be_read(copy):
            return


class _Rescue:
    """Copies rows, those that are what was written and make sense."""

    def __init__(
        self, source: sqlite3.Connection, target: sqlite3.Connection, encoder_id: str, latent_dim: int
    ) -> None:
        self._source, self._target, self._latent_dim = source, target, latent_dim
        self._seed = checksums.seed_of(encoder_id, latent_dim)
        checksums.register(target, encoder_id, latent_dim)
        self._losses = Losses()

    def run(self) -> Losses:
        try:
            version = self._source.execute("PRAGMA user_version").fetchone()[0]
            self._last = self._last_id()
        except database.DAMAGE:
            return self._losses
        self._checked = version >= database.CHECKSUMS_SINCE
        with self._target:
            self._copy(database.columns_of(version))
            if version >= database.EXPERIENCE_SINCE:
                for row in self._rows("id, covariance, commands", "experience", "id"):
                    if row[0] in self._ids and self._fits(checksums.blob_crc, row):
                        self._put("experience", "blob_crc", row[:3])
            if version >= database.SUBMAPS_SINCE:
                self._copy_submaps()
        return self._losses

    def _copy(self, columns: str) -> None:
        losses = self._losses
        self._ids: set[int] = set()
        for row in self._rows(columns, "places", "id"):
            if self._makes_sense(row) and self._fits(checksums.place_crc, row):
                self._put("places", "place_crc", row[:13])
                self._ids.add(row[0])
            else:
                losses.damaged += 1
        losses.places = len(self._ids)
        for row in self._rows("id, jpeg", "thumbnails", "id"):
            if row[0] in self._ids and self._fits(checksums.blob_crc, row):
                self._put("thumbnails", "blob_crc", row[:2])
                losses.thumbnails += 1
        for row in self._rows(", ".join(EDGES.names or ()), "edges", "start"):
            sound = self._fits(checksums.edge_crc, row) and _finite(row[:9])
            if sound and row[0] in self._ids and row[1] in self._ids:
                self._put("edges", "edge_crc", row[:9])
                losses.edges += 1

    def _copy_submaps(self) -> None:
        """What scans tell, of places and ways that are there."""
        for row in self._rows("id, outline", "outlines", "id"):
            if row[0] in self._ids and self._fits(checksums.blob_crc, row):
                self._put("outlines", "blob_crc", row[:2])
        for row in self._rows("start, stop, content", "measured", "start"):
            if row[0] in self._ids and row[1] in self._ids and measured_fits(self._seed, *row):
                self._target.execute("INSERT OR REPLACE INTO measured VALUES (?, ?, ?, ?)", row)

    def _put(self, table: str, crc: str, row: tuple) -> None:
        names = [f"value{k}" for k in range(len(row))]
        values = f"SELECT *, {crc}({', '.join(names)}) FROM {database.given(*names)}"
        self._target.execute(f"INSERT OR REPLACE INTO {table} {values}", row)

    def _fits(self, function: object, row: tuple) -> bool:
        """A row, with its checksum last; older versions have none."""
        return not self._checked or checksums.fits(row[-1], function, self._seed, *row[:-1])

    def _last_id(self) -> int:
        """The greatest id there can be."""
        pages = self._source.execute("PRAGMA page_count").fetchone()[0]
        self._most = pages * self._source.execute("PRAGMA page_size").fetchone()[0] // _LEAST_ROW
        found = [self._most]
        for query in ("SELECT max(id) FROM places", "SELECT max(id) FROM thumbnails", "SELECT max(start) FROM edges"):
            try:
                most = self._source.execute(query).fetchone()[0]
                found.append(most if isinstance(most, int) else 0)
            except database.DAMAGE:
                pass
        return min(max(found), 2**62)

    def _rows(self, columns: str, table: str, key: str) -> Iterator[tuple]:
        """The readable rows, with their checksums last where there are any."""
        query = f"SELECT {columns}{', crc' if self._checked else ''} FROM {table} WHERE {key} BETWEEN ? AND ?"
        ranges, most = [(0, self._last)], self._losses.damaged + self._most
        while ranges and self._losses.damaged <= most:  # a damaged id may be any number: not all up to it are tried
            low, high = ranges.pop()
            try:
                yield from self._source.execute(query, (low, high)).fetchall()
            except database.DAMAGE:
                if low == high:
                    self._losses.damaged += 1
                else:
                    middle = (low + high) // 2
                    ranges += [(middle + 1, high), (low, middle)]

    def _makes_sense(self, row: tuple) -> bool:
        """Whether a place has a latent and numbers."""
        try:
            latent = np.frombuffer(row[1], dtype="<f4")
        except (TypeError, ValueError):
            return False
        texts = all(isinstance(text, str) for text in row[8:10])
        finite = np.isfinite(latent).all() and _finite((*row[2:8], *row[10:13]))
        return len(latent) == self._latent_dim and bool(finite) and texts


def _finite(values: tuple) -> bool:
    try:
        return bool(np.isfinite(np.array(values, dtype=np.float64)).all())
    except (TypeError, ValueError):
        return False
