"""`ami bench doors`: goals behind doors that memory believes to be open."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def main(
    world: Annotated[str, typer.Option(help="A world with doors: a name or a file.")] = "home",
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that comes with ami_ros.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Memory of this world; else the one beside the model.")] = None,
    goals: Annotated[int, typer.Option(help="Of each kind.", min=1, max=10_000)] = 20,
    seed: Annotated[int, typer.Option(help="Of goals, doors and noise.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Close doors on the way to goals that have another way, and to goals that have none."""
    import numpy as np
    import torch
    from rich.console import Console

    from ami_ros.app.bench import model_and_memory
    from ami_ros.evaluation.closed_loop import LoopConfig
    from ami_ros.evaluation.door_trials import drive_tasks
    from ami_ros.evaluation.rates import SuccessRate
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    console = Console(highlight=False)
    folder, file = model_and_memory(model, memory, world)
    loaded = load_model(folder)
    figures: dict[str, Any] = {}
    for name, with_way in (("detour", True), ("no_way", False)):
        trials = []
        for done in drive_tasks(loaded, world, file, LoopConfig(), seed, goals, with_way):
            trials.append(done)
            trial, mark = done.trial, "[green]✓[/]" if done.success else "[red]✗[/]"
            closed = " and ".join(done.task.closed)
            end = f"{trial.final_distance_m:.2f} m off" if trial.status == "succeeded" else trial.error_msg
            console.print(f"{mark} {closed} closed: {trial.status} after {trial.time_s:.0f} s, {end}", soft_wrap=True)
        rate = SuccessRate.of(t.success for t in trials)
        what = "reached by another way" if with_way else "without a way, given up within 60 s"
        console.print(f"{what}: {rate}", soft_wrap=True)
        figures |= {f"{name}_{key}": value for key, value in rate.to_json().items()}
        figures[f"{name}_time_p50_s"] = round(float(np.median([t.trial.time_s for t in trials])), 1)
        figures[f"{name}_collisions"] = sum(t.trial.collisions for t in trials)
    if json is not None:
        settings = {"encoder_id": loaded.encoder_id, "world": world, "seed": seed}
        write_json(json, figures | settings | hardware())
