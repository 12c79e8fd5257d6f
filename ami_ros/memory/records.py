"""What is read from the SQLite file below `Store`, in bulk, and what is written to it, checked first."""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import MAX_PACKED, pack, unpack
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.memory.database import TABLES, blob_crc, blob_crcs, fits, given, row_crcs
from ami_ros.memory.types import (
    COVARIANCE,
    EDGES,
    NUMBERS,
    WAYS,
    Code,
    Edge,
    Experience,
    PlaceRow,
    PlaceTable,
    edge_values,
)

MEASURED = struct.Struct("<qq6dq")  # start and stop of a way, its covariance by `types.COVARIANCE`, and joined
MAX_LABEL, MAX_NOTE, MAX_THUMBNAIL = 128, 1024, 1_000_000  # characters, characters, bytes

Values = Iterable[tuple[object, ...]]  # that can be gone through again
Write = list[tuple[str, Values]]  # statements, each for many rows


@dataclass(frozen=True)
class Tables:
    """All places and ways, as they lie on the disk."""

    places: NDArray[np.void]  # (n,) by id: the fields of `NUMBERS`, x, y, yaw, the bytes of the latent, the checksum
    texts: dict[int, tuple[str, str]]  # label and note of the places that have one
    edges: NDArray[np.void]  # (m,) with the fields of `EDGES` and the checksum
    measured: NDArray[np.void]  # (k,) start, stop, `content` as MEASURED packs it, and the checksum; by start and stop

    def wrong(self, seed: int) -> int:
        """How many rows are not as they were written, or hold numbers that are none.

        Args:
            seed: see `database.seed_of`.
        """
        wrong = sum(
            int((~np.isfinite(rows[name])).sum())
            for rows in (self.places, self.edges)
            for name in rows.dtype.names or ()
            if rows.dtype[name].kind == "f"
        )
        wrong += int((~np.isfinite(self.latents)).sum())
        rows, content = self.measured, _contents(self.measured)
        fit = (content["start"] == rows["start"]) & (content["stop"] == rows["stop"])
        for name in COVARIANCE:
            fit &= np.isfinite(content[name])
        wrong += int((~(fit & (blob_crcs(seed, rows["start"], rows["content"]) == rows["crc"]))).sum())
        wrong += int((row_crcs(seed, self.places, self.texts) != self.places["crc"]).sum())
        return wrong + int((row_crcs(seed, self.edges, {}) != self.edges["crc"]).sum())

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
        ids, measured = self.places["id"], self.measured
        edges = self.edges[np.isin(self.edges["start"], ids) & np.isin(self.edges["stop"], ids)]
        ways = np.zeros(len(edges), WAYS)
        for name in EDGES.names or ():
            ways[name] = edges[name]
        # Rows of both that have one start and one stop; each has a pair of them once.
        ends = np.concatenate([np.column_stack([rows["start"], rows["stop"]]) for rows in (edges, measured)])
        (_, starts), (_, stops) = (np.unique(end, return_inverse=True) for end in ends.T)
        keys = starts.astype(np.int64) * (len(ends) + 1) + stops
        parts = keys[: len(edges)], keys[len(edges) :]
        _, of_way, of_measured = np.intersect1d(*parts, assume_unique=True, return_indices=True)
        content = _contents(measured)[of_measured]
        for name in (*COVARIANCE, "loop"):
            ways[name][of_way] = content[name]
        return places, ways


def read_tables(connection: sqlite3.Connection, latent_dim: int) -> Tables:
    """All places and ways.

    Raises:
        ValueError, TypeError, OverflowError: a row has not the types that it should, or a latent of another length.
        sqlite3.Error: the file cannot be read.
    """
    size, crc = 4 * latent_dim, ("crc", "<i8")
    if connection.execute("SELECT count(*) FROM places WHERE length(latent) <> ?", (size,)).fetchone()[0]:
        raise ValueError("it holds latents of another length")
    columns = f"{', '.join(name for name, _ in NUMBERS)}, x, y, yaw, latent, crc"
    kind = np.dtype([*NUMBERS, ("x", "<f8"), ("y", "<f8"), ("yaw", "<f8"), ("latent", f"V{size}"), crc])
    places = np.fromiter(connection.execute(f"SELECT {columns} FROM places ORDER BY id"), kind)
    texts = connection.execute("SELECT id, label, note FROM places WHERE label <> '' OR note <> ''")
    ways = connection.execute(f"SELECT {TABLES['edges']}, crc FROM edges ORDER BY start, stop")
    edges = np.fromiter(ways, np.dtype([*EDGES.descr, crc]))
    other = "typeof(content) <> 'blob' OR length(content) <> ?"
    if connection.execute(f"SELECT count(*) FROM measured WHERE {other}", (MEASURED.size,)).fetchone()[0]:
        raise ValueError("it holds measurements of another length")
    kind = np.dtype([("start", "<i8"), ("stop", "<i8"), ("content", f"V{MEASURED.size}"), crc])
    measured = connection.execute("SELECT start, stop, content, crc FROM measured ORDER BY start, stop")
    return Tables(places, {i: (label, note) for i, label, note in texts}, edges, np.fromiter(measured, kind))


def _contents(measured: NDArray[np.void]) -> NDArray[np.void]:
    """What `MEASURED` packed, of many rows."""
    kind = np.dtype([("start", "<i8"), ("stop", "<i8"), *((name, "<f8") for name in COVARIANCE), ("loop", "<i8")])
    return np.frombuffer(measured["content"].tobytes(), kind)


def measured_fits(seed: int, start: object, stop: object, content: bytes, crc: object) -> bool:
    """Whether how a way was measured is what was written of this way."""
    if not isinstance(content, bytes) or len(content) != MEASURED.size:
        return False
    values = MEASURED.unpack(content)
    sane = values[:2] == (start, stop) and bool(np.isfinite(values[2:8]).all())
    return sane and fits(crc, blob_crc, seed, start, content)


def read_picture(connection: sqlite3.Connection, seed: int, place_id: int) -> bytes:
    """The JPEG of a place, empty if it has none.

    Raises:
        sqlite3.DatabaseError: it cannot be read, or is not what was written.
    """
    row = connection.execute("SELECT jpeg, crc FROM thumbnails WHERE id = ?", (place_id,)).fetchone()
    if row is None:
        return b""
    if not fits(row[1], blob_crc, seed, place_id, row[0]):
        raise sqlite3.DatabaseError(f"the picture of place {place_id} is not what was written")
    return bytes(row[0])


def read_experience(connection: sqlite3.Connection, seed: int, ids: Collection[int]) -> dict[int, Experience]:
    """What is known of some places besides how they look; those of which nothing is known are left out.

    Raises:
        sqlite3.DatabaseError: it cannot be read, or is not what was written.
    """
    wanted, known = json.dumps([int(i) for i in ids]), dict[int, Experience]()
    query = "SELECT {}, crc FROM {} WHERE id IN (SELECT value FROM json_each(?))"
    for i, covariance, commands, crc in connection.execute(
        query.format(TABLES["experience"], "experience"), (wanted,)
    ).fetchall():
        if not fits(crc, blob_crc, seed, i, covariance, commands):
            raise sqlite3.DatabaseError("what is known of places is not what was written")
        spread = driven = None  # where there is none, or none that makes sense
        if covariance is not None and len(covariance) == 36:
            numbers = np.frombuffer(covariance, "<f4").astype(np.float32).reshape(3, 3)
            spread = numbers if np.isfinite(numbers).all() else None
        if commands is not None and not len(commands) % 2:
            driven = unpack(np.frombuffer(commands, "<f2"))
        known[i] = Experience(spread, driven)
    for i, outline, crc in connection.execute(query.format(TABLES["outlines"], "outlines"), (wanted,)).fetchall():
        if not fits(crc, blob_crc, seed, i, outline):
            raise sqlite3.DatabaseError("what a laser saw is not what was written")
        known[i] = replace(known.get(i, Experience()), submap=outline)
    return known


# Writing


def insertion(table: str) -> str:
    """A statement that writes a row of `database.TABLES`, in the place of one with its key, and signs it."""
    columns = TABLES[table]
    crc, signed = {"places": "place_crc", "edges": "edge_crc"}.get(table, "blob_crc"), columns
    if table == "measured":
        signed = "start, content"
    return f"INSERT OR REPLACE INTO {table} SELECT *, {crc}({signed}) FROM {given(*columns.split(', '))}"


def places_to_write(rows: Iterable[PlaceRow], latent_dim: int) -> Write:
    """Writes places, new ones and changed ones.

    Raises:
        AmiError: numbers that are not finite, a latent of another length, texts or pictures that are too large
            (`Code.INVALID_INPUT`).
    """
    rows, values = list(rows), list[tuple[object, ...]]()
    for row in rows:
        if row.latent.shape != (latent_dim,) or not np.isfinite(row.latent).all():
            raise AmiError(f"memory: a latent must be {latent_dim} finite numbers", Code.INVALID_INPUT)
        if not np.isfinite([*row.pose, row.created, row.last_seen, row.surprise, row.keep_away]).all():
            raise AmiError(f"memory: pose or stamp of place {row.id} is not finite", Code.INVALID_INPUT)
        if len(row.label) > MAX_LABEL or len(row.note) > MAX_NOTE or len(row.thumbnail) > MAX_THUMBNAIL:
            limits = f"label {MAX_LABEL} and note {MAX_NOTE} characters, picture {MAX_THUMBNAIL} bytes"
            raise AmiError(f"memory: place {row.id} has more than {limits}", Code.INVALID_INPUT)
        latent = np.ascontiguousarray(row.latent, dtype="<f4").tobytes()
        times = float(row.created), float(row.last_seen), int(row.visits)
        last = str(row.label), str(row.note), int(row.episode), float(row.surprise), float(row.keep_away)
        values.append((int(row.id), latent, *map(float, row.pose), *times, *last))
    return [
        (insertion("places"), values),
        (insertion("thumbnails"), [(int(row.id), bytes(row.thumbnail)) for row in rows if row.thumbnail]),
        *experience_to_write({row.id: row.experience for row in rows if row.experience}),
    ]


class PlaceColumns:
    """Many places as `places_to_write` writes them, made as they are written: of a whole map in the thread that does.

    Args:
        latents: (n, latent_dim).
        poses: (n, 3).
        numbers: id, created, last_seen, visits, episode, surprise, keep_away (n,) each.
        labels, notes: by id.

    Raises:
        AmiError: something is not finite (`Code.INVALID_INPUT`).
    """

    def __init__(
        self, latents: NDArray[np.float32], poses: Array, numbers: list[NDArray], labels: Mapping[int, str],
        notes: Mapping[int, str],
    ) -> None:  # fmt: skip
        self._latents, self._poses, self._numbers = latents.astype("<f4"), poses.copy(), [n.copy() for n in numbers]
        self._texts = {int(i): (labels.get(i, ""), notes.get(i, "")) for i in {*labels, *notes}}
        if not all(np.isfinite(values).all() for values in (self._latents, self._poses, *self._numbers)):
            raise AmiError("memory: places cannot be moved to where nothing is finite", Code.INVALID_INPUT)

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        for latent, pose, *numbers in zip(self._latents, self._poses, *self._numbers, strict=True):
            place_id, created, last_seen, visits, episode, surprise, keep_away = (n.item() for n in numbers)
            times, texts = (created, last_seen, visits), self._texts.get(place_id, ("", ""))
            yield place_id, latent.tobytes(), *pose.tolist(), *times, *texts, episode, surprise, keep_away


def experience_to_write(known: Mapping[int, Experience]) -> Write:
    """Writes what is known of places, by their ids, besides how they look; what is None keeps what is stored.

    Raises:
        AmiError: it makes no sense (`Code.INVALID_INPUT`).
    """
    values = list[tuple[object, ...]]()
    for place_id, experience in known.items():
        covariance, commands = experience.covariance, experience.commands
        sound = covariance is None or (np.shape(covariance) == (3, 3) and np.isfinite(covariance).all())
        if commands is not None:
            shape = np.shape(commands)
            sound &= len(shape) == 2 and shape[1] in (2, 3) and shape[0] > 0 and np.isfinite(commands).all()
            sound = sound and len(pack(commands)) <= MAX_PACKED
        if not sound:
            raise AmiError(f"memory: covariance or commands of place {place_id} make no sense", Code.INVALID_INPUT)
        spread = None if covariance is None else np.asarray(covariance, "<f4").tobytes()
        values.append((int(place_id), spread, None if commands is None else pack(commands).astype("<f2").tobytes()))
    # Of a stored row only what fits its checksum is signed again; what does not is left out, and word of it is left.
    sound_row = "blob_fits(experience.crc, experience.id, experience.covariance, experience.commands)"
    kept = [
        f"coalesce(excluded.{name}, CASE WHEN {sound_row} THEN experience.{name} END)"
        for name in ("covariance", "commands")
    ]
    put = f"""
INSERT INTO experience SELECT *, blob_crc(a, b, c) FROM {given("a", "b", "c")} WHERE true
    ON CONFLICT (id) DO UPDATE SET
    covariance = {kept[0]}, commands = {kept[1]}, crc = blob_crc(experience.id, {kept[0]}, {kept[1]})
"""
    mark = f"INSERT OR REPLACE INTO meta SELECT 'damaged', 'yes' FROM experience WHERE id = ? AND NOT {sound_row}"
    seen = [(int(place_id), experience.submap) for place_id, experience in known.items() if experience.submap]
    return [(mark, [row[:1] for row in values]), (put, values), (insertion("outlines"), seen)]


def edges_to_write(rows: Iterable[Edge]) -> Write:
    """Writes edges, new ones and changed ones. Raises AmiError on numbers that are not finite."""
    values: list[tuple] = []
    for row in rows:
        values.append(edge := edge_values(row))
        if not all(map(math.isfinite, edge)):
            raise AmiError(f"memory: the way from {row.start} to {row.stop} is not finite", Code.INVALID_INPUT)
    count = len(EDGES.names or ())
    measured: Values = [(*v[:2], MEASURED.pack(*v[:2], *v[count:])) for v in values if any(v[count:])]
    return [(insertion("edges"), [v[:count] for v in values]), (insertion("measured"), measured)]


def erasure(ids: Iterable[int]) -> Write:
    """Removes places and whatever belongs to them."""
    gone = json.dumps([int(i) for i in ids])
    keys = {table: ("id",) if columns.startswith("id, ") else ("start", "stop") for table, columns in TABLES.items()}
    some = "IN (SELECT value FROM json_each(?))"
    return [(f"DELETE FROM {table} WHERE {key} {some}", [(gone,)]) for table in keys for key in keys[table]]
