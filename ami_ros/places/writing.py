"""What is written to the SQLite file below `Store`: checked first, then as values of a statement."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import MAX_PACKED, pack
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.places import database
from ami_ros.places.codes import Code
from ami_ros.places.reading import MEASURED
from ami_ros.places.rows import EDGES, Experience, PlaceRow, edge_values
from ami_ros.places.types import Edge

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
