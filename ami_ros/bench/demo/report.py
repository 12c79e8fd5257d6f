"""What a demo says while it drives, and what it leaves: the summary, the figures as JSON, the picture."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ami_ros import __version__
from ami_ros.bench.demo.client import Leg, Telemetry
from ami_ros.bench.demo.stack import DemoSettings
from ami_ros.bench.report import hardware, success_rates, write_json
from ami_ros.bench.timing import ControlRecord, ProcessCost
from ami_ros.bench.trials import Trial
from ami_ros.core.geometry import Array

if TYPE_CHECKING:
    from ami_ros.simulation.mjcf import TopView


class DemoTable:
    """One line a goal, below them what goes on where there is a terminal, and a summary.

    Use as a context: inside of it `update` shows what goes on.

    Args:
        console: where to write.
        goals: how many there will be.
    """

    def __init__(self, console: Console, goals: int) -> None:
        self._console = console
        self._goals = goals
        self._status = console.status("") if console.is_terminal else None

    def __enter__(self) -> DemoTable:
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """A spinner where there is a terminal, one line where there is none."""
        if self._console.is_terminal:
            return self._console.status(text)
        self.say(text)
        return nullcontext()

    def finished(self, index: int, trial: Trial) -> None:
        """One line for a goal that ended."""
        mark = "[green]✓[/]" if trial.success else "[red]✗[/]"
        heading = math.degrees(trial.heading_error_rad)
        line = (
            f"{mark} goal {index + 1:>2}/{self._goals} {trial.kind:<4} {trial.time_s:5.1f} s"
            f"  {trial.final_distance_m:.2f} m {heading:4.0f}° off"
        )
        if trial.collisions:
            line += f"  {trial.collisions} contact{'s' if trial.collisions > 1 else ''}"
        if trial.status != "succeeded":
            line += f"  {escape(f'{trial.status}: {trial.error_msg or trial.error_code}')}"
        elif trial.there and not trial.success:
            line += f"  it arrived, but after the {trial.allowance_s:.0f} s allowed"
        elif not trial.success:
            line += f"  the robot says it arrived; it {'is not there' if trial.still else 'still moves'}"
        self.say(line)

    def update(self, leg: Leg | None, telemetry: Telemetry) -> None:
        """Shows what goes on; nothing where the output is no terminal."""
        if self._status is not None:
            words = telemetry.decision or telemetry.state.lower()
            if leg is not None:
                seconds = f"{telemetry.time - leg.began:.0f} of {leg.allowance:.0f} s"
                words = f"goal {leg.index + 1}/{self._goals} {leg.goal.kind}, {seconds}: {words}"
            self._status.update(Text(words, no_wrap=True, overflow="ellipsis"))

    def summary(self, trials: Sequence[Trial], control: dict[str, Any], costs: Sequence[ProcessCost]) -> None:
        """Rates with their intervals, control figures, processes."""
        table = Table("goals", "reached, 95 % interval", box=None, padding=(0, 3, 0, 0))
        for kind, rate in success_rates(trials).items():
            table.add_row(kind, str(rate))
        self._console.print()
        self._console.print(table)
        self.say(control_line(control, sum(t.collisions for t in trials)))
        if costs:
            table = Table("process", box=None, padding=(0, 3, 0, 0))
            for title in ("CPU, % of a core", "memory, MB"):
                table.add_column(title, justify="right")
            for cost in costs:
                table.add_row(cost.name, f"{cost.cpu_percent:.0f}", f"{cost.rss_mb:.0f}")
            every = sum(c.cpu_percent for c in costs), sum(c.rss_mb for c in costs)
            table.add_row("all", *(f"{value:.0f}" for value in every), style="bold")
            self._console.print(table)


def control_line(control: dict[str, Any], contacts: int) -> str:
    """The figures of control in one line."""
    if control["rate_hz"] is None:
        return f"no command was seen · {contacts} contacts"
    line = f"commands at {control['rate_hz']:.1f} Hz, longest gap {control['max_gap_s']:.2f} s"
    if control["image_to_command_p50_ms"] is not None:
        line += (
            f" · image to command p50 {control['image_to_command_p50_ms']:.0f} ms,"
            f" p95 {control['image_to_command_p95_ms']:.0f} ms"
        )
    return f"{line} · {contacts} contact{'' if contacts == 1 else 's'}"


@dataclass
class DemoResult:
    """What was measured so far."""

    settings: DemoSettings
    trials: list[Trial] = field(default_factory=list)
    control: ControlRecord = field(default_factory=ControlRecord)
    costs: list[ProcessCost] = field(default_factory=list)
    restarts: dict[str, int] = field(default_factory=dict)  # of processes that died
    foreign: list[str] = field(default_factory=list)  # how goals of another building ended
    places: tuple[Array, Array] | None = None  # remembered (n, 2), and ends of ways (m, 2, 2), in the world [m]
    floor: TopView | None = None  # the world from above, where somebody wants to see it
    explored: Array | None = None  # (n, 2) the way before the goals, in the world [m]
    began: float = field(default_factory=time.monotonic)
    end: str = ""  # finished, interrupted, or what went wrong; empty: the robot never set out
    pace: float | None = None  # simulated seconds in a second, as it was

    @property
    def success_rate(self) -> float:
        """Share of the goals that were reached."""
        return sum(trial.success for trial in self.trials) / max(len(self.trials), 1)


def write_report(result: DemoResult, table: DemoTable) -> None:
    """Writes all that was asked for, however the demo ended; nothing if the robot never set out.

    Raises:
        AmiError: a file cannot be written.
    """
    if not result.end:
        return
    control = result.control.to_json()
    table.summary(result.trials, control, result.costs)
    settings = result.settings
    refused = sum(status != "succeeded" for status in result.foreign)
    if result.foreign:
        table.say(f"{refused} of {len(result.foreign)} pictures of another building refused")
    if settings.paced and result.pace:
        table.say(f"{result.pace:.2f} simulated seconds in a second, as the nodes kept up")
    if settings.gazebo is not None:
        table.say(f"gz-sim {settings.gazebo.version}, real-time factor {result.pace or 0:.2f}")
    if settings.json is not None:
        trials, gazebo = result.trials, settings.gazebo
        report = {kind: rate.to_json() for kind, rate in success_rates(trials).items()} | {
            "control": control,
            "collisions": sum(trial.collisions for trial in trials),
            "processes": [asdict(cost) for cost in result.costs],
            "goals": [trial.to_json() for trial in trials],
            "seed": settings.seed,
            "world": settings.world.name,
            "robot": settings.robot.name,
            "real_time_factor": settings.real_time_factor,
            "real_time_factor_reached": result.pace,
            "simulator": "ours" if gazebo is None else f"gz-sim {gazebo.version}",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "restarts": result.restarts,
            "foreign": {"n": len(result.foreign), "refused": refused},
            "end": result.end,
            "wall_s": round(time.monotonic() - result.began, 1),
            "version": __version__,
            "hardware": hardware(),
        }
        write_json(settings.json, report)
        table.say(f"figures: {settings.json}")
    if settings.record is not None and result.floor is not None:
        from ami_ros.bench.demo.picture import draw_picture  # matplotlib is large

        rates = [f"{kind} {rate}" for kind, rate in success_rates(result.trials).items() if rate.n]
        about = f"{settings.world.name}, {settings.robot.name}, seed {settings.seed}"
        title = f"{about}: {', '.join(rates) or 'no goal was driven to'}"
        figures = control_line(control, sum(trial.collisions for trial in result.trials))
        picture = settings.record / "demo.png"
        radius = settings.robot.shape.radius
        draw_picture(picture, result.floor, radius, result.trials, result.places, title, figures, result.explored)
        table.say(f"picture: {picture}\nbag: {settings.record / 'bag'}")
