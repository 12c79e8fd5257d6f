"""`ami scans`: teaches a network to compare what lasers see around two spots, on simulated drives."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    out: Annotated[Path, typer.Option(help="Folder for the network.")],
    corridors: Annotated[int, typer.Option(help="Rings of corridors to learn from.", min=0)] = 80,
    buildings: Annotated[int, typer.Option(help="Buildings to learn from.", min=0)] = 40,
    held_out: Annotated[int, typer.Option(help="Of either, to judge by, which nothing is learned from.", min=1)] = 10,
    first: Annotated[int, typer.Option(help="Seed of the first of each.", min=0)] = 1,
    steps: Annotated[int, typer.Option(help="Optimiser steps.", min=1)] = 4000,
    seed: Annotated[int, typer.Option(help="Of weights, batches, lasers and ways.")] = 0,
    workers: Annotated[int, typer.Option(help="Drives at a time; 0: one a core.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Learn which fits of two scans are right, where walls are alike."""
    from ami_ros.app.scans_run import ScanJob, run

    run(ScanJob(out, corridors, buildings, held_out, first, steps, seed, workers, json))
