"""`ami bench swm`: our model and planner in the environments of stable-worldmodel, beside its own planner."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def main(
    env: Annotated[str, typer.Option(help="TwoRoom or PushT.")] = "TwoRoom",
    episodes: Annotated[int, typer.Option(help="Goals for each seed.", min=1, max=1000)] = 50,
    seeds: Annotated[int, typer.Option(help="How many sets of goals, each with noise of its own.", min=1, max=20)] = 3,
    seed: Annotated[int, typer.Option(help="The first of them; data and weights follow from it, too.", min=0)] = 0,
    collected: Annotated[int, typer.Option(help="Episodes to learn from.", min=8, max=100_000)] = 600,
    steps: Annotated[int, typer.Option(help="Of training; 0: as configured for the environment.", min=0)] = 0,
    offset: Annotated[int, typer.Option(help="Steps from a start to its goal in the episode.", min=1)] = 25,
    budget: Annotated[int, typer.Option(help="Steps that a policy has.", min=1)] = 50,
    out: Annotated[Path | None, typer.Option(help="Folder that keeps data and model for the next time.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Collect, learn, and reach goals under stable-worldmodel's own protocol (the extra `swm`).

    Goals come from episodes that nothing was learned from. Beside our planner, on the same model and energy in the
    same run: its CEM at its published settings, and its random policy.
    """
    import tempfile

    import torch
    from rich.console import Console

    from ami_ros.app.swm_run import run
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.evaluation.swm.tasks import find_task

    torch.set_num_threads(1)
    console = Console(emoji=False, highlight=False)
    task = find_task(env)
    with tempfile.TemporaryDirectory(prefix="ami_swm_") as scratch:
        figures = run(task, out or Path(scratch), collected, steps, episodes, seeds, seed, offset, budget, console)
    if json is not None:
        settings: dict[str, Any] = {
            "environment": task.environment,
            "goal_offset_steps": offset,
            "budget_steps": budget,
        }
        settings |= {"goals_per_seed": episodes, "seeds": seeds, "seed": seed, "collected_episodes": collected}
        write_json(json, figures | settings | hardware())
