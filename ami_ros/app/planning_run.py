"""One run of `ami bench planning`: what is still to be driven, the figures so far, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ami_ros.app.planning_workers import Job, PlanningWorkers
from ami_ros.evaluation.planning_bench import Kept, figures_of, impulse_share, rate_of, searches_of, times_of
from ami_ros.evaluation.planning_methods import METHODS, Row, Setting
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.world_model.checkpoint import load_model


class PlanningRun:
    """Drives what is missing; figures are written anew after each method and seed.

    Args:
        setting: what the methods share.
        methods: their names.
        seeds: each method drives each.
        options: of the configuration, for the record.
        trials: folder that keeps what happened; None: nothing is kept.
        json: file for the figures.

    Raises:
        AmiError: a model cannot be read, or `trials` holds a run with other settings.
    """

    def __init__(
        self,
        setting: Setting,
        methods: Sequence[str],
        seeds: range,
        options: Sequence[str],
        trials: Path | None,
        json: Path | None,
    ) -> None:
        self.setting, self.methods, self.seeds, self.json = setting, methods, seeds, json
        self.jobs = [(method, seed) for method in methods for seed in seeds]
        self.settings: dict[str, Any] = {"world": setting.world, "goals": setting.goals, "set": " ".join(options)}
        for camera in sorted({METHODS[method].camera for method in methods}):
            self.settings[f"{camera}_encoder_id"] = load_model(setting.model_of(camera)).encoder_id
        self.kept = Kept(trials, self.settings)
        self.rows = {job: found for job in self.jobs if (found := self.kept.load(*job)) is not None}

    def drive(self, processes: int, console: Console) -> None:
        """Drives all that is missing."""
        missing = [job for job in self.jobs if job not in self.rows]
        if len(missing) < len(self.jobs):
            console.print(f"{len(self.rows)} of {len(self.jobs)} parts are there already", soft_wrap=True)

        def finished(job: Job, rows: list[Row]) -> None:
            self.rows[job] = rows
            self.kept.keep(*job, rows)
            self.write()
            _tell(job, rows, console)

        if missing:
            PlanningWorkers(self.setting, missing, self.rows, processes).run(console, finished)
        self.write()

    def rows_of(self, method: str) -> list[Row]:
        """What a method did so far, over all seeds."""
        return [row for (name, _), rows in self.rows.items() if name == method for row in rows]

    def write(self) -> None:
        """Writes the figures so far."""
        if self.json is None:
            return
        figures: dict[str, Any] = {"unfinished_parts": len(self.jobs) - len(self.rows)}
        for method in self.methods:
            if rows := self.rows_of(method):
                figures |= figures_of(method, rows)
        seeds = {"seeds": len(self.seeds), "seed": self.seeds[0]}
        write_json(self.json, figures | self.settings | seeds | hardware())

    def show(self, console: Console) -> None:
        """Prints a row for each method and kind of task."""
        planner = self.setting.loop.agent.navigator.planner
        search = f"{planner.solver.name}, {planner.solver.samples} x {planner.solver.iterations} x {planner.horizon}"
        seeds = f"world {self.setting.world}, seeds {self.seeds[0]} to {self.seeds[-1]}"
        title = f"{seeds}; search: {search}; {self.setting.loop.charged}"
        table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
        for column in ("", "done (Wilson, 95 %)"):
            table.add_column(column, no_wrap=True)
        for column in ("floor", "s p50", "p95", "touched", "plan ms p50", "p95"):
            table.add_column(column, justify="right")
        for method in self.methods:
            rows = self.rows_of(method)
            for kind, floor in METHODS[method].floors.items():
                own = [row for row in rows if row["kind"] == kind]
                times = (f"{t:.0f}" for t in times_of(rows, kind) or ())
                searches = [f"{t:.0f}" for t in searches_of(own) or ()]
                wanted = f"{floor:.0%}" if floor else ""
                contacts = str(sum(row["collisions"] for row in own))
                table.add_row(f"{method}, {kind}", str(rate_of(rows, kind)), wanted, *times, contacts, *searches)
        console.print(table)
        for method in self.methods:
            if share := impulse_share(self.rows_of(method)):
                console.print(f"{method}: {share:.0%} of the plans are the policy's alone (mode 1)", soft_wrap=True)


def _tell(job: Job, rows: list[Row], console: Console) -> None:
    """One line for a part that is finished, and one for each of our drives in it that missed."""
    method, seed = job
    kinds = ", ".join(
        f"{kind} {rate_of(rows, kind).reached}/{rate_of(rows, kind).n}" for kind in METHODS[method].floors
    )
    console.print(f"{method}, seed {seed}: {kinds}", soft_wrap=True)
    for index, row in enumerate(rows, 1):
        if row["reached"] < row["tried"] and METHODS[method].ours and "final_distance_m" in row:
            end = row["error_msg"] or row["status"]
            off = f"{row['final_distance_m']:.2f} m, {row['heading_error_rad']:.2f} rad off"
            console.print(f"  {row['kind']} {index}: {end}; {off} after {row['time_s']:.0f} s", soft_wrap=True)
