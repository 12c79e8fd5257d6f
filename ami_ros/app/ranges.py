"""`ami ranges`: teaches a network to make scans of pictures, in buildings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[
        Path, typer.Argument(help="Model folder that compares pictures. The network starts from its features.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the network to.")],
    views: Annotated[
        Path, typer.Option(help="Folder for pictures of the buildings. Pictures that it already has are reused.")
    ],
    buildings: Annotated[int, typer.Option(help="Number of buildings to learn from.")] = 100,
    first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 1,
    bare: Annotated[
        int, typer.Option(help="Number of plain buildings (building:bare:0, ...) to learn from as well.")
    ] = 0,
    held_out: Annotated[int, typer.Option(help="Number of buildings for testing only.")] = 20,
    held_out_first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 90_000,
    steps: Annotated[int, typer.Option(help="Number of optimiser steps.")] = 8000,
    seed: Annotated[int, typer.Option(help="Random seed of weights and batches.")] = 0,
    workers: Annotated[int, typer.Option(help="Number of buildings to draw in parallel. 0: one for each core.")] = 0,
    threads: Annotated[int, typer.Option(help="Number of cores to learn with. 0: all.")] = 0,
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Train a network to predict laser scans from images, for robots without a laser."""
    from ami_ros.app.ranges_run import RangeJob, run

    learned = tuple(range(first, first + buildings))
    kept = tuple(range(held_out_first, held_out_first + held_out))
    run(RangeJob(model, out, views, learned, kept, bare, steps, seed, workers, threads, json))
