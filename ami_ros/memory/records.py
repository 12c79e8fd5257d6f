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
from ami_ros.memory import database
from ami_ros.memory.database import blob_crc, blob_crcs, fits, wrong_edges, wrong_places
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

# What is read from the SQLite file below `Store`, in bulk: columns, not one object for each row.

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


# What is written to the SQLite file below `Store`: checked first, then as values of a statement.

MAX_LABEL, MAX_NOTE, MAX_THUMBNAIL = 128, 1024, 1_000_000  # characters, characters, bytes

Values = Iterable[tuple[object, ...]]  # that can be gone through again
Write = list[tuple[str, Values]]  # statements, each for many rows

_NAMES = database.PLACE_COLUMNS.split(", ")
_PUT_PLACE = f"""
INSERT INTO places ({database.PLACE_COLUMNS}, crc)
    SELECT *, place_crc({database.PLACE_COLUMNS}) FROM {database.given(*_NAMES)} WHERE true
    ON CONFLICT (id) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in (*_NAMES[1:], "crc"))}
"""
_PUT_THUMBNAIL = f"INSERT OR REPLACE INTO thumbnails SELECT *, blob_crc(a, b) FROM {database.given('a', 'b')}"
# Of a stored row only what fits its checksum is signed again; what does not is left out, and word of it is left.
_SOUND = "blob_fits(experience.crc, experience.id, experience.covariance, experience.commands)"
_COVARIANCE, _COMMANDS = (
    f"coalesce(excluded.{name}, CASE WHEN {_SOUND} THEN experience.{name} END)" for name in ("covariance", "commands")
)
_MARK_UNSOUND = f"INSERT OR REPLACE INTO meta SELECT 'damaged', 'yes' FROM experience WHERE id = ? AND NOT {_SOUND}"
_PUT_EXPERIENCE = f"""
INSERT INTO experience SELECT *, blob_crc(a, b, c) FROM {database.given("a", "b", "c")} WHERE true
    ON CONFLICT (id) DO UPDATE SET
    covariance = {_COVARIANCE}, commands = {_COMMANDS}, crc = blob_crc(experience.id, {_COVARIANCE}, {_COMMANDS})
"""
_EDGE = EDGES.names or ()
_PUT_EDGE = f"INSERT OR REPLACE INTO edges SELECT *, edge_crc({', '.join(_EDGE)}) FROM {database.given(*_EDGE)}"
_PUT_SUBMAP = f"INSERT OR REPLACE INTO outlines SELECT *, blob_crc(a, b) FROM {database.given('a', 'b')}"
_PUT_MEASURED = f"INSERT OR REPLACE INTO measured SELECT *, blob_crc(a, c) FROM {database.given('a', 'b', 'c')}"
KEYS = (
    *((table, "id") for table in ("places", "thumbnails", "experience", "outlines")),
    *((table, end) for table in ("edges", "measured") for end in ("start", "stop")),
)
MARK_DAMAGED: Write = [("INSERT OR REPLACE INTO meta VALUES ('damaged', 'yes')", [()])]  # see `database.is_sound`


def places_to_write(rows: Iterable[PlaceRow], latent_dim: int) -> Write:
    """Writes places, new ones and changed ones.

    Raises:
        AmiError: numbers that are not finite, a latent of another length, texts or pictures that are too large
            (`Code.INVALID_INPUT`).
    """
    rows = list(rows)
    for row in rows:
        _check_place(row, latent_dim)
    known = [_experience_values(row.id, row.experience) for row in rows if row.experience]
    return [
        (_PUT_PLACE, [_place_values(row) for row in rows]),
        (_PUT_THUMBNAIL, [(int(row.id), bytes(row.thumbnail)) for row in rows if row.thumbnail]),
        (_MARK_UNSOUND, [values[:1] for values in known]),
        (_PUT_EXPERIENCE, known),
        (_PUT_SUBMAP, [(int(r.id), r.experience.submap) for r in rows if r.experience and r.experience.submap]),
    ]


class PlaceColumns:
    """Places as `_PUT_PLACE` takes them, made as they are written: of a whole map in the thread that writes it.

    Args:
        latents: (n, latent_dim).
        poses: (n, 3).
        numbers: id, created, last_seen, visits, episode, surprise, keep_away (n,) each.
        labels, notes: by id.
    """

    def __init__(
        self, latents: NDArray[np.float32], poses: Array, numbers: list[NDArray], labels: Mapping[int, str],
        notes: Mapping[int, str],
    ) -> None:  # fmt: skip
        self._latents, self._poses, self._numbers = latents.astype("<f4"), poses.copy(), [n.copy() for n in numbers]
        self._texts = {int(i): (labels.get(i, ""), notes.get(i, "")) for i in {*labels, *notes}}

    def to_write(self) -> Write:
        """Raises AmiError unless all is finite (`Code.INVALID_INPUT`)."""
        if not all(np.isfinite(values).all() for values in (self._latents, self._poses, *self._numbers)):
            raise AmiError("memory: places cannot be moved to where nothing is finite", Code.INVALID_INPUT)
        return [(_PUT_PLACE, self)]

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        for latent, pose, *numbers in zip(self._latents, self._poses, *self._numbers, strict=True):
            place_id, created, last_seen, visits, episode, surprise, keep_away = (n.item() for n in numbers)
            times, texts = (created, last_seen, visits), self._texts.get(place_id, ("", ""))
            yield place_id, latent.tobytes(), *pose.tolist(), *times, *texts, episode, surprise, keep_away


def experience_to_write(place_id: int, experience: Experience) -> Write:
    """Writes what is known of a place besides how it looks; what is None here keeps what is stored."""
    _check_experience(place_id, experience)
    seen: Values = [(int(place_id), experience.submap)] if experience.submap else []
    values = _experience_values(place_id, experience)
    return [(_MARK_UNSOUND, [values[:1]]), (_PUT_EXPERIENCE, [values]), (_PUT_SUBMAP, seen)]


def edges_to_write(rows: Iterable[Edge]) -> Write:
    """Writes edges, new ones and changed ones. Raises AmiError on numbers that are not finite."""
    values: list[tuple] = []
    for row in rows:
        values.append(edge := edge_values(row))
        if not all(map(math.isfinite, edge)):
            raise AmiError(f"memory: the way from {row.start} to {row.stop} is not finite", Code.INVALID_INPUT)
    count = len(EDGES.names or ())
    known = [v for v in values if any(v[count:])]
    measured: Values = [(*v[:2], MEASURED.pack(*v[:2], *v[count:])) for v in known]
    return [(_PUT_EDGE, [v[:count] for v in values]), (_PUT_MEASURED, measured)]


def erasure(ids: Iterable[int]) -> Write:
    """Removes places and whatever belongs to them."""
    gone = json.dumps([int(i) for i in ids])
    some = "IN (SELECT value FROM json_each(?))"
    return [(f"DELETE FROM {table} WHERE {key} {some}", [(gone,)]) for table, key in KEYS]


def erasure_of_edge(start: int, stop: int) -> Write:
    """Removes one way."""
    ends: Values = [(int(start), int(stop))]
    return [(f"DELETE FROM {table} WHERE start = ? AND stop = ?", ends) for table in ("edges", "measured")]


def erasure_of_pictures(ids: Iterable[int]) -> Write:
    """Removes pictures; their places stay."""
    return [("DELETE FROM thumbnails WHERE id = ?", [(int(i),) for i in ids])]


def _place_values(row: PlaceRow) -> tuple[object, ...]:
    """In the order of `database.PLACE_COLUMNS`."""
    latent = np.ascontiguousarray(row.latent, dtype="<f4").tobytes()
    times = float(row.created), float(row.last_seen), int(row.visits)
    last = str(row.label), str(row.note), int(row.episode), float(row.surprise), float(row.keep_away)
    return int(row.id), latent, *map(float, row.pose), *times, *last


def _experience_values(place_id: int, experience: Experience) -> tuple[object, ...]:
    covariance, commands = experience.covariance, experience.commands
    return (
        int(place_id),
        None if covariance is None else np.asarray(covariance, "<f4").tobytes(),
        None if commands is None else pack(commands).astype("<f2").tobytes(),
    )


def _check_place(row: PlaceRow, latent_dim: int) -> None:
    if row.latent.shape != (latent_dim,) or not np.isfinite(row.latent).all():
        raise AmiError(f"memory: a latent must be {latent_dim} finite numbers", Code.INVALID_INPUT)
    if not np.isfinite([*row.pose, row.created, row.last_seen, row.surprise, row.keep_away]).all():
        raise AmiError(f"memory: pose or stamp of place {row.id} is not finite", Code.INVALID_INPUT)
    if len(row.label) > MAX_LABEL or len(row.note) > MAX_NOTE or len(row.thumbnail) > MAX_THUMBNAIL:
        limits = f"label {MAX_LABEL} and note {MAX_NOTE} characters, picture {MAX_THUMBNAIL} bytes"
        raise AmiError(f"memory: place {row.id} has more than {limits}", Code.INVALID_INPUT)
    if row.experience:
        _check_experience(row.id, row.experience)


def _check_experience(place_id: int, experience: Experience) -> None:
    covariance, commands = experience.covariance, experience.commands
    sound = covariance is None or (np.shape(covariance) == (3, 3) and np.isfinite(covariance).all())
    if commands is not None:
        shape = np.shape(commands)
        sound &= len(shape) == 2 and shape[1] in (2, 3) and shape[0] > 0 and np.isfinite(commands).all()
        sound = sound and len(pack(commands)) <= MAX_PACKED
    if not sound:
        raise AmiError(f"memory: covariance or commands of place {place_id} make no sense", Code.INVALID_INPUT)
