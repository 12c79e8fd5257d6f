"""The copies of other robots' memories that a robot has: a memory file for each, in one folder."""

from __future__ import annotations

import os
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from ami_ros.places import database
from ami_ros.places.files import SUFFIX
from ami_ros.places.letters import ROBOT

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
