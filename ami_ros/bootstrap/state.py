"""The state folder: everything that set-up makes lies in it, and nothing elsewhere."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ami_ros.errors import AmiError

REPOSITORY = Path(__file__).resolve().parents[2]


def open_state_folder() -> Path:
    """`$AMI_HOME`, else `.ami` in the repository; made where it is missing.

    Raises:
        AmiError: it cannot be written, or its path cannot stand in PYTHONPATH.
    """
    folder = Path(os.environ.get("AMI_HOME") or REPOSITORY / ".ami").absolute()
    for path in (folder, REPOSITORY):
        if os.pathsep in str(path):
            raise AmiError(f"the path {path} contains '{os.pathsep}'; use a folder without it")
    try:
        for name in ("log", "cache", "ros_log"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AmiError(f"cannot write {folder}: {reason}; set AMI_HOME to a folder that can be written") from error
    return folder


def digest(parts: Iterable[str | Path]) -> str:
    """12 hex digits that change when a text or the content of a file does."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(len(content).to_bytes(8, "little") + content)
    return total.hexdigest()[:12]


def read_record(path: Path) -> dict[str, Any]:
    """A JSON object; empty when there is none, or a broken one."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Writes it whole or not at all."""
    partial = path.with_name(f"{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(record, indent=1))
    partial.replace(path)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the lock of the state folder; waits, and says so, while another set-up holds it."""
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            print(f"ami: waiting for the set-up that process {lock.read().strip()} is running", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def require_space(folder: Path, needed: float) -> None:
    """Refuses to start what the disk cannot hold (`needed` in GB)."""
    free = shutil.disk_usage(folder).free / 1e9
    if free < needed:
        raise AmiError(
            f"{folder}: {free:.1f} GB free, {needed:g} GB needed; free some space or set AMI_HOME to another disk"
        )
