"""A long demo whose subject is time: how late commands are, with or without other programs on the processors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console

from ami_ros.bench.demo.course import Course
from ami_ros.bench.demo.run import DemoRun
from ami_ros.bench.demo.stack import DemoSettings
from ami_ros.bench.timing import ProcessCost
from ami_ros.simulation.free_space import FreeSpace

BUSY = "while True: pass"


class LatencyRun(DemoRun):
    """Drives from goal to goal for a while, and keeps what the commands' times were.

    Args:
        settings: of the demo; how many goals it asks for does not matter.
        console: where to tell about it.
        seconds: of driving, steady.
        load: other programs that compute without a pause meanwhile.
    """

    def __init__(self, settings: DemoSettings, console: Console, seconds: float, load: int) -> None:
        super().__init__(settings, console)
        self.seconds, self.load = seconds, load

    def figures(self) -> dict[str, Any]:
        """Flat, with units in the names."""
        trials = self.result.trials
        return self.result.control.to_json() | {
            "goals": len(trials),
            "goals_reached": sum(trial.success for trial in trials),
            "collisions": sum(trial.collisions for trial in trials),
            "restarts": sum(self.result.restarts.values()),
            "minutes_asked": round(self.seconds / 60, 2),
            "load_programs": self.load,
            "composed": self.settings.composed,
            **memory_figures(self.result.costs),
        }

    def _drive(self) -> None:
        self._course = Course(self._client, FreeSpace(self.settings.world), self.settings.seed, self._tick)
        self._client.control = self.result.control
        with busy(self.load):
            deadline, index = time.monotonic() + self.seconds, 0
            while time.monotonic() < deadline:
                self.result.trials.append(self._course.drive(index))
                self._table.finished(index, self.result.trials[-1])
                index += 1


def in_simulated_time(settings: DemoSettings, goals: int) -> dict[str, Any]:
    """The same course on the bus of the benches, which charges what work is said to take: figures as of real nodes."""
    from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig
    from ami_ros.bench.latency import drive_and_record  # torch is large
    from ami_ros.simulation.simulator import Simulator
    from ami_ros.world_model.torch_model import load_model

    simulator = Simulator(settings.world, settings.robot, seed=settings.seed)
    loop = ClosedLoop(load_model(settings.model), simulator, settings.memory, LoopConfig(), settings.seed)
    control, ages, trials = drive_and_record(loop, goals)
    simulator.close()
    reached = {"goals": len(trials), "goals_reached": sum(trial.success for trial in trials)}
    figures = control.to_json() | ages.figures() | reached
    return {f"simulated_{name}": value for name, value in figures.items()}


def memory_figures(costs: Sequence[ProcessCost]) -> dict[str, float]:
    """Memory (resident, and with shared pages divided: PSS) and processor time: of each process, and of all but the
    bench's own, `demo`."""
    figures: dict[str, float] = {}
    for cost in costs:
        figures[f"{cost.name}_rss_mb"] = cost.rss_mb
        if cost.pss_mb is not None:
            figures[f"{cost.name}_pss_mb"] = cost.pss_mb
        figures[f"{cost.name}_cpu_percent"] = cost.cpu_percent
    stack = {name: value for name, value in figures.items() if not name.startswith("demo_")}
    for unit in ("rss_mb", "pss_mb", "cpu_percent"):
        figures[f"all_{unit}"] = round(sum(v for name, v in stack.items() if name.endswith(unit)), 1)
    return figures | {"processes": sum(cost.name != "demo" for cost in costs)}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """That many processes compute meanwhile, each in a session of its own, as programs do that others have started."""
    environment = {"PATH": os.environ.get("PATH", "")}
    programs = [
        subprocess.Popen([sys.executable, "-c", BUSY], env=environment, start_new_session=True) for _ in range(count)
    ]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
        for program in programs:
            program.wait()
