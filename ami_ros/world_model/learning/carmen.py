"""Reads logs of the CARMEN navigation toolkit, in which most public recordings of real lasers are kept.

A line is a message. FLASER and ROBOTLASER1 are scans, with where the robot was; the rest is passed over. The format:
http://carmen.sourceforge.net/doc (logger), and `carmen_laser` for what FLASER leaves unsaid.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan

SUFFIXES = (".log", ".log.gz", ".clf", ".clf.gz", ".carmen", ".carmen.gz")
MAX_RANGE = 40.0  # [m]; SICK scanners say 8.1, 51.2 or 81.9 m where nothing returned


@dataclass(frozen=True)
class LaserRow:
    """One scan, with the scanner taken for the robot: logs are not at one about where it sat."""

    stamp: float  # [s]
    pose: Array  # (3,) of the scanner; in a corrected log the corrected one, whatever the odometry beside it says
    scan: Scan


@dataclass(frozen=True)
class CarmenLog:
    """What is in a log, in the order of its lines."""

    path: Path
    scans: list[LaserRow]
    skipped: int  # lines of these kinds that are damaged

    @property
    def poses(self) -> Array:
        """(n, 3) of the scanner at each scan."""
        return np.array([row.pose for row in self.scans]).reshape(-1, 3)


def is_carmen(path: Path) -> bool:
    """Whether a file is called as such logs are."""
    return path.is_file() and path.name.endswith(SUFFIXES)


def find_logs(folder: Path) -> list[Path]:
    """The log at `folder`, or all logs right in it, by name.

    Raises:
        AmiError: there is none.
    """
    found = [folder] if is_carmen(folder) else sorted(file for file in folder.glob("*") if is_carmen(file))
    if not found:
        raise AmiError(f"there is no CARMEN log in {folder}: it should hold files named *.log or *.log.gz")
    return found


def read_carmen(path: Path) -> CarmenLog:
    """Reads a log, packed or not; a file that breaks off is read as far as it goes.

    Raises:
        AmiError: it cannot be read, or there is no scan in it.
    """
    scans: list[LaserRow] = []
    skipped = 0
    try:
        for words in _lines(path):
            try:
                if words[0] == "FLASER":
                    scans.append(_front_laser(words))
                elif words[0] == "ROBOTLASER1":
                    scans.append(_robot_laser(words))
            except (ValueError, IndexError):
                skipped += 1
    except (OSError, EOFError, zlib.error) as error:
        if not scans:
            raise AmiError(f"the log {path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
        skipped += 1
    if not scans:
        raise AmiError(f"there is no scan in {path}: it has neither FLASER nor ROBOTLASER1 lines that can be read")
    return CarmenLog(path, scans, skipped)


def _lines(path: Path) -> Iterator[list[str]]:
    """The words of each line that has some and is no comment; a scan of 10,000 beams has 70,000 characters."""
    with gzip.open(path, "rt", errors="replace") if path.suffix == ".gz" else path.open(errors="replace") as file:
        while line := file.readline(200_000):
            words = line.split()
            if words and not words[0].startswith("#"):
                yield words


def _numbers(words: list[str]) -> list[float]:
    """Raises ValueError unless all are finite numbers."""
    values = [float(word) for word in words]
    if not all(map(math.isfinite, values)):
        raise ValueError("not finite")
    return values


def _front_laser(words: list[str]) -> LaserRow:
    """FLASER count ranges... x y yaw odom_x odom_y odom_yaw stamp host logger_stamp."""
    count = int(words[1])
    ranges, rest = _ranges(words[2 : 2 + count], count), words[2 + count :]
    pose, stamp = np.array(_numbers(rest[:3])), _stamp(rest)
    # 180 and 360 beams are 1 and 0.5 degrees apart, as 181 and 361 are, without the last one; 401 see 100 degrees.
    view = math.radians(100.0) if count == 401 else math.pi
    step = view / (count if count in (180, 360) else max(1, count - 1))
    return LaserRow(stamp, pose, Scan(_returned(ranges, MAX_RANGE), -view / 2, step, max_range=MAX_RANGE))


def _robot_laser(words: list[str]) -> LaserRow:
    """ROBOTLASER1 type start view step max_range accuracy remission_mode count ranges... count remissions...
    laser_x laser_y laser_yaw x y yaw tv rv forward side turn_axis stamp host logger_stamp."""
    start, _, step, longest = _numbers(words[2:6])
    count = int(words[8])
    ranges, rest = _ranges(words[9 : 9 + count], count), words[9 + count :]
    rest = rest[1 + int(rest[0]) :]
    pose, stamp = np.array(_numbers(rest[:3])), _stamp(rest[5:])  # five words more between pose and stamp
    if not step > 0.0:
        raise ValueError("beams that lie on one another")
    longest = min(longest, MAX_RANGE) if longest > 0.0 else MAX_RANGE
    return LaserRow(stamp, pose, Scan(_returned(ranges, longest), start, step, max_range=longest))


def _ranges(words: list[str], count: int) -> Array:
    values = np.array(words, dtype=np.float64)
    if not 0 < count <= 10_000 or len(values) != count:
        raise ValueError("beams are missing")
    return values


def _returned(ranges: Array, longest: float) -> np.ndarray:
    """As a scan has them: inf where nothing returned, NaN where there is no reading."""
    ranges = np.where(np.isfinite(ranges) & (ranges > 0.0), ranges, np.nan)
    return np.where(ranges >= longest, np.inf, ranges).astype(np.float32)


def _stamp(rest: list[str]) -> float:
    """The logger's time, which is the last word of a line; of the message itself where that one is missing."""
    (stamp,) = _numbers([rest[8] if len(rest) > 8 else rest[6]])
    return stamp
