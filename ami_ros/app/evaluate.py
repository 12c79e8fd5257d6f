"""`ami evaluate`: how good a model is, before a robot moves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    recordings: Annotated[
        list[Path], typer.Argument(help="Bags of one world that were not trained on, Donkeycar tubs, or one data set.")
    ],
    card: Annotated[bool, typer.Option("--card", help="Write the figures into the model's card, too.")] = False,
    frames: Annotated[int, typer.Option(help="Frames of the recordings used at most.", min=600)] = 12000,
    seed: Annotated[int, typer.Option(help="Of moments.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Measure what a model knows of recordings: probes of position and heading, imagination against time, surprise at
    what cannot be, relative poses. Figures in metres need recordings with ground truth, as the simulator makes them.
    `./ami bench planning` drives with it. Of Donkeycar tubs: predictions a second ahead, on the last tenth.
    """
    import tempfile

    from rich.console import Console

    from ami_ros.app.evaluate_run import measure
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.world_model.checkpoint import load_model

    loaded = load_model(model)
    figures: dict[str, object] = {"encoder_id": loaded.encoder_id, "seed": seed}
    with tempfile.TemporaryDirectory(prefix="ami-evaluate-") as scratch:
        figures |= measure(loaded, recordings, Path(scratch), model, card, frames, seed, Console(emoji=False))
    if json is not None:
        write_json(json, figures | hardware())
