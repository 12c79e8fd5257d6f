"""`ami bench recovery`: drives on which something goes wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ami_ros.app.visit_options import ChangedOption, LightOption, PeopleOption, visited


def main(
    world: Annotated[str, typer.Option(help="A world that comes with the package, or a world file.")] = "home",
    people: PeopleOption = None,
    changed: ChangedOption = 0.0,
    light: LightOption = "",
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that comes with ami_ros.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Memory of this world; else the one beside the model.")] = None,
    goals: Annotated[int, typer.Option(help="Far goals of each kind.", min=1, max=10_000)] = 10,
    seed: Annotated[int, typer.Option(help="Of goals, of what goes wrong, and of noise.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Carry the robot away, cover its camera or let its wheels slip for 5 s on the way to far goals; or do nothing."""
    import numpy as np
    import torch
    from rich.console import Console

    from ami_ros.app.bench import model_and_memory
    from ami_ros.evaluation.loop_config import LoopConfig
    from ami_ros.evaluation.rates import SuccessRate
    from ami_ros.evaluation.recovery_trials import KINDS, drive_disturbed
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.mission.recovery import RecoveryState
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    console = Console(emoji=False, highlight=False)
    world = visited(world, people, changed, light)
    folder, file = model_and_memory(model, memory, world)
    loaded = load_model(folder)
    figures: dict[str, Any] = {}
    for kind in KINDS:
        trials = []
        for done in drive_disturbed(loaded, world, file, LoopConfig(), seed, goals, kind):
            trials.append(done)
            trial, mark = done.trial, "[green]✓[/]" if done.reached else "[red]✗[/]"
            passed = ", ".join(f"{at:.1f} s {situation.name.lower()}" for at, situation, _ in done.passed)
            end = f"{trial.final_distance_m:.2f} m off" if trial.status == "succeeded" else trial.error_msg
            console.print(f"{mark} {kind}: {trial.status} after {trial.time_s:.0f} s, {end}; {passed}", soft_wrap=True)
        rate = SuccessRate.of(t.reached for t in trials)
        total = sum(t.trial.time_s for t in trials)
        wary, looking = (sum(t.seconds[s] for t in trials) / total for s in (RecoveryState.WARY, RecoveryState.LOOKING))
        console.print(f"{kind}: reached {rate}; {wary:.1%} of the time slower, {looking:.1%} standing to look")
        figures |= {f"{kind}_{key}": value for key, value in rate.to_json().items()}
        figures |= {
            f"{kind}_noticed": sum(t.noticed for t in trials),
            f"{kind}_time_p50_s": round(float(np.median([t.trial.time_s for t in trials])), 1),
            f"{kind}_slower_share": round(wary, 4),
            f"{kind}_looking_share": round(looking, 4),
            f"{kind}_collisions": sum(t.trial.collisions for t in trials),
        }
    if json is not None:
        settings = {"encoder_id": loaded.encoder_id, "world": world, "seed": seed}
        write_json(json, figures | settings | hardware())
