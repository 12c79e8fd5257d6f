"""`ami bench mission`: measures missions through remembered places, and exploring from nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

# Figure, what it is, how it is written, and the floor it must keep.
ROWS = (
    ("mission_reached_share", "mission: places reached", "{:.1%}", ">= 90 %"),
    ("mission_reached_low_share", "  95 % interval (Wilson) from", "{:.1%}", ""),
    ("mission_said_reached", "  the mission itself counts", "{:.0f}", ""),
    ("mission_tries", "  drives", "{:.0f}", ""),
    ("mission_s", "  simulated time", "{:.0f} s", ""),
    ("mission_driven_m", "  driven", "{:.1f} m", ""),
    ("mission_contacts", "  contacts", "{:.0f}", ""),
    ("explore_seen_share", "explore: reachable area seen", "{:.1%}", ">= 90 %"),
    ("explore_seen_90_percent_s", "  90 % of it after", "{:.0f} s", "<= 900 s"),
    ("explore_s", "  over, and back, after", "{:.0f} s", ""),
    ("explore_back", "  back at its place of safety", "{:.0f}", "1"),
    ("explore_back_error_m", "  off it by", "{:.2f} m", ""),
    ("explore_driven_m", "  driven", "{:.1f} m", ""),
    ("explore_places", "  places", "{:.0f}", ""),
    ("explore_error_mean", "  prediction error where it drove", "{:.3f}", ""),
    ("explore_expected_error_mean", "  that the model expected", "{:.3f}", ""),
    ("explore_contacts", "  contacts", "{:.0f}", ""),
)


def main(
    world: Annotated[str, typer.Option(help="A name or a file.")] = "home",
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that comes with ami_ros.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Of the world; else the one beside the model.")] = None,
    legs: Annotated[int, typer.Option(help="Places to visit; 0: no mission.", min=0, max=100)] = 8,
    minutes: Annotated[float, typer.Option(help="Of exploring; 0: none.", min=0.0, max=600.0)] = 15.0,
    seed: Annotated[int, typer.Option(help="Of places, start poses and noise.", min=0)] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Configuration, as exploration.doubt_worth=0.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Visit remembered places in the best order, and explore a world from an empty memory. Compute is equal whatever
    else the machine does."""
    import torch
    from rich.console import Console

    from ami_ros.app.bench import model_and_memory
    from ami_ros.app.bench_planning import loop_config
    from ami_ros.app.extract_run import progress_bar
    from ami_ros.config import with_settings
    from ami_ros.evaluation.mission_bench import Settings, run_exploration, run_mission
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.robots.derived import simulated_robot
    from ami_ros.share import share
    from ami_ros.simulation.simulator import Simulator
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    if legs:
        model, memory = model_and_memory(model, memory, world)
    loaded = load_model(model or share("models", "onboard"))
    robot = simulated_robot(loaded.model.spec)
    settings = with_settings(Settings(legs, minutes, seed, loop_config([])), set_ or [])
    figures: dict[str, Any] = {}
    with progress_bar(Console(stderr=True)) as bar:
        tasks: dict[str, Any] = {}

        def report(what: str, done: float, total: float) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done)

        if legs and memory is not None:
            figures |= run_mission(loaded, lambda run: Simulator(world, robot, seed=run), memory, settings, report)
        if minutes:
            figures |= run_exploration(loaded, lambda run: Simulator(world, robot, seed=run), settings, report)
    _print(figures)
    if json is not None:
        run = {"world": world, "encoder_id": loaded.encoder_id, "minutes": minutes, "seed": seed}
        write_json(json, figures | run | {"set": " ".join(set_ or [])} | hardware())


def _print(figures: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "measured", "floor", box=None, padding=(0, 3, 0, 0))
    for name, what, form, floor in ROWS:
        if name in figures:
            value = figures[name]
            table.add_row(what, "never" if value is None else form.format(value), floor)
    Console().print(table)
