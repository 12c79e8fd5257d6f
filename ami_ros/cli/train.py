"""`ami train`: learns a world model from bags."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.options import command


@dataclass(frozen=True)
class TrainOptions:
    """Train a world model on recordings. Under torchrun, several processes train together."""

    recordings: Annotated[
        list[Path],
        typer.Argument(
            help="Bags, folders of bags (as ./ami collect writes), data sets, or the folder of ./ami fleet export."
        ),
    ]
    out: Annotated[Path, typer.Option(help="Model folder. Repeat the command to continue after an interruption.")]
    robot: Annotated[
        str | None,
        typer.Option(help="Robot in config/robots, or its file: preset, speed limits, names of topics."),
    ] = None
    preset: Annotated[
        str,
        typer.Option(
            help="onboard (camera and scan), laser, or camera (neither odometry nor scan: Donkeycar tubs); the default "
            "is that of the model to start from, else what the recordings are, else onboard."
        ),
    ] = ""
    start: Annotated[
        Path | None,
        typer.Option("--from", help="Start from this model. Its training data are mixed in."),
    ] = None
    replay: Annotated[
        list[Path] | None,
        typer.Option(help="Data set of the --from model, if it has moved."),
    ] = None
    heads: Annotated[
        bool,
        typer.Option("--heads", help="Train only the heads of the --from model. Its memories stay valid."),
    ] = False
    dynamics: Annotated[
        bool,
        typer.Option(
            "--dynamics",
            help="Train only what commands do, and the heads, such as for a faster --robot. Memories stay valid.",
        ),
    ] = False
    steps: Annotated[int, typer.Option(help="Number of optimiser steps. 0: as the preset says.")] = 0
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other setting, such as weights.sigreg=0.05. See docs/reference.md."),
    ] = None
    seed: Annotated[int, typer.Option(help="Random seed of weights and batches.")] = 0
    threads: Annotated[int, typer.Option(help="Number of cores to use. 0: all.")] = 0
    name: Annotated[str, typer.Option(help="Name of the model. Default: the name of its folder.")] = ""
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None


main = command(TrainOptions, "ami_ros.cli.train_run:train")
