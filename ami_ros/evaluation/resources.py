"""What the processes cost: CPU and memory."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ami_ros.extras import importing

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
