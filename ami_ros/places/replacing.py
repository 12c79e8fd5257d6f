"""How one memory takes the place of another, so that a kill or a power cut leaves the old one or the new one, whole.

SQLite replays the log that lies beside a file onto it, whosever log it is. So a new file is first complete under a name
of its own, which decides; then the log of the old file is erased; then the new file gets its name. Whoever opens the
memory after a kill in between finishes that.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from ami_ros.errors import AmiError
from ami_ros.places import lock
from ami_ros.places.codes import Code
from ami_ros.places.lock import FileUse, folder_lock

LOGS = "-wal", "-shm", "-journal"  # what SQLite writes beside a file (https://sqlite.org/tempfiles.html)
_EMPTY_JOURNAL = 512  # bytes of one that holds no page: its header, padded to a sector


def open_to_write(path: Path) -> tuple[FileUse, str]:
    """The lock of a memory, which is made if it is not there; and what was found beside it, one line or empty.

    Raises:
        AmiError: another writes to it, and goes on doing so.
        OSError: it cannot be opened.
    """
    make_folder(path.parent)
    deadline = time.monotonic() + lock.PATIENCE
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
        time.sleep(lock.POLL)


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


def check_free(path: Path, overwrite: bool) -> None:
    """Raises what `put_in_place` would, before the work is done."""
    with _ours(settled(path), overwrite):
        pass


@contextmanager
def written_beside(path: Path, overwrite: bool = False) -> Iterator[Path]:
    """Gives the name of a new file to write and close. It takes the place of `path` if all goes well, and else is gone:
    a kill leaves no half of a memory under a name that somebody may open.

    Raises:
        AmiError, OSError: see `put_in_place`.
    """
    path = Path(os.path.realpath(path))
    check_free(path, overwrite)
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
        if suffix == "-shm" or log.stat().st_size <= _EMPTY_JOURNAL:
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
