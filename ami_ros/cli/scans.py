"""`ami scans`: teaches a network to compare what lasers see around two spots, on simulated drives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.options import command


@dataclass(frozen=True)
class ScanJob:
    """Train a network to tell right matches of two laser scans from wrong ones."""

    out: Annotated[Path, typer.Option(help="Folder to write the network to.")]
    corridors: Annotated[int, typer.Option(help="Number of corridor rings to learn from.", min=0)] = 80
    buildings: Annotated[int, typer.Option(help="Number of buildings to learn from.", min=0)] = 40
    held_out: Annotated[int, typer.Option(help="Number of each for testing only.", min=1)] = 10
    first: Annotated[int, typer.Option(help="Seed of the first of each kind.", min=0)] = 1
    steps: Annotated[int, typer.Option(help="Number of optimiser steps.", min=1)] = 4000
    seed: Annotated[int, typer.Option(help="Random seed.")] = 0
    workers: Annotated[int, typer.Option(help="Number of drives in parallel. 0: one for each core.", min=0)] = 0
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None


main = command(ScanJob, "ami_ros.cli.scans_run:run")
