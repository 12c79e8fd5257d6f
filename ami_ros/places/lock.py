"""One writer for each memory: an advisory lock on the file itself, which ends with the process and stays with the file
when that is renamed."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ami_ros.errors import AmiError

PATIENCE = 5.0  # [s] that another process may take to end, or to change the names in a folder
POLL = 0.02  # [s] between tries


@dataclass
class _Held:
    """What this process has of one file."""

    users: int = 0
    descriptors: list[int] = field(default_factory=list)
    locked: bool = False


# Closing any descriptor of a file drops the locks that SQLite has on it in this process (fcntl(2)): ours are closed
# with the last user.
_files: dict[tuple[int, int], _Held] = {}
_guard = threading.Lock()


class FileUse:
    """A memory that this process has open.

    Args:
        path: of a file that is there, or is made now where it is to be written.
        writes: takes the lock.

    Raises:
        AmiError: another has the lock.
        OSError: the file cannot be opened.
    """

    def __init__(self, path: Path, writes: bool) -> None:
        self._writes = writes
        with _guard:
            self._key, self._descriptor = _lock(path) if writes else (_key_of(os.stat(path)), -1)
            _files.setdefault(self._key, _Held()).users += 1

    def is_gone(self) -> bool:
        """Whether the file was erased, or another put in its place; a renamed one is still there."""
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        """Gives the lock back."""
        with _guard:
            held = _files[self._key]
            held.users -= 1
            if self._writes:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)
                held.locked = False
            _close_unused(self._key)


def _lock(path: Path) -> tuple[tuple[int, int], int]:
    """The key of a file in `_files`, and its locked descriptor."""
    try:
        held = _files.get(_key_of(os.stat(path)))
    except FileNotFoundError:
        held = None
    if held is None or not held.descriptors:
        descriptor = os.open(path, os.O_CREAT | os.O_RDONLY | os.O_NONBLOCK, 0o600)  # SQLite's logs take over its mode
        key = _key_of(os.fstat(descriptor))
        held = _files.setdefault(key, _Held())
        held.descriptors.append(descriptor)
    else:
        descriptor = held.descriptors[0]
        key = _key_of(os.fstat(descriptor))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(22, "it is no file", str(path))
        if held.locked:
            raise BlockingIOError
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        _close_unused(key)
        raise AmiError(
            f"the memory {path} is in use by {_holder(key)}: end that, or name another file; it can be read meanwhile"
        ) from None
    except OSError:
        _close_unused(key)
        raise
    held.locked = True
    return key, descriptor


def _close_unused(key: tuple[int, int]) -> None:
    if not _files[key].users:
        for descriptor in _files.pop(key).descriptors:
            os.close(descriptor)


def _key_of(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _holder(key: tuple[int, int]) -> str:
    """The process that has the lock, as far as Linux tells (proc(5), /proc/locks)."""
    number = f"{os.major(key[0]):02x}:{os.minor(key[0]):02x}:{key[1]}"
    try:
        for line in Path("/proc/locks").read_text().splitlines():
            fields = line.split()
            if fields[1] == "FLOCK" and fields[5] == number:
                name = Path(f"/proc/{fields[4]}/comm").read_text().strip()
                return f"process {fields[4]} ({name})"
    except (OSError, IndexError):
        pass
    return "another process"


@contextmanager
def folder_lock(folder: Path) -> Iterator[int]:
    """Nobody else who asks changes the names of memories in a folder meanwhile; gives its descriptor.

    Raises:
        AmiError: another has the lock for too long.
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    held = f"the folder {folder} is locked by {_holder(_key_of(os.fstat(descriptor)))}"
                    raise AmiError(f"{held}, which may hang: end that process") from None
                time.sleep(POLL)
        yield descriptor
    finally:
        os.close(descriptor)
