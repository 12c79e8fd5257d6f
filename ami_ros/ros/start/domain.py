"""ROS domains that no other ami process here uses, and shared memory that killed processes left behind."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from ami_ros.core.errors import AmiError

# ROS domains: claim one that no other ami process of this machine uses.

# Above 101 the ports of a domain fall into the range that Linux hands out to outgoing connections.
HIGHEST = 101

_claims: dict[int, IO[str]] = {}


def claim_domain(wanted: int | None = None, candidates: Iterable[int] = range(HIGHEST + 1)) -> int:
    """Claims a ROS domain for this process until it ends, and returns it.

    The claim is a file lock, so a killed process leaves none behind. It is seen by other ami processes of
    this user only: it keeps two demos or two test workers apart, not other people's robots.

    Args:
        wanted: the domain to claim; None takes the first free one of `candidates`.
        candidates: domains to try, in this order.

    Raises:
        AmiError: `wanted` is out of range or in use, or no candidate is free.
    """
    if wanted is None:
        for domain in candidates:
            if _lock(domain):
                return domain
        raise AmiError("every ROS domain is in use by another ami process; stop one of them")
    if not 0 <= wanted <= HIGHEST:
        raise AmiError(f"ROS_DOMAIN_ID={wanted}: out of range; use 0 to {HIGHEST}")
    if not _lock(wanted):
        raise AmiError(f"ROS_DOMAIN_ID={wanted} is in use by another ami process; stop it or choose another domain")
    return wanted


def domain_in_environment() -> int | None:
    """The domain that the user chose with ROS_DOMAIN_ID, or None.

    Raises:
        AmiError: the variable is not a number.
    """
    text = os.environ.get("ROS_DOMAIN_ID", "").strip()
    if not text:
        return None
    if not text.isdecimal():
        raise AmiError(f"ROS_DOMAIN_ID='{text}': not a number; use 0 to {HIGHEST}")
    return int(text)


def _lock(domain: int) -> bool:
    if domain in _claims:
        return False
    folder = Path(tempfile.gettempdir()) / f"ami_ros_domains_{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = (folder / str(domain)).open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return False
    _claims[domain] = handle
    return True


# Segments in /dev/shm that a killed ROS process left behind.

FOLDER = Path("/dev/shm")
# Fast DDS, and the semaphores that go with its segments.
PREFIXES = ("fastrtps_", "fastdds_", "sem.fastrtps_", "sem.fastdds_")


def orphaned_segments() -> set[Path]:
    """Fast DDS segments of this user that no running process has mapped or opened."""
    segments = {path for path in _listed() if path.stat().st_uid == os.getuid()}
    return segments - _in_use() if segments else set()


def remove_orphaned_segments() -> int:
    """Removes them, as `fastdds shm clean` does, and returns how many there were."""
    orphans = orphaned_segments()
    for path in orphans:
        path.unlink(missing_ok=True)
    return len(orphans)


def _listed() -> list[Path]:
    if not FOLDER.is_dir():
        return []
    return [path for path in FOLDER.iterdir() if path.name.startswith(PREFIXES) and path.exists()]


def _in_use() -> set[Path]:
    used: set[Path] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            maps = (process / "maps").read_text()
            opened = [os.readlink(entry) for entry in (process / "fd").iterdir()]
        except OSError:  # ended meanwhile, or another user's
            continue
        used.update(Path(line[line.index("/") :]) for line in maps.splitlines() if f"{FOLDER}/" in line)
        used.update(Path(name) for name in opened if name.startswith(f"{FOLDER}/"))
    return used
