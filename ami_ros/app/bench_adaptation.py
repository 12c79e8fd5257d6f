"""`ami bench adaptation`: worn wheels without adaptation, with it, and the old wheels afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

# Figure, what it is, how it is written, and whether more of it is better.
ROWS = (
    ("rate", "goals reached", "{:.0%}"),
    ("time_mean_s", "time to the goal, or to giving up, mean", "{:.1f} s"),
    ("way_mean_m", "driven, mean", "{:.2f} m"),
    ("contacts", "contacts", "{:.0f}"),
    ("motion_error_median_m", "expected motion off in 0.6 s, median", "{:.3f} m"),
    ("turn_error_median_rad", "expected turn off in 0.6 s, median", "{:.3f} rad"),
    ("latent_error_mean", "expected latent off, mean square", "{:.3f}"),
)
PHASES = ("before", "dropped", "adapted", "old_setting")


def main(
    world: Annotated[str, typer.Option(help="A name or a file.")] = "home",
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that comes with ami_ros.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Of the world; else the one beside the model.")] = None,
    change: Annotated[
        str, typer.Option(help="Of the wheels, by 40 %: left-slow, left-fast, slow, fast.")
    ] = "left-slow",
    goals: Annotated[int, typer.Option(help="In each of four phases, half of them far.", min=1, max=1000)] = 20,
    minutes: Annotated[float, typer.Option(help="Of driving before adaptation is measured.", min=0.1)] = 5.0,
    layers: Annotated[bool, typer.Option("--layers", help="Adapt the last layers of the model, too.")] = False,
    seed: Annotated[int, typer.Option(help="Of goals and noise.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Change the robot's wheels, and see what adaptation brings back."""
    import torch
    from rich.console import Console

    from ami_ros.adaptation.adapter import AdaptationConfig
    from ami_ros.app.shipped import model_and_memory
    from ami_ros.app.train_run import progress_bar
    from ami_ros.errors import AmiError
    from ami_ros.evaluation.adaptation_bench import CHANGES, Settings, came_back, run
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.simulation.simulator import Simulator
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    if change not in CHANGES:
        raise AmiError(f"bench adaptation: no change '{change}'; known are {', '.join(CHANGES)}")
    folder, file = model_and_memory(model, memory, world)
    loaded = load_model(folder)
    settings = Settings(CHANGES[change], goals, minutes, seed, AdaptationConfig(layers=layers))
    with progress_bar(Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what.replace("_", " "), total=total)
            bar.update(tasks[what], completed=done)

        phases = run(loaded, lambda robot: Simulator(world, seed=robot), file, settings, report)
    figures: dict[str, Any] = {}
    for name in PHASES:
        figures |= phases[name].figures(name)
    for key, _, _ in ROWS:
        values = [figures[f"{name}_{key}"] for name in PHASES]
        figures[f"came_back_{key}_share"] = came_back(*values[:3])
    _print(figures)
    if json is not None:
        run_of = {"world": world, "encoder_id": loaded.encoder_id, "change": change, "minutes": minutes}
        write_json(json, figures | run_of | {"layers": layers, "seed": seed} | hardware())


def _print(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = ("figure", "before", "changed", "adapted", "came back", "old setting again")
    table = Table(*columns, box=None, padding=(0, 3, 0, 0))
    for key, what, form in ROWS:
        values = [form.format(figures[f"{name}_{key}"]) for name in PHASES]
        share = figures[f"came_back_{key}_share"]
        table.add_row(what, *values[:3], "" if share is None else f"{share:.0%}", values[3])
    Console().print(table)
    reached, count = figures["adapted_reached"], figures["adapted_n"]
    low, high = figures["adapted_wilson_low"], figures["adapted_wilson_high"]
    Console().print(f"adapted: {reached} of {count} goals, 95 % interval (Wilson) {low:.0%} to {high:.0%}")
