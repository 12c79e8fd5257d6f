"""`ami collect`: drives the simulated robot and records its experience."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def main(
    out: Annotated[
        Path, typer.Option(help="Folder for the runs. Repeat the command to continue after an interruption.")
    ],
    world: Annotated[
        str, typer.Option(help="A world that comes with the package, a world file, or building:SEED.")
    ] = "home",
    steps: Annotated[int, typer.Option(help="Number of steps, over all runs.")] = 60000,
    robot: Annotated[
        str, typer.Option(help="Name of a robot in config/robots, or its file; drawn: another one in each run.")
    ] = "ami_bot",
    buildings: Annotated[
        str, typer.Option(help="Use buildings instead of the world, one for each run, such as 0-99.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Random seed. The same seed gives the same runs.")] = 0,
    runs: Annotated[int, typer.Option(help="Number of bags. 0: one for each building or 4,000 steps, at most 16.")] = 0,
    period: Annotated[float, typer.Option(help="Seconds between steps.")] = 0.2,
    closed_doors: Annotated[float, typer.Option(help="Probability that a door is closed during a run.")] = 0.0,
    workers: Annotated[int, typer.Option(help="Number of runs to record in parallel. 0: one for each core.")] = 0,
) -> None:
    """Drive the simulated robot about at random, and write one bag for each run."""
    from rich.console import Console

    from ami_ros.cli.collect_workers import collect
    from ami_ros.core.config import from_mapping
    from ami_ros.world_model.learning.collection import CollectionConfig, open_collection

    values = {"world": world, "steps": steps, "robot": robot, "runs": runs, "period": period, "seed": seed}
    values |= {"closed_doors": closed_doors, "buildings": buildings}
    config = from_mapping(CollectionConfig, values, "collect")
    console = Console(emoji=False, stderr=True)
    with open_collection(out, config) as missing:
        if missing:
            contacts = collect(out, config, missing, workers or len(os.sched_getaffinity(0)), console)
            console.print(f"{len(missing)} runs recorded; the robot touched something {contacts} times", soft_wrap=True)
    console.print(f"{config.steps} steps in {len(config.run_lengths())} runs are in {out}", soft_wrap=True)
