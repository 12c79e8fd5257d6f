"""What is read from the SQLite file below `Store`, in bulk: columns, not one object for each row."""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Collection
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import unpack
from ami_ros.places import database
from ami_ros.places.checksums import blob_crc, blob_crcs, fits, wrong_edges, wrong_places
from ami_ros.places.rows import COVARIANCE, EDGES, NUMBERS, WAYS, Experience, PlaceTable

MEASURED = struct.Struct("<qq6dq")  # start and stop of a way, its covariance by `rows.COVARIANCE`, and joined
_MEASURED = np.dtype([("start", "<i8"), ("stop", "<i8"), ("content", f"V{MEASURED.size}"), ("crc", "<i8")])
_CRC = ("crc", "<i8")


@dataclass(frozen=True)
class Tables:
    """All places and ways, as they lie on the disk."""

    places: NDArray[np.void]  # (n,) by id: the fields of `NUMBERS`, x, y, yaw, the bytes of the latent, the checksum
    texts: dict[int, tuple[str, str]]  # label and note of the places that have one
    edges: NDArray[np.void]  # (m,) with the fields of `EDGES` and the checksum
    measured: NDArray[np.void]  # (k,) with the fields of `_MEASURED`, by start and stop

    def wrong(self, version: int, seed: int) -> int:
        """How many rows are not as they were written, or hold numbers that are none.

        Args:
            version: of the file.
            seed: see `checksums.seed_of`.
        """
        wrong = sum(
            int((~np.isfinite(rows[name])).sum())
            for rows in (self.places, self.edges)
            for name in rows.dtype.names or ()
            if rows.dtype[name].kind == "f"
        )
        wrong += int((~np.isfinite(self.latents)).sum())
        if version < database.CHECKSUMS_SINCE:
            return wrong
        wrong += self._wrong_measured(seed)
        return wrong + wrong_places(seed, self.places, self.texts) + wrong_edges(seed, self.edges)

    def _wrong_measured(self, seed: int) -> int:
        """How many rows of `measured` are not what `measured_fits` wants."""
        rows, content = self.measured, _contents(self.measured)
        fit = (content["start"] == rows["start"]) & (content["stop"] == rows["stop"])
        for name in COVARIANCE:
            fit &= np.isfinite(content[name])
        return int((~(fit & (blob_crcs(seed, rows["start"], rows["content"]) == rows["crc"]))).sum())

    @cached_property
    def latents(self) -> NDArray[np.float32]:
        """All behind one another."""
        return np.frombuffer(self.places["latent"].tobytes(), "<f4").astype(np.float32, copy=False)

    def unpacked(self, latent_dim: int) -> tuple[PlaceTable, NDArray[np.void]]:
        """Places, and the ways between them."""
        places = PlaceTable(
            latents=self.latents.reshape(len(self.places), latent_dim),
            poses=np.column_stack([self.places[name] for name in ("x", "y", "yaw")]),
            numbers=self.places[[name for name, _ in NUMBERS]],
            texts=self.texts,
        )
        ids = self.places["id"]
        edges = self.edges[np.isin(self.edges["start"], ids) & np.isin(self.edges["stop"], ids)]
        ways = np.zeros(len(edges), WAYS)
        for name in EDGES.names or ():
            ways[name] = edges[name]
        of_way, of_measured = _common(edges, self.measured)
        content = _contents(self.measured)[of_measured]
        for name in (*COVARIANCE, "loop"):
            ways[name][of_way] = content[name]
        return places, ways


def read_tables(connection: sqlite3.Connection, version: int, latent_dim: int) -> Tables:
    """All places and ways.

    Raises:
        ValueError, TypeError, OverflowError: a row has not the types that it should, or a latent of another length.
        sqlite3.Error: the file cannot be read.
    """
    size = 4 * latent_dim
    if connection.execute("SELECT count(*) FROM places WHERE length(latent) <> ?", (size,)).fetchone()[0]:
        raise ValueError("it holds latents of another length")
    names = ", ".join(name for name, _ in NUMBERS)
    columns = f"{database.columns_of(version, f'{names}, x, y, yaw, latent')}, {_crc(version)}"
    kind = np.dtype([*NUMBERS, ("x", "<f8"), ("y", "<f8"), ("yaw", "<f8"), ("latent", f"V{size}"), _CRC])
    places = np.fromiter(connection.execute(f"SELECT {columns} FROM places ORDER BY id"), kind)
    texts = connection.execute("SELECT id, label, note FROM places WHERE label <> '' OR note <> ''")
    columns = f"{', '.join(EDGES.names or ())}, {_crc(version)}"
    edges = np.fromiter(
        connection.execute(f"SELECT {columns} FROM edges ORDER BY start, stop"), np.dtype([*EDGES.descr, _CRC])
    )
    measured = np.zeros(0, _MEASURED)
    if version >= database.SUBMAPS_SINCE:
        other = "typeof(content) <> 'blob' OR length(content) <> ?"
        if connection.execute(f"SELECT count(*) FROM measured WHERE {other}", (MEASURED.size,)).fetchone()[0]:
            raise ValueError("it holds measurements of another length")
        rows = connection.execute("SELECT start, stop, content, crc FROM measured ORDER BY start, stop")
        measured = np.fromiter(rows, _MEASURED)
    return Tables(places, {i: (label, note) for i, label, note in texts}, edges, measured)


def _contents(measured: NDArray[np.void]) -> NDArray[np.void]:
    """What `MEASURED` packed, of many rows."""
    kind = np.dtype([("start", "<i8"), ("stop", "<i8"), *((name, "<f8") for name in COVARIANCE), ("loop", "<i8")])
    return np.frombuffer(measured["content"].tobytes(), kind)


def _common(edges: NDArray[np.void], measured: NDArray[np.void]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (k,) of both that have one start and one stop; each has a pair of them once."""
    ends = np.concatenate([np.column_stack([rows["start"], rows["stop"]]) for rows in (edges, measured)])
    _, starts = np.unique(ends[:, 0], return_inverse=True)
    _, stops = np.unique(ends[:, 1], return_inverse=True)
    keys = starts.astype(np.int64) * (len(ends) + 1) + stops
    _, of_edges, of_measured = np.intersect1d(
        keys[: len(edges)], keys[len(edges) :], assume_unique=True, return_indices=True
    )
    return of_edges, of_measured


def measured_fits(seed: int, start: object, stop: object, content: bytes, crc: object) -> bool:
    """Whether how a way was measured is what was written of this way."""
    if not isinstance(content, bytes) or len(content) != MEASURED.size:
        return False
    values = MEASURED.unpack(content)
    sane = values[:2] == (start, stop) and bool(np.isfinite(values[2:8]).all())
    return sane and fits(crc, blob_crc, seed, start, content)


def read_picture(connection: sqlite3.Connection, version: int, seed: int, place_id: int) -> bytes:
    """The JPEG of a place, empty if it has none.

    Raises:
        sqlite3.DatabaseError: it cannot be read, or is not what was written.
    """
    row = connection.execute(f"SELECT jpeg, {_crc(version)} FROM thumbnails WHERE id = ?", (place_id,)).fetchone()
    if row is None:
        return b""
    if version >= database.CHECKSUMS_SINCE and not fits(row[1], blob_crc, seed, place_id, row[0]):
        raise sqlite3.DatabaseError(f"the picture of place {place_id} is not what was written")
    return bytes(row[0])


def read_experience(
    connection: sqlite3.Connection, version: int, seed: int, ids: Collection[int]
) -> dict[int, Experience]:
    """What is known of some places besides how they look; those of which nothing is known are left out.

    Raises:
        sqlite3.DatabaseError: it cannot be read, or is not what was written.
    """
    if version < database.EXPERIENCE_SINCE:
        return {}
    query = (
        f"SELECT id, covariance, commands, {_crc(version)} FROM experience WHERE id IN (SELECT value FROM json_each(?))"
    )
    wanted = json.dumps([int(i) for i in ids])
    found = connection.execute(query, (wanted,)).fetchall()
    if version >= database.CHECKSUMS_SINCE and not all(fits(row[3], blob_crc, seed, *row[:3]) for row in found):
        raise sqlite3.DatabaseError("what is known of places is not what was written")
    known = {i: Experience(_covariance(covariance), _commands(commands)) for i, covariance, commands, _ in found}
    if version >= database.SUBMAPS_SINCE:
        query = "SELECT id, outline, crc FROM outlines WHERE id IN (SELECT value FROM json_each(?))"
        for i, outline, crc in connection.execute(query, (wanted,)).fetchall():
            if not fits(crc, blob_crc, seed, i, outline):
                raise sqlite3.DatabaseError("what a laser saw is not what was written")
            known[i] = replace(known.get(i, Experience()), submap=outline)
    return known


def _crc(version: int) -> str:
    """The column, as a file of that version has it."""
    return "crc" if version >= database.CHECKSUMS_SINCE else "0"


def _covariance(content: bytes | None) -> NDArray[np.float32] | None:
    """(3, 3); None where there is none, or none that makes sense."""
    if content is None or len(content) != 36:
        return None
    numbers = np.frombuffer(content, "<f4").astype(np.float32).reshape(3, 3)
    return numbers if np.isfinite(numbers).all() else None


def _commands(content: bytes | None) -> NDArray[np.float32] | None:
    """(n, 2 or 3); None where there are none, or none that make sense."""
    if content is None or len(content) % 2:
        return None
    return unpack(np.frombuffer(content, "<f2"))
