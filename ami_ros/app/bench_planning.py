"""`ami bench planning`: how many goals are reached, beside what it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ami_ros.evaluation.closed_loop import LoopConfig
    from ami_ros.evaluation.planning_bench import Arm

NO_DEADLINE = 60.0  # [s]; compute is to be equal whatever else the machine does, and is timed


def main(
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that ships.")] = None,
    memory: Annotated[
        Path | None, typer.Option(help="Memory of the world; else the one in the model's folder.")
    ] = None,
    world: Annotated[str, typer.Option(help="Where to drive.")] = "home",
    goals: Annotated[int, typer.Option(help="Image goals a seed, half of them far.", min=2, max=10_000)] = 20,
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1, max=1000)] = 3,
    seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Configuration, as navigator.planner.solver.name=mppi.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Drive to image goals in one process without ROS: our loop, the flat planner, the same planner on the simulator's
    true dynamics, and random commands; same starts and goals, same samples, iterations and horizon, in one run."""
    import torch
    from rich.console import Console

    from ami_ros.evaluation.planning_bench import ARMS, Arm, drive_all
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.ros.graph import share
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    console = Console()
    config = loop_config(set_ or [])
    folder = model or share("models", "onboard")
    loaded, places = load_model(folder), memory or folder / f"{world}.memory"
    arms = {name: Arm(name) for name in ARMS}
    for one in range(seed, seed + seeds):
        for name, trial in drive_all(loaded, world, places, config, goals, one, arms):
            verdict = "reached" if trial.success else f"missed ({trial.error_msg or trial.status})"
            console.print(
                f"seed {one} {name}, {trial.kind} {len(arms[name].trials)}: {verdict}: {trial.final_distance_m:.2f} m, "
                f"{trial.heading_error_rad:.2f} rad off after {trial.time_s:.0f} s",
                highlight=False,
            )
    _show(arms, config, console)
    if json is not None:
        settings = {"encoder_id": loaded.encoder_id, "world": world, "goals": goals, "seeds": seeds, "seed": seed}
        figures: dict[str, Any] = {}
        for arm in arms.values():
            figures |= arm.figures()
        write_json(json, figures | settings | {"set": " ".join(set_ or [])} | hardware())


def loop_config(options: list[str]) -> LoopConfig:
    """The configuration of the loop, with `options` as "dotted.name=value".

    Raises:
        AmiError: an option without "=", an unknown name, or a value that does not fit.
    """
    import yaml

    from ami_ros.config import from_mapping
    from ami_ros.errors import AmiError
    from ami_ros.evaluation.closed_loop import LoopConfig

    nested: dict[str, Any] = {"navigator": {"planner": {"deadline": NO_DEADLINE}}}
    for option in options:
        name, found, value = option.partition("=")
        if not found:
            raise AmiError(f"--set {option}: expected dotted.name=value")
        *groups, key = name.strip().split(".")
        target = nested
        for group in groups:
            target = target.setdefault(group, {})
        target[key] = yaml.safe_load(value)
    return from_mapping(LoopConfig, nested, "--set")


def _show(arms: dict[str, Arm], config: LoopConfig, console: Any) -> None:
    from rich.table import Table

    planner = config.navigator.planner
    search = f"{planner.solver.samples} x {planner.solver.iterations} x {planner.horizon}"
    title = f"reached (Wilson, 95 %); search: {planner.solver.name}, {search}"
    table = Table("", "near", "far", "contacts", "plan p50, ms", "p95, ms", title=title, box=None, padding=(0, 2, 0, 0))
    for arm in arms.values():
        times = [f"{v:.0f}" for v in arm.planning_ms()] if arm.seconds else ["", ""]
        contacts = str(sum(t.collisions for t in arm.trials))
        table.add_row(arm.name, str(arm.rate("near")), str(arm.rate("far")), contacts, *times)
    console.print(table)
