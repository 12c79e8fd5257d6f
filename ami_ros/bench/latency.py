"""How late the real nodes' commands are, beside the real simulator, with or without other programs on the processors;
and on the same course in simulated time, as benches drive."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from rich.console import Console

from ami_ros.bench.demo.course import Course
from ami_ros.bench.demo.run import DemoRun
from ami_ros.bench.demo.stack import DemoSettings
from ami_ros.bench.report import hardware, write_json
from ami_ros.bench.timing import ControlRecord, ProcessCost
from ami_ros.bench.trials import Trial
from ami_ros.planning.types import State
from ami_ros.runtime.part import CMD_VEL_RAW, STATE, THOUGHT, Port
from ami_ros.runtime.planner import PlannerPart, PlannerStatus, Thought
from ami_ros.simulation.free_space import FreeSpace

if TYPE_CHECKING:
    from ami_ros.bench.closed_loop import ClosedLoop


class Watched(Protocol):
    """A bus on which one can look on."""

    def now(self) -> float: ...
    def watch(self, port: Port, take: Callable[[float, Any], None]) -> None: ...


@dataclass
class Ages:
    """Ages at each decision of one planner [s]; all on the robot's clock but those of routes, which are steady.

    Attributes:
        command: from the stamp of an image to the first command that was decided on it.
        location: of memory's belief, when the decision was made.
        routes: from a question to its answer's use.
    """

    command: list[float] = field(default_factory=list)
    location: list[float] = field(default_factory=list)
    routes: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, planner: PlannerPart, bus: Watched) -> Ages:
        """Those of a planner from now on; `bus` is the one that it gives to."""
        ages, decided = cls(routes=planner.routes.took), list[float]()

        def think(stamp: float, thought: Thought) -> None:
            if thought.decision is None:
                return
            decided[:] = [stamp]
            if (location := thought.percept.location) is not None:
                ages.location.append(bus.now() - location.stamp)

        def command(stamp: float, value: Any) -> None:
            if decided:
                ages.command.append(bus.now() - decided.pop())

        bus.watch(THOUGHT, think)
        bus.watch(CMD_VEL_RAW, command)
        return ages

    def figures(self) -> dict[str, float | None]:
        """p50 and p95 of each, by names with units."""
        named = {"image_to_command": self.command, "location_age": self.location, "route_answer": self.routes}
        return {
            f"{name}_p{q}_ms": round(1000 * float(np.percentile(values, q)), 1) if values else None
            for name, values in named.items()
            for q in (50, 95)
        }


def drive_and_record(loop: ClosedLoop, goals: int) -> tuple[ControlRecord, Ages, list[Trial]]:
    """Drives to goals in simulated time; how regularly commands came is recorded as the client of real nodes does."""
    control, ages = ControlRecord(), Ages.of(loop.planner, loop.bus)

    def observe(stamp: float, status: PlannerStatus) -> None:
        if status.verdict.state is State.CONTROLLING and status.execution is not None:
            control.observation(stamp, stamp - status.execution.plan.stamp)

    loop.bus.watch(CMD_VEL_RAW, lambda stamp, command: control.command(stamp, stamp))
    loop.bus.watch(STATE, observe)
    trials = []
    for trial in loop.run(goals):
        control.end()
        trials.append(trial)
    return control, ages, trials


class LatencyRun(DemoRun):
    """A long demo whose subject is time: it drives from goal to goal for a while, and keeps when commands came.

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
    from ami_ros.bench.closed_loop import ClosedLoop, LoopConfig  # torch is large
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
    environment, endless = {"PATH": os.environ.get("PATH", "")}, "while True: pass"
    programs = [
        subprocess.Popen([sys.executable, "-c", endless], env=environment, start_new_session=True) for _ in range(count)
    ]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
        for program in programs:
            program.wait()


def measure(
    asked: dict[str, Any], seconds: float, load: bool, one_core: bool, json: Path | None, console: Console
) -> None:
    """Drives for so long, says what came of it, and writes it; `asked` of the demo, see `command.latency`."""
    measured = (
        "image to command p50 {image_to_command_p50_ms} ms, p95 {image_to_command_p95_ms} ms, longest gap between "
        "commands {max_gap_s} s, {gaps_over_200_ms} of {commands} over 0.2 s ({load_programs} other programs); "
        "{goals_reached} of {goals} goals, {collisions} contacts; {processes} processes: {all_cpu_percent:.0f} % of a "
        "core, memory {all_rss_mb:.0f} MB, {all_pss_mb:.0f} MB with shared pages counted once"
    )
    simulated = (
        "in simulated time, as benches drive: image to command p50 {simulated_image_to_command_p50_ms} ms, p95 "
        "{simulated_image_to_command_p95_ms} ms, longest gap between commands {simulated_max_gap_robot_s} s, age of "
        "the location p50 {simulated_location_age_p50_ms} ms, p95 {simulated_location_age_p95_ms} ms, answers of "
        "memory p50 {simulated_route_answer_p50_ms} ms; {simulated_goals_reached} of {simulated_goals} goals"
    )
    settings = DemoSettings.make(
        headless=True, goals=10_000, json=None, record=None, min_success=0.0, port=None, **asked
    )
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run = LatencyRun(settings, console, seconds, len(os.sched_getaffinity(0)) if load else 0)
    try:
        run.run()
    finally:
        figures = run.figures()
        if figures["commands"]:
            console.print(measured.format_map(figures), soft_wrap=True)
            figures |= in_simulated_time(settings, min(figures["goals"], 10))
            console.print(simulated.format_map(figures), soft_wrap=True)
            if json is not None:
                drive = {"seed": settings.seed, "world": asked["world"], "robot": settings.robot.name}
                write_json(json, figures | drive | hardware())
