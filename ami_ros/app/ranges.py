"""`ami ranges`: teaches a network to make scans of pictures, in buildings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[
        Path, typer.Argument(help="Model folder that compares pictures; the network begins with its maps.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the network.")],
    views: Annotated[Path, typer.Option(help="Folder for the pictures of the buildings; those there are used again.")],
    buildings: Annotated[int, typer.Option(help="Buildings to learn from.")] = 100,
    first: Annotated[int, typer.Option(help="Seed of the first of them.")] = 1,
    bare: Annotated[int, typer.Option(help="Plain buildings (building:bare:0 and on) to learn from besides.")] = 0,
    held_out: Annotated[int, typer.Option(help="Buildings to judge by, which nothing is learned from.")] = 20,
    held_out_first: Annotated[int, typer.Option(help="Seed of the first of them.")] = 90_000,
    steps: Annotated[int, typer.Option(help="Optimiser steps.")] = 8000,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    workers: Annotated[int, typer.Option(help="Buildings drawn at a time; 0: one a core.")] = 0,
    threads: Annotated[int, typer.Option(help="Cores to learn with; 0: all.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Learn how far off things are that a picture shows, for robots with a camera and no laser."""
    from ami_ros.app.ranges_run import RangeJob, run

    learned = tuple(range(first, first + buildings))
    kept = tuple(range(held_out_first, held_out_first + held_out))
    run(RangeJob(model, out, views, learned, kept, bare, steps, seed, workers, threads, json))
