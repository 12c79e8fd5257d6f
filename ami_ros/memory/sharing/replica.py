"""The copies of other robots' memories: a memory file for each, in one folder, read while it is written to."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from ami_ros.core.background import Slices
from ami_ros.core.errors import AmiError
from ami_ros.memory import database
from ami_ros.memory.database import edge_crc, fits, place_crc, register, seed_of
from ami_ros.memory.files import SUFFIX
from ami_ros.memory.records import MEASURED, measured_fits, places_to_write, read_experience, read_picture
from ami_ros.memory.sharing.letters import ROBOT
from ami_ros.memory.types import EDGES, OWN, Code, Edge, Experience, PlaceRow, edge_of

# The copies of other robots' memories that a robot has: a memory file for each, in one folder.

VERSION = "shared version"  # of `meta` in a copy: that of the memory when the copy held all of it


class Copy(NamedTuple):
    """One copy."""

    robot: str  # whose memory it is
    path: Path
    whole: bool  # it held all that the other remembered; else some is still to come


class Copies:
    """The copies in a folder, and which of them have changed.

    Args:
        folder: it need not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[str, object] = {}

    def changed(self) -> list[Copy]:
        """Those that may have changed since this was asked last."""
        found = []
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            robot = path.name.removesuffix(SUFFIX)
            now = signature(path)
            if ROBOT.fullmatch(robot) and self._seen.get(robot) != now:
                self._seen[robot] = now
                found.append(Copy(robot, path, _is_whole(path)))
        return found


def copies_beside(memory_file: Path) -> Path:
    """Where the copies of others' memories lie, of a robot that has this one."""
    return memory_file.with_name(f"{memory_file.name}.site")


def robot_name(asked: str, namespace: str) -> str:
    """The name of a robot of a site: as it is asked for, else its namespace, else its computer's."""
    return asked or namespace.strip("/").replace("/", ".") or socket.gethostname()


def signature(path: Path) -> tuple[object, object]:
    """Another one when a memory, or its log, was written to."""
    return _state(path), _state(path.with_name(f"{path.name}-wal"))


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _is_whole(path: Path) -> bool:
    try:
        with closing(database.connect_to_read(path)) as connection:
            return connection.execute("SELECT 1 FROM meta WHERE key = ?", (VERSION,)).fetchone() is not None
    except (sqlite3.Error, OSError):
        return False


# Another robot's memory as it is replicated here: what of it is new is read row by row, while it is written to.
#
# `Store` reads and checks a whole file when it opens one, which is too long while a robot drives. Here a row's
# checksum is its version: only rows whose checksum is another one are read, some at a time, and those that do not fit
# it are left out.

ROWS = 500  # of which checksums, or ways, are read in one slice
_MARKS = """
SELECT p.id, p.crc, ifnull(o.crc, -1), ifnull(t.crc, -1), ifnull(e.crc, -1) FROM places p
    LEFT JOIN outlines o ON o.id = p.id LEFT JOIN thumbnails t ON t.id = p.id LEFT JOIN experience e ON e.id = p.id
    WHERE p.id > ? AND p.id < ? ORDER BY p.id LIMIT ?
"""
_WAYS = f"""
SELECT {", ".join(f"e.{name}" for name in EDGES.names or ())}, e.crc, m.content, m.crc FROM edges e
    LEFT JOIN measured m ON m.start = e.start AND m.stop = e.stop
    WHERE (e.start, e.stop) > (?, ?) ORDER BY e.start, e.stop LIMIT ?
"""
_LONGEST, _LEAST, _MOST = 1e4, 1e-10, 1e4  # [m] of a way, and variances of one [m^2, rad^2], that make sense


@dataclass(frozen=True)
class Mark:
    """Which version of a place it is: checksums."""

    row: int
    more: tuple[int, int, int]  # of its submap, picture, and what else is known; -1: there is none


class Replica:
    """Reads one, as a context.

    Args:
        path: of the file; others may write to it meanwhile.
        encoder_id, latent_dim: as of `Store`.

    Raises:
        AmiError: not there (`Code.NOT_FOUND`); damaged, no memory, or of another version (`Code.INVALID_INPUT`); of
            another encoder (`Code.ENCODER_MISMATCH`). Reading raises it, too, where the file is damaged or gone.
    """

    def __init__(self, path: Path, encoder_id: str, latent_dim: int) -> None:
        self.path, self.latent_dim, self._seed = path, latent_dim, seed_of(encoder_id, latent_dim)
        if not path.is_file():
            raise AmiError(f"memory: there is no {path.name} in {path.parent}", Code.NOT_FOUND)
        with self._named_errors():
            self._connection = database.connect_to_read(path)
            try:
                version = database.check(self._connection, path, encoder_id, latent_dim)
                register(self._connection, encoder_id, latent_dim)
                if version != database.SCHEMA_VERSION:
                    raise AmiError(f"the memory {path} is of an older version: open it once", Code.INVALID_INPUT)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Replica:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def has_submaps(self) -> bool:
        """Whether it is known what a laser saw around some place."""
        with self._named_errors():
            return bool(self._connection.execute("SELECT EXISTS (SELECT 1 FROM outlines)").fetchone()[0])

    def marks(self) -> Slices[dict[int, Mark]]:
        """Of all places of its robot, by id."""
        found: dict[int, Mark] = {}
        last = 0
        while True:
            with self._named_errors():
                rows = self._connection.execute(_MARKS, (last, OWN, ROWS)).fetchall()
            found |= {i: Mark(crc, (outline, picture, more)) for i, crc, outline, picture, more in rows}
            if len(rows) < ROWS:
                return found
            last = rows[-1][0]
            yield

    def places(self, ids: Iterable[int]) -> list[PlaceRow]:
        """Those that are sound, without pictures and experience."""
        query = f"SELECT {database.PLACE_COLUMNS}, crc FROM places WHERE id IN (SELECT value FROM json_each(?))"
        with self._named_errors():
            rows = self._connection.execute(query, (json.dumps([*ids]),)).fetchall()
        found = (self._place(values) for *values, crc in rows if fits(crc, place_crc, self._seed, *values))
        return [row for row in found if row is not None]

    def _place(self, values: list) -> PlaceRow | None:
        place_id, latent, x, y, yaw, created, last_seen, visits, label, note, episode, surprise, keep_away = values
        if len(latent) != 4 * self.latent_dim:
            return None
        numbers = np.frombuffer(latent, "<f4").astype(np.float32)
        times = created, last_seen, visits
        row = PlaceRow(place_id, numbers, np.array([x, y, yaw]), *times, label, note, episode, surprise, keep_away)
        try:
            places_to_write([row], self.latent_dim)
        except AmiError:
            return None
        return row

    def whole(self, row: PlaceRow) -> PlaceRow:
        """A place with its picture and experience; without what of that is damaged."""
        with self._named_errors():
            try:
                picture = read_picture(self._connection, database.SCHEMA_VERSION, self._seed, row.id)
            except database.DAMAGE as error:
                if database.is_passing(error):
                    raise
                picture = b""
        return replace(row, thumbnail=picture, experience=self.experience([row.id]).get(row.id))

    def experience(self, ids: Iterable[int]) -> dict[int, Experience]:
        """What is known of places besides how they look; nothing where some of that is damaged."""
        with self._named_errors():
            try:
                return read_experience(self._connection, database.SCHEMA_VERSION, self._seed, [*ids])
            except database.DAMAGE as error:
                if database.is_passing(error):
                    raise
                return {}

    def ways(self) -> Slices[dict[tuple[int, int], Edge]]:
        """All that make sense, by their ends, which may be places of other robots, too."""
        found: dict[tuple[int, int], Edge] = {}
        last = (-1, -1)
        while True:
            with self._named_errors():
                rows = self._connection.execute(_WAYS, (*last, ROWS)).fetchall()
            for *values, crc, content, content_crc in rows:
                if (edge := self._way(values, crc, content, content_crc)) is not None:
                    found[edge.start, edge.stop] = edge
            if len(rows) < ROWS:
                return found
            last = rows[-1][0], rows[-1][1]
            yield

    def _way(self, values: list, crc: object, content: bytes | None, content_crc: object) -> Edge | None:
        if not fits(crc, edge_crc, self._seed, *values):
            return None
        measured: tuple = (0.0,) * 6 + (0,)
        if content is not None:
            if not measured_fits(self._seed, values[0], values[1], content, content_crc):
                return None
            measured = MEASURED.unpack(content)[2:]
        edge = edge_of((*values, *measured))
        return edge if makes_sense(edge) else None

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError, ValueError, TypeError) as error:
            raise AmiError(f"the memory {self.path} cannot be read: {error}", Code.INVALID_INPUT) from error
        except OSError as error:
            why = error.strerror or error
            raise AmiError(f"the memory {self.path} cannot be opened: {why}", Code.NOT_FOUND) from error


def makes_sense(edge: Edge) -> bool:
    """Whether somebody may have driven such a way, and its covariance is one."""
    numbers = [*edge.relative, edge.duration, edge.last_used]
    if not np.isfinite(numbers).all() or np.abs(edge.relative[:2]).max() > _LONGEST:
        return False
    if edge.covariance is None:
        return True
    least, *_, most = np.linalg.eigvalsh(edge.covariance)
    return bool(_LEAST < least <= most < _MOST)
