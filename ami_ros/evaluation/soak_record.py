"""What a stack did in a long time, and what its processes held: flat figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.extras import importing

with importing("report"):
    import psutil

WARM_UP = 0.25  # of the samples of a process, in which memory may still grow
LONG_ENOUGH = 20.0  # [min] without kills, from which a slope of memory means something
# End of a figure's name -> the most that it may be, and whether that depends on how busy the machine is.
FLOORS: dict[str, tuple[float, bool]] = {
    "soak_commands_unsafe": (0.0, False),
    "soak_kill_to_zero_max_s": (0.5, True),
    "soak_kill_to_active_max_s": (10.0, True),
    "soak_processes_left": (0.0, False),
    "soak_shared_memory_left": (0.0, False),
    "_rss_slope_mb_h": (1.0, False),
    "_private_slope_mb_h": (1.0, False),
    "_threads_grown": (0.0, False),
    "_descriptors_grown": (0.0, False),
}


@dataclass(frozen=True)
class Floor:
    """What a soak has to keep to, and whether it did."""

    name: str  # of the figure
    value: float
    most: float
    by_machine: bool  # a busy machine may break it

    @property
    def kept(self) -> bool:
        """The figure is not more than it may be."""
        return self.value <= self.most


class ProcessLog:
    """Memory, threads and descriptors of one process over time."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        # Time [s], resident [MB], of it private to the process [MB], threads, descriptors.
        self.samples: list[tuple[float, float, float, int, int]] = []

    def sample(self, now: float) -> None:
        """Reads it; a process that has ended stays as it was."""
        try:
            with self._process.oneshot():
                memory, threads = self._process.memory_info(), self._process.num_threads()
                # What is not in files is what a leak would fill; the kernel takes pages of files away and brings
                # them back as it sees fit, which moves the resident size by itself.
                private = memory.rss - getattr(memory, "shared", 0)
                self.samples.append((now, memory.rss / 1e6, private / 1e6, threads, self._process.num_fds()))
        except psutil.Error:
            pass

    @property
    def seconds(self) -> float:
        """From the first sample to the last."""
        return self.samples[-1][0] - self.samples[0][0] if self.samples else 0.0

    def figures(self, name: str) -> dict[str, float]:
        """Slopes of memory [MB/h] after the warm-up, and by how much that, threads and descriptors have grown since.

        Slopes are those of a line with one step, wherever that fits best: what is taken once is no leak, as half a
        megabyte that safety and supervisor take, each at a moment of its own, and never again.
        """
        kept = np.array(self.samples[int(WARM_UP * len(self.samples)) :]).reshape(-1, 5)
        if len(kept) < 3:
            return {}
        resident, private = (3600 * slope_but_for_a_step(kept[:, 0], kept[:, k]) for k in (1, 2))
        return {
            f"{name}_rss_mb": round(float(kept[-1, 1]), 1),
            f"{name}_rss_slope_mb_h": round(float(resident), 2),
            f"{name}_private_slope_mb_h": round(float(private), 2),
            f"{name}_rss_grown_mb": round(float(kept[-1, 1] - kept[0, 1]), 2),
            f"{name}_threads_grown": int(kept[-1, 3] - kept[0, 3]),
            f"{name}_descriptors_grown": int(kept[-1, 4] - kept[0, 4]),
        }


def slope_but_for_a_step(times: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Slope of the line with one step in it that fits values (n,) best, by least squares.

    Args:
        times: (n,) in order.
        values: (n,).
    """
    since, best = times - times[0], (np.inf, 0.0)
    for step in range(1, len(times)):
        parts = np.column_stack([since, np.ones_like(since), np.arange(len(times)) >= step])
        found = np.linalg.lstsq(parts, values, rcond=None)[0]
        best = min(best, (float(np.square(values - parts @ found).sum()), float(found[0])))
    return best[1]


@dataclass
class SoakRecord:
    """What happened, and what came of it."""

    events: Counter[str] = field(default_factory=Counter)
    goals: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    unsafe: Counter[str] = field(default_factory=Counter)  # commands
    contacts: int = 0
    stops: list[float] = field(default_factory=list)  # [s] from a kill to the first zero
    returns: list[float] = field(default_factory=list)  # [s] from a kill until every node was active
    logs: dict[str, ProcessLog] = field(default_factory=dict)
    left: list[int] = field(default_factory=list)  # processes

    def figures(self, segments: int) -> dict[str, Any]:
        """Flat, with units in the names.

        Args:
            segments: of shared memory that were left.
        """
        found: dict[str, Any] = {f"soak_{kind.replace(' ', '_')}s": n for kind, n in sorted(self.events.items())}
        found |= {f"soak_goals_{kind}": n for kind, n in sorted(self.goals.items())}
        found |= {f"soak_commands_{kind.replace(' ', '_')}": n for kind, n in sorted(self.unsafe.items())}
        found |= {
            "soak_commands": self.commands,
            "soak_commands_unsafe": sum(self.unsafe.values()),
            "soak_contacts": self.contacts,
            "soak_kill_to_zero_max_s": round(max(self.stops, default=0.0), 2),
            "soak_kill_to_active_max_s": round(max(self.returns, default=0.0), 1),
            "soak_processes_left": len(self.left),
            "soak_shared_memory_left": segments,
            "soak_quiet_min": round(max((log.seconds for log in self.logs.values()), default=0.0) / 60, 1),
        }
        for name, log in self.logs.items():
            found |= log.figures(name)
        return found


def floors(figures: dict[str, Any]) -> list[Floor]:
    """All floors of which there is a figure; slopes of memory only where the run was long enough."""
    long_enough = figures["soak_quiet_min"] >= LONG_ENOUGH
    return [
        Floor(name, float(value), most, by_machine)
        for name, value in figures.items()
        for ending, (most, by_machine) in FLOORS.items()
        if name.endswith(ending) and (long_enough or not ending.endswith("_slope_mb_h"))
    ]
