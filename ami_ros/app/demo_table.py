"""What a demo says: one line a goal, below them what goes on where there is a terminal, and a summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ami_ros.app.telemetry import Leg, Telemetry
from ami_ros.evaluation.report import success_rates
from ami_ros.evaluation.resources import ProcessCost
from ami_ros.evaluation.trials import Trial


class DemoTable:
    """Use as a context: inside of it `update` shows what goes on.

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
        if not trial.success:
            line += f"  {escape(_reason(trial))}"
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
        self._console.print()
        self._console.print(_rates(trials))
        self.say(control_line(control, sum(t.collisions for t in trials)))
        if costs:
            self._console.print(_processes(costs))


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


def _reason(trial: Trial) -> str:
    """Why a goal does not count as reached."""
    if trial.status != "succeeded":
        return f"{trial.status}: {trial.error_msg or trial.error_code}"
    if trial.there:
        return f"it arrived, but after the {trial.allowance_s:.0f} s allowed"
    return "the robot says it arrived; it is not there" if trial.still else "the robot says it arrived; it still moves"


def _rates(trials: Sequence[Trial]) -> Table:
    table = Table("goals", "reached, 95 % interval", box=None, padding=(0, 3, 0, 0))
    for kind, rate in success_rates(trials).items():
        table.add_row(kind, str(rate))
    return table


def _processes(costs: Sequence[ProcessCost]) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column("process")
    table.add_column("CPU, % of a core", justify="right")
    table.add_column("memory, MB", justify="right")
    for cost in costs:
        table.add_row(cost.name, f"{cost.cpu_percent:.0f}", f"{cost.rss_mb:.0f}")
    table.add_row(
        "all", f"{sum(c.cpu_percent for c in costs):.0f}", f"{sum(c.rss_mb for c in costs):.0f}", style="bold"
    )
    return table
