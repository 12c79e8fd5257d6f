"""One run of `ami bench people`: methods block by block, kept in files, and the table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ami_ros.evaluation.building_trials import Row
from ami_ros.evaluation.ghosts import WATCHED, ghosts
from ami_ros.evaluation.kept import Kept
from ami_ros.evaluation.people_trials import EMPTY, RULE, PeopleSetting, drive_block, figures_of, time_ratio
from ami_ros.evaluation.report import hardware, write_json
from ami_ros.world_model.checkpoint import load_model


class PeopleRun:
    """Drives the blocks that are missing; figures are written anew after each.

    Args:
        setting: what is driven.
        methods: which.
        about: the settings, for the record.
        trials: folder that keeps what happened; None: nothing is kept.
        json: file for the figures.

    Raises:
        AmiError: a model that cannot be read, or `trials` holds a run with other settings.
    """

    def __init__(
        self,
        setting: PeopleSetting,
        methods: Sequence[str],
        about: dict[str, Any],
        trials: Path | None,
        json: Path | None,
    ) -> None:
        self.setting, self.methods, self.json = setting, methods, json
        self.about = about | {"encoder_id": load_model(setting.model).encoder_id}
        self.kept = Kept(trials, self.about, "people")
        self.rows: dict[str, list[Row]] = {method: [] for method in methods}
        self.gone: dict[str, Any] = {}  # of ghosts

    def drive(self, console: Console) -> None:
        """Drives what is missing; a line for each goal."""
        for block in range(len(self.setting.blocks)):
            for method in self.methods:
                found = self.kept.load(method, block)
                if found is None:
                    with console.status(f"{method}, block {block + 1} of {len(self.setting.blocks)}"):
                        found = drive_block(self.setting, method, block, lambda row: _tell(row, console))
                    self.kept.keep(method, block, found)
                self.rows[method] += found
                self.write()

    def figures(self) -> dict[str, Any]:
        """Of all methods so far."""
        figures: dict[str, Any] = {method: figures_of(self.rows[method]) for method in self.methods}
        for method in self.methods:
            if method != EMPTY and EMPTY in self.methods:
                figures[method]["time_ratio"] = time_ratio(self.rows[method], self.rows[EMPTY])
        return figures

    def show_ghosts(self, console: Console, count: int) -> None:
        """Measures and prints how long `count` drawn persons stay in each layer after they have left."""
        self.gone = {"ghosts": ghosts(count, self.setting.seed, self.setting.robot)}
        self.write()
        console.print(f"{count} persons who stood and left: how long it takes until their place is free")
        for layer, found in self.gone["ghosts"].items():
            times = ", ".join(
                f"{name} {found[f'{name}_s']} s" if found[f"{name}_s"] is not None else f"{name} over {WATCHED:g} s"
                for name in ("p50", "p95", "max")
            )
            console.print(f"{layer.replace('_', ' ')}: {times}; {found['stay']} stay", soft_wrap=True)

    def write(self) -> None:
        """Writes the figures so far."""
        if self.json is not None:
            write_json(
                self.json,
                self.figures()
                | self.gone
                | self.about
                | {"rule": RULE}
                | {"charged": self.setting.loop.charged}
                | hardware(),
            )

    def show(self, console: Console) -> None:
        """Prints a row for each method."""
        what = f"{self.about['people']} {self.about['manner']} people at {self.about['speed']:g} m/s"
        table = Table(title=f"{self.about['world']}, {what}", title_justify="left", box=None, padding=(0, 1, 0, 0))
        for column in (
            "",
            "near",
            "far",
            "moving",
            "standing",
            "leaving",
            "could leave",
            "false",
            "median s",
            "ratio",
            "nearest m",
        ):
            table.add_column(column, no_wrap=True)
        for method, found in self.figures().items():
            contacts, false = found["contacts"], found["false_success"]
            rates = [f"{found[kind]['reached']}/{found[kind]['n']}" for kind in ("near", "far")]
            touched = [str(contacts[name]) for name in ("robot_moving", "robot_standing", "leaving", "could_leave")]
            rest = [found["times"]["all"]["median_s"], found.get("time_ratio"), found["nearest_approach_m"]]
            claims = f"{false['n']}/{false['claims']}"
            table.add_row(
                method.replace("_", " "), *rates, *touched, claims, *("" if v is None else f"{v:g}" for v in rest)
            )
        console.print(table)
        console.print(
            "contacts with people: the robot moved towards them, or stood, was leaving, or could have left",
            soft_wrap=True,
        )


def _tell(row: Row, console: Console) -> None:
    if row["kind"] == "explore":
        console.print(
            f"{row['method']}: {row['explored_share']:.0%} explored in {row['explored_s']:.0f} s", soft_wrap=True
        )
        return
    mark = "[green]✓[/]" if row["reached"] else "[red]✗[/]"
    end = f"{row['final_distance_m']:.2f} m off" if row["claimed"] else row["error_msg"]
    touched = row["contacts"]
    contacts = f", contacts {touched['robot_moving']} moving {touched['robot_standing']} standing"
    console.print(
        f"{mark} {row['method']} {row['kind']}: {row['status']} after {row['time_s']:.1f} s, {end}"
        + (contacts if touched["robot_moving"] + touched["robot_standing"] else ""),
        soft_wrap=True,
    )
