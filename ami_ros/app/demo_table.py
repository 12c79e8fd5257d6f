"""What a demo says on the terminal: one line a goal, a live panel below where there is a terminal, a summary."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from ami_ros.app.telemetry import Leg, Telemetry
from ami_ros.evaluation.report import success_rates
from ami_ros.evaluation.resources import ProcessCost
from ami_ros.evaluation.trials import Trial

TONES = {"CONTROLLING": "green", "PLANNING": "green", "RECOVERING": "yellow", "FAULT": "red"}


class DemoTable:
    """Use as a context: the live panel is there inside of it.

    Args:
        console: where to write.
        goals: how many there will be.
    """

    def __init__(self, console: Console, goals: int) -> None:
        self._console = console
        self._goals = goals
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None

    def __enter__(self) -> DemoTable:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def waiting(self, text: str) -> AbstractContextManager[object]:
        """A spinner where there is a terminal, one line where there is none."""
        if self._console.is_terminal:
            return self._console.status(text)
        self.say(text)
        return nullcontext()

    def finished(self, index: int, trial: Trial, mode: str = "") -> None:
        """One line for a goal that ended."""
        mark = "[green]✓[/]" if trial.success else "[red]✗[/]"
        heading = math.degrees(trial.heading_error_rad)
        line = (
            f"{mark} goal {index + 1:>2}/{self._goals} {trial.kind:<4}{mode} {trial.time_s:5.1f} s"
            f"  {trial.final_distance_m:.2f} m {heading:4.0f}° off"
        )
        if trial.collisions:
            line += f"  {trial.collisions} contact{'s' if trial.collisions > 1 else ''}"
        if not trial.success:
            line += f"  {escape(_reason(trial))}"
        self.say(line)

    def update(self, leg: Leg | None, telemetry: Telemetry) -> None:
        """Redraws the live panel; nothing where the output is no terminal."""
        if self._live is not None:
            self._live.update(_panel(leg, telemetry, self._goals), refresh=True)

    def summary(
        self,
        trials: Sequence[Trial],
        flat: Sequence[Trial] | None,
        control: dict[str, Any],
        costs: Sequence[ProcessCost],
    ) -> None:
        """Rates with their intervals, control figures, processes."""
        self._console.print()
        self._console.print(_rates(trials, flat))
        self.say(control_line(control, sum(t.collisions for t in [*trials, *(flat or [])])))
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


def _panel(leg: Leg | None, telemetry: Telemetry, goals: int) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0))
    names = ("goal", "state", "time", "distance", "energy", "sub-goal", "localised", "surprise", "commands")
    for name in names:
        table.add_column(name, header_style="dim", no_wrap=True)
    subgoal = telemetry.subgoal
    table.add_row(
        f"{leg.index + 1}/{goals} {leg.goal.kind}" if leg else "–",
        Text(telemetry.state.lower(), TONES.get(telemetry.state, "")),
        f"{telemetry.time - leg.began:.1f}/{leg.allowance:.0f} s" if leg else "–",
        _number(telemetry.distance, 2, " m"),
        _number(telemetry.energy, 2),
        f"{subgoal[0] + 1}/{subgoal[1]}" if subgoal else "–",
        "–" if telemetry.confidence is None else f"{100 * telemetry.confidence:.0f} %",
        Text(_number(telemetry.surprise, 1), "red" if telemetry.alarm else ""),
        _number(telemetry.rate, 1, " Hz"),
    )
    return Group(Text(""), table, Text(telemetry.decision, "dim", no_wrap=True, overflow="ellipsis"))


def _number(value: float | None, digits: int, unit: str = "") -> str:
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def _rates(trials: Sequence[Trial], flat: Sequence[Trial] | None) -> Table:
    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column("goals")
    table.add_column("reached, 95 % interval" if flat is None else "with memory, 95 % interval")
    if flat is not None:
        table.add_column("flat, no memory")
    rates, flat_rates = success_rates(trials), success_rates(flat or [])
    for kind, rate in rates.items():
        table.add_row(kind, str(rate), *([] if flat is None else [str(flat_rates[kind])]))
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
