"""Segments in /dev/shm that a killed ROS process left behind."""

from __future__ import annotations

import os
from pathlib import Path

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
