"""`ami ranges`: teaches a network to make scans of pictures, in buildings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.options import BuildingsJob, command


@dataclass(frozen=True, kw_only=True)
class RangeJob(BuildingsJob):
    """Train a network to predict laser scans from images, for robots without a laser."""

    model: Annotated[
        Path, typer.Argument(help="Model folder that compares pictures. The network starts from its features.")
    ]
    out: Annotated[Path, typer.Option(help="Folder to write the network to.")]
    steps: Annotated[int, typer.Option(help="Number of optimiser steps.")] = 8000


main = command(RangeJob, "ami_ros.cli.ranges_run:run")
