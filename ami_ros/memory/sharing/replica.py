"""The copies of other robots' memories: a file for each, read row by row while it is written to."""

from __future__ import annotations

import json
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from ami_ros.core.background import Slices
from ami_ros.core.errors import AmiError
from ami_ros.memory import database
from ami_ros.memory.database import edge_crc, fits, place_crc, seed_of
from ami_ros.memory.files import NAME, SUFFIX
from ami_ros.memory.records import MEASURED, measured_fits, places_to_write, read_experience, read_picture
from ami_ros.memory.types import EDGES, OWN, Code, Edge, Experience, PlaceRow, edge_of

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
            if NAME.fullmatch(robot) and self._seen.get(robot) != now:
                self._seen[robot] = now
                whole = False
                with suppress(sqlite3.Error, OSError), closing(database.connect_to_read(path)) as connection:
                    whole = bool(database.meta_value(connection, VERSION))
                found.append(Copy(robot, path, whole))
        return found


def copies_beside(memory_file: Path) -> Path:
    """Where the copies of others' memories lie, of a robot that has this one."""
    return memory_file.with_name(f"{memory_file.name}.site")


def robot_name(asked: str, namespace: str) -> str:
    """The name of a robot of a site: as it is asked for, else its namespace, else its computer's."""
    return asked or namespace.strip("/").replace("/", ".") or socket.gethostname()


def signature(path: Path) -> tuple[object, ...]:
    """Another one when a memory, or its log, was written to."""
    found = list[object]()
    for file in (path, path.with_name(f"{path.name}-wal")):
        with suppress(OSError):
            status = os.stat(file)
            found.append((file, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(found)


@dataclass(frozen=True)
class Mark:
    """Which version of a place it is: checksums."""

    row: int
    more: tuple[int, int, int]  # of its submap, picture, and what else is known; -1: there is none


class Replica:
    """Another robot's memory as it is replicated here: what of it is new is read row by row, while it is written to.

    `Store` reads and checks a whole file when it opens one, which is too long while a robot drives. Here a row's
    checksum is its version: only rows whose checksum is another one are read, some at a time, and those that do not fit
    it are left out.

    Args:
        path: of the file; others may write to it meanwhile.
        encoder_id, latent_dim: as of `Store`.

    Raises:
        AmiError: not there (`Code.NOT_FOUND`); damaged, no memory, or of another version (`Code.INVALID_INPUT`); of
            another encoder (`Code.ENCODER_MISMATCH`). Reading raises it, too, where the file is damaged or gone.
    """

    SLICE: ClassVar = 500  # checksums, or ways, that are read at once

    def __init__(self, path: Path, encoder_id: str, latent_dim: int) -> None:
        self.path, self.latent_dim, self._seed = path, latent_dim, seed_of(encoder_id, latent_dim)
        if not path.is_file():
            raise AmiError(f"memory: there is no {path.name} in {path.parent}", Code.NOT_FOUND)
        with self._named_errors():
            self._connection = database.connect_to_read(path)
            try:
                version = database.check(self._connection, path, encoder_id, latent_dim)
                if version != database.SCHEMA_VERSION:
                    raise AmiError(f"the memory {path} is of an older version: open it once", Code.INVALID_INPUT)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Lets go of the file."""
        self._connection.close()

    def has_submaps(self) -> bool:
        """Whether it is known what a laser saw around some place."""
        with self._named_errors():
            return bool(self._connection.execute("SELECT EXISTS (SELECT 1 FROM outlines)").fetchone()[0])

    def marks(self) -> Slices[dict[int, Mark]]:
        """Of all places of its robot, by id."""
        query = """
SELECT p.id, p.crc, ifnull(o.crc, -1), ifnull(t.crc, -1), ifnull(e.crc, -1) FROM places p
    LEFT JOIN outlines o ON o.id = p.id LEFT JOIN thumbnails t ON t.id = p.id LEFT JOIN experience e ON e.id = p.id
    WHERE p.id > ? AND p.id < ? ORDER BY p.id LIMIT ?
"""
        found, last = dict[int, Mark](), 0
        while True:
            with self._named_errors():
                rows = self._connection.execute(query, (last, OWN, self.SLICE)).fetchall()
            found |= {i: Mark(crc, (outline, picture, more)) for i, crc, outline, picture, more in rows}
            if len(rows) < self.SLICE:
                return found
            last = rows[-1][0]
            yield

    def places(self, ids: Iterable[int]) -> list[PlaceRow]:
        """Those that are sound, without pictures and experience."""
        query = f"SELECT {database.TABLES['places']}, crc FROM places WHERE id IN (SELECT value FROM json_each(?))"
        with self._named_errors():
            rows = self._connection.execute(query, (json.dumps([*ids]),)).fetchall()
        found = []
        for *values, crc in rows:
            if not fits(crc, place_crc, self._seed, *values) or len(values[1]) != 4 * self.latent_dim:
                continue
            place_id, latent, x, y, yaw, *rest = values
            numbers = np.frombuffer(latent, "<f4").astype(np.float32)
            row = PlaceRow(place_id, numbers, np.array([x, y, yaw]), *rest)
            with suppress(AmiError):
                places_to_write([row], self.latent_dim)
                found.append(row)
        return found

    def whole(self, row: PlaceRow) -> PlaceRow:
        """A place with its picture and experience; without what of that is damaged."""
        with self._named_errors(), self._damage_left_out():
            row = replace(row, thumbnail=read_picture(self._connection, self._seed, row.id))
        return replace(row, experience=self.experience([row.id]).get(row.id))

    def experience(self, ids: Iterable[int]) -> dict[int, Experience]:
        """What is known of places besides how they look; nothing where some of that is damaged."""
        with self._named_errors(), self._damage_left_out():
            return read_experience(self._connection, self._seed, [*ids])
        return {}

    def ways(self) -> Slices[dict[tuple[int, int], Edge]]:
        """All that make sense, by their ends, which may be places of other robots, too."""
        query = f"""
SELECT {", ".join(f"e.{name}" for name in EDGES.names or ())}, e.crc, m.content, m.crc FROM edges e
    LEFT JOIN measured m ON m.start = e.start AND m.stop = e.stop
    WHERE (e.start, e.stop) > (?, ?) ORDER BY e.start, e.stop LIMIT ?
"""
        found: dict[tuple[int, int], Edge] = {}
        last = (-1, -1)
        while True:
            with self._named_errors():
                rows = self._connection.execute(query, (*last, self.SLICE)).fetchall()
            for *values, crc, content, content_crc in rows:
                sound = fits(crc, edge_crc, self._seed, *values)
                if content is not None:
                    sound = sound and measured_fits(self._seed, values[0], values[1], content, content_crc)
                if not sound:
                    continue
                measured = (0.0,) * 6 + (0,) if content is None else MEASURED.unpack(content)[2:]
                edge = edge_of((*values, *measured))
                if makes_sense(edge):
                    found[edge.start, edge.stop] = edge
            if len(rows) < self.SLICE:
                return found
            last = rows[-1][0], rows[-1][1]
            yield

    @contextmanager
    def _damage_left_out(self) -> Iterator[None]:
        try:
            yield
        except database.DAMAGE as error:
            if database.is_passing(error):
                raise

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
    """Whether somebody may have driven such a way, up to 10 km long, and its covariance is one [m^2, rad^2]."""
    numbers = [*edge.relative, edge.duration, edge.last_used]
    if not np.isfinite(numbers).all() or np.abs(edge.relative[:2]).max() > 1e4:
        return False
    if edge.covariance is None:
        return True
    least, *_, most = np.linalg.eigvalsh(edge.covariance)
    return bool(1e-10 < least <= most < 1e4)
