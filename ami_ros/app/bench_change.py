"""`./ami bench change`: explored on one day, driven on others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ami_ros.errors import AmiError


def main(
    worlds: Annotated[str, typer.Option(help="Worlds with commas between; else buildings for tests, by --seed.")] = "",
    buildings: Annotated[int, typer.Option(help="How many of these.", min=1, max=1000)] = 5,
    goals: Annotated[int, typer.Option(help="Pictures on each day: near and far by turns.", min=1, max=1000)] = 8,
    changed: Annotated[float, typer.Option(help="Share of the furniture that changes.", min=0.0, max=1.0)] = 1 / 3,
    days: Annotated[str, typer.Option(help="Only these, with commas between: same, furniture, or a light.")] = "",
    explore: Annotated[float, typer.Option(help="Minutes of exploring on the first day.", min=0.1)] = 10.0,
    seed: Annotated[int, typer.Option(help="Of buildings, changes, starts and goals.", min=0, max=9999)] = 0,
    model: Annotated[Path | None, typer.Option(help="Folder; else models/general, or what ships.")] = None,
    robot: Annotated[str, typer.Option(help="Name of a robot in config/robots, or its file.")] = "",
    trials: Annotated[
        Path | None, typer.Option(help="Folder for what happened; a run that was interrupted goes on there.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Configuration, as in ./ami bench planning.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Explore a world, then drive to pictures there after furniture or light have changed."""
    import torch
    from rich.console import Console
    from rich.table import Table

    from ami_ros.evaluation.building_trials import general_model
    from ami_ros.evaluation.change_trials import DAYS, ChangeSetting, drive_world, figures_of
    from ami_ros.evaluation.kept import Kept
    from ami_ros.evaluation.loop_config import loop_config
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.simulation.buildings.names import FIRST_TEST_SEED, PREFIX
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    chosen = tuple(day.strip() for day in days.split(",") if day.strip()) or DAYS
    if unknown := [day for day in chosen if day not in DAYS]:
        raise AmiError(f"bench change: there is no day '{unknown[0]}'; there are {', '.join(DAYS)}")
    first = FIRST_TEST_SEED + 1000 * seed
    names = [name.strip() for name in worlds.split(",") if name.strip()]
    names = names or [f"{PREFIX}{first + number}" for number in range(buildings)]
    loop = loop_config(set_ or [])
    setting = ChangeSetting(general_model(model, robot), goals, changed, explore, seed, robot, chosen, loop)
    about: dict[str, Any] = {
        "encoder_id": load_model(setting.model).encoder_id, "goals": goals, "changed": round(changed, 4),
        "explore_min": explore, "seed": seed, "robot": robot, "days": ", ".join(chosen), "set": " ".join(set_ or []),
    }  # fmt: skip
    console, kept = Console(emoji=False, highlight=False), Kept(trials, about, "change")
    rows: list[dict[str, Any]] = []

    def figures() -> dict[str, Any]:
        return {day: figures_of([row for row in rows if row["day"] == day]) for day in chosen}

    for name in names:
        key = name.replace(":", "_").replace("/", "_")
        found = kept.load(key, seed)
        if found is None:
            with console.status(name) as status:
                found = list(drive_world(name, setting, lambda said, n=name: status.update(f"{n}: {said}")))  # type: ignore[misc]
            kept.keep(key, seed, found)
        rows += found
        for row in found:
            mark = "" if row["kind"] == "explore" else "[green]✓[/] " if row["reached"] else "[red]✗[/] "
            said = f"{row['explored_share']:.0%} explored" if row["kind"] == "explore" else row["error_msg"]
            console.print(f"{mark}{name} {row['day']} {row['kind']} {said}", soft_wrap=True)
        if json is not None:
            write_json(json, figures() | {"worlds": names} | about | {"charged": loop.charged} | hardware())
    table = Table(title=f"{len(names)} worlds", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("", "near", "far", "false", "median s"):
        table.add_column(column, no_wrap=True)
    for day, own in figures().items():
        rates = [f"{own[kind]['reached']}/{own[kind]['n']}" for kind in ("near", "far")]
        false, median = own["false_success"], own["time_median_s"]
        table.add_row(day, *rates, f"{false['n']}/{false['claims']}", "" if median is None else f"{median:g}")
    console.print(table)
