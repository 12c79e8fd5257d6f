"""`ami pairs`: teaches a model to compare pictures, in buildings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.options import BuildingsJob, command


@dataclass(frozen=True, kw_only=True)
class PairJob(BuildingsJob):
    """Teach a model to compare two pictures, and measure in other buildings how reliable that is."""

    model: Annotated[Path, typer.Argument(help="Model folder. Its memories stay valid.")]
    out: Annotated[Path, typer.Option(help="Model folder to write.")]
    steps: Annotated[int, typer.Option(help="Number of optimiser steps. For a robot take ten times as many.")] = 2000
    name: Annotated[str, typer.Option(help="Name of the model. Default: the name of its folder.")] = ""


main = command(PairJob, "ami_ros.cli.pairs_run:run")
