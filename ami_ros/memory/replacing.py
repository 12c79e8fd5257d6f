"""How one memory takes the place of another, so that a kill or a power cut leaves the old one or the new one, whole.

SQLite replays the log that lies beside a file onto it, whosever log it is. So a new file is first complete under a name
of its own, which decides; then the log of the old file is erased; then the new file gets its name. Whoever opens the
memory after a kill in between finishes that.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from ami_ros.core.errors import AmiError
from ami_ros.memory.types import Code

LOGS = "-wal", "-shm", "-journal"  # what SQLite writes beside a file (https://sqlite.org/tempfiles.html)


def open_to_write(path: Path) -> tuple[FileUse, str]:
    """The lock of a memory, which is made if it is not there; and what was found beside it, one line or empty.

    Raises:
        AmiError: another writes to it, and goes on doing so.
        OSError: it cannot be opened.
    """
    make_folder(path.parent)
    deadline = time.monotonic() + PATIENCE
    while True:
        with folder_lock(path.parent) as folder:
            if successor_of(path).exists():
                _finish(path, folder)
            notice = _set_strange_logs_aside(path, folder)
            try:
                return FileUse(path, writes=True), notice
            except AmiError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(POLL)


def settled(path: Path) -> Path:
    """Where to read a memory: a replacement that a kill has cut short is finished, if that may be written."""
    if not successor_of(path).exists():
        return path
    if not os.access(path.parent, os.W_OK):
        return successor_of(path)
    with folder_lock(path.parent) as folder:
        if successor_of(path).exists():
            _finish(path, folder)
    return path


def put_in_place(new: Path, path: Path, overwrite: bool, owned: bool = False) -> None:
    """Puts `new`, a complete and closed file of the same folder or one below it, in the place of `path`.

    Processes that read the old file go on reading it.

    Args:
        new: is gone afterwards.
        path: may be there.
        overwrite: where it is there.
        owned: this process has the lock of `path`.

    Raises:
        AmiError: another process writes to `path`; or it exists, and is not to be overwritten (`Code.FILE_EXISTS`).
        OSError: it cannot be done.
    """
    with folder_lock(path.parent) as folder, nullcontext() if owned else _ours(path, overwrite):
        sync(new)
        os.rename(new, successor_of(path))
        os.fsync(folder)
        _finish(path, folder)


@contextmanager
def written_beside(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Gives the name of a new file to write and close. It takes the place of `path` if all goes well, and else is gone:
    a kill leaves no half of a memory under a name that somebody may open.

    Raises:
        AmiError, OSError: see `put_in_place`.
    """
    path = Path(os.path.realpath(path))
    with _ours(settled(path), overwrite):  # what `put_in_place` would raise comes before the work is done
        pass
    make_folder(path.parent)
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=path.parent) as scratch:
        yield Path(scratch) / path.name
        put_in_place(Path(scratch) / path.name, path, overwrite)


@contextmanager
def _ours(path: Path, overwrite: bool) -> Iterator[None]:
    """Nobody else writes to `path` meanwhile, if it is there."""
    if not path.exists():
        yield
        return
    if not overwrite:
        raise AmiError(f"memory: {path.name} exists already; set overwrite, or take another name", Code.FILE_EXISTS)
    use = FileUse(path, writes=True)
    try:
        yield
    finally:
        use.close()


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, which then outlive a power cut."""
    missing = [f for f in (folder, *folder.parents) if not f.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for made in missing:
        sync(made.parent)


def sync(path: Path) -> None:
    """A file's content, or the names in a folder, outlive a power cut from now on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def log_of(path: Path, suffix: str) -> Path:
    """One of the `LOGS` of a memory."""
    return path.with_name(path.name + suffix)


def successor_of(path: Path) -> Path:
    """The name of a new file that is complete: from when it is there it is the memory, and nothing else is."""
    return path.with_name(f".{path.name}.new")


def _finish(path: Path, folder: int) -> None:
    for suffix in LOGS:
        log_of(path, suffix).unlink(missing_ok=True)
    os.fsync(folder)  # the log is gone for good before the new file has its name
    os.replace(successor_of(path), path)
    os.fsync(folder)


def _set_strange_logs_aside(path: Path, folder: int) -> str:
    """Logs beside a file that is not there, or empty, are those of another; SQLite would erase or replay them."""
    if path.exists() and path.stat().st_size:
        return ""
    kept = ""
    for suffix in LOGS:
        log = log_of(path, suffix)
        if not log.exists():
            continue
        # bytes of a journal without a page: its header, padded to a sector
        if suffix == "-shm" or log.stat().st_size <= 512:
            log.unlink()
            continue
        aside = free_name(path)
        log.rename(log_of(aside, suffix))
        kept = f"beside {path} lay the log of another memory: it is kept as {log_of(aside, suffix)}"
    os.fsync(folder)
    return kept


def free_name(path: Path) -> Path:
    """A name for what was damaged, under which there is neither a file nor a log."""
    number = 1
    while any(
        log_of(name := path.with_name(f"{path.name}.damaged{number}"), suffix).exists() for suffix in ("", *LOGS)
    ):
        number += 1
    return name


# One writer for each memory: an advisory lock on the file itself, which ends with the process and stays with the file
# when that is renamed.

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
