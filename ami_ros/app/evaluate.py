"""`ami evaluate`: how good a model is, before and while a robot moves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    recordings: Annotated[
        list[Path] | None, typer.Argument(help="Bags of one world that were not trained on, or one data set.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="HTML file for charts and pictures; the default is MODEL/report/DATA.html.")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Write the figures into the model's card, too.")] = False,
    frames: Annotated[int, typer.Option(help="Frames of the recordings used at most.", min=600)] = 12000,
    goals: Annotated[int, typer.Option(help="Image goals to drive to in the simulator, half of them far.")] = 0,
    world: Annotated[str, typer.Option(help="Where to drive.")] = "home",
    robot: Annotated[
        str | None, typer.Option(help="Name of a robot in config/robots, or its file; else one that the model fits.")
    ] = None,
    memory: Annotated[Path | None, typer.Option(help="Memory file of that world; it is not changed.")] = None,
    no_memory: Annotated[bool, typer.Option("--no-memory", help="Drive with the flat planner.")] = False,
    seed: Annotated[int, typer.Option(help="Of moments, goals and noise.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Measure a model on recordings (what it knows), by driving with --goals (what it can do), or both.

    On recordings: probes of position and heading, imagination against time, surprise at what cannot be, relative poses,
    pictures. Figures in metres need recordings with ground truth, as the simulator makes them. Driving happens in one
    process without ROS, faster than real time.
    """
    import tempfile

    from rich.console import Console

    from ami_ros.app.evaluate_run import drive, measure
    from ami_ros.errors import AmiError
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.world_model.checkpoint import load_model

    if not recordings and not goals:
        raise AmiError("evaluate: give recordings to measure the model on, or --goals to drive with it, or both")
    loaded = load_model(model)
    console = Console(emoji=False)
    figures: dict[str, object] = {"encoder_id": loaded.encoder_id, "seed": seed}
    if recordings:
        page = report or model / "report" / f"{recordings[0].resolve().name}.html"
        with tempfile.TemporaryDirectory(prefix="ami-evaluate-") as scratch:
            figures |= measure(loaded, recordings, Path(scratch), page, model if card else None, frames, seed, console)
    if goals:
        figures |= drive(loaded, world, robot, None if no_memory else memory, not no_memory, goals, seed, console)
    if json is not None:
        write_json(json, figures | hardware())
