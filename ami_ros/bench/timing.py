"""How regularly commands came, how old the images were that they were made from, and what the processes cost."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ami_ros.core.installation import importing

LATE = 0.2  # a gap between commands that is longer has missed a period [s]
SAME_IMAGE = 0.005  # stamps that differ by less are of one image [s]


@dataclass
class ControlRecord:
    """Gathers the planner's commands of every drive, a drive being the time from an accepted goal to its result.

    Rate and largest gap are given on the steady clock, which tells what this machine achieved, and on the robot's
    (simulated in a simulation), which tells what the robot experienced; `real_time_factor` is the ratio of the two.

    Image to command is the time on the robot's clock from the stamp of an image to the publication of the first
    command that was decided on it: sensing, transport, encoding, planning and the wait for the control timer. The age
    of the image behind every command, later ones of the same decision too, is given beside it.
    """

    _stamps: list[float] = field(default_factory=list)
    _steady: list[float] = field(default_factory=list)
    _gaps: list[float] = field(default_factory=list)
    _steady_gaps: list[float] = field(default_factory=list)
    _ages: list[float] = field(default_factory=list)
    _first_ages: list[float] = field(default_factory=list)
    _newest_image: float = -math.inf

    def command(self, stamp: float, steady: float) -> None:
        """A command stamped `stamp` [s] on the robot's clock arrived at `steady` [s]."""
        self._stamps.append(stamp)
        self._steady.append(steady)

    def observation(self, stamp: float, age: float) -> None:
        """A command published at `stamp` [s] was decided on an image that was `age` [s] old then."""
        self._ages.append(age)
        if stamp - age > self._newest_image + SAME_IMAGE:
            self._newest_image = stamp - age
            self._first_ages.append(age)

    def end(self) -> None:
        """The drive ended: the gap before the next one's first command does not count."""
        self._gaps.extend(np.diff(self._stamps))
        self._steady_gaps.extend(np.diff(self._steady))
        self._stamps.clear()
        self._steady.clear()
        self._newest_image = -math.inf

    def to_json(self) -> dict[str, Any]:
        """Figures over all ended drives; None where nothing was measured."""
        gaps, steady = np.asarray(self._gaps), np.asarray(self._steady_gaps)
        first, ages = 1000 * np.asarray(self._first_ages), 1000 * np.asarray(self._ages)
        return {
            "rate_hz": _rate(steady),
            "max_gap_s": _largest(steady),
            "gaps_over_200_ms": int((steady > LATE).sum()) if len(steady) else None,
            "image_to_command_p50_ms": _percentile(first, 50),
            "image_to_command_p95_ms": _percentile(first, 95),
            "image_age_p95_ms": _percentile(ages, 95),
            "rate_robot_hz": _rate(gaps),
            "max_gap_robot_s": _largest(gaps),
            "gaps_robot_over_200_ms": int((gaps > LATE + 1e-9).sum()) if len(gaps) else None,
            "real_time_factor": round(float(gaps.sum() / steady.sum()), 3) if steady.sum() > 0 else None,
            "commands": len(gaps),
        }


def _rate(gaps: np.ndarray) -> float | None:
    return round(len(gaps) / float(gaps.sum()), 3) if len(gaps) and gaps.sum() > 0 else None


def _largest(gaps: np.ndarray) -> float | None:
    return round(float(gaps.max()), 4) if len(gaps) else None


def _percentile(values: np.ndarray, q: float) -> float | None:
    return round(float(np.percentile(values, q)), 2) if len(values) else None


# What the processes cost: CPU and memory.

with importing("report"):
    import psutil


@dataclass(frozen=True)
class ProcessCost:
    """`cpu_percent` of one core, mean since the meter started; `rss_mb` the most resident memory that was seen.

    `pss_mb` is what the process had at the end, of pages that several processes share only its part; None where it had
    ended by then.
    """

    name: str
    pid: int
    cpu_percent: float
    rss_mb: float
    pss_mb: float | None = None


class ProcessMeter:
    """Meters processes by name, children included in none of them.

    Args:
        pids: name -> process id. A process that ends keeps the figures it had.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes: dict[str, psutil.Process] = {}
        self._first: dict[str, tuple[float, float]] = {}
        self._costs: dict[str, ProcessCost] = {}
        for name, pid in pids.items():
            self.watch(name, pid)

    def watch(self, name: str, pid: int) -> None:
        """Adds a process, or replaces one that was started again under another `pid`."""
        if name in self._processes and self._processes[name].pid == pid:
            return
        try:
            process = psutil.Process(pid)
            self._first[name] = (time.monotonic(), _cpu_seconds(process))
        except psutil.Error:
            return
        self._processes[name] = process

    def sample(self) -> None:
        """Reads all processes; cheap enough for once a second."""
        for name, process in self._processes.items():
            try:
                with process.oneshot():
                    seconds, rss = _cpu_seconds(process), process.memory_info().rss / 1e6
            except psutil.Error:
                continue
            since, before = self._first[name]
            cpu = 100 * (seconds - before) / max(time.monotonic() - since, 1e-3)
            largest = max(rss, self._costs[name].rss_mb if name in self._costs else 0.0)
            self._costs[name] = ProcessCost(name, process.pid, round(cpu, 1), round(largest, 1))

    def costs(self) -> list[ProcessCost]:
        """What the last `sample` found, in the order of `pids`. Reading the shares takes some 10 ms of each process."""
        found = (self._costs[name] for name in self._processes if name in self._costs)
        return [replace(cost, pss_mb=_proportional_mb(cost.pid)) for cost in found]


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _proportional_mb(pid: int) -> float | None:
    try:
        return round(psutil.Process(pid).memory_full_info().pss / 1e6, 1)
    except psutil.Error:
        return None
