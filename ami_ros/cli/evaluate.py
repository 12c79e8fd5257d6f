"""`ami evaluate`: how good a model is, before a robot moves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.options import command


@dataclass(frozen=True)
class EvaluateOptions:
    """Measure how well a model predicts recordings.

    It measures position and heading, prediction over time, surprise at impossible changes, and relative poses. Figures
    in metres need recordings with ground truth, such as those of the simulator. For Donkeycar tubs it measures
    predictions one second ahead. `./ami bench planning` drives with the model.
    """

    model: Annotated[Path, typer.Argument(help="Model folder.")]
    recordings: Annotated[
        list[Path], typer.Argument(help="Bags of one world that were not trained on, Donkeycar tubs, or one data set.")
    ]
    card: Annotated[bool, typer.Option("--card", help="Also write the figures into the model card.")] = False
    frames: Annotated[int, typer.Option(help="Largest number of frames to use.", min=600)] = 12000
    seed: Annotated[int, typer.Option(help="Random seed of the moments.", min=0)] = 0
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None


main = command(EvaluateOptions, "ami_ros.cli.evaluate_run:evaluate")
