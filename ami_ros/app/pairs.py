"""`ami pairs`: teaches a model to compare pictures, in buildings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[Path, typer.Argument(help="Model folder. Its memories stay valid.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    views: Annotated[
        Path, typer.Option(help="Folder for pictures of the buildings. Pictures that it already has are reused.")
    ],
    buildings: Annotated[int, typer.Option(help="Number of buildings to learn from.")] = 100,
    first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 1,
    bare: Annotated[
        int, typer.Option(help="Number of plain buildings (building:bare:0, ...) to learn from as well.")
    ] = 0,
    held_out: Annotated[
        int, typer.Option(help="Number of buildings for setting thresholds only. Nothing is learned from them.")
    ] = 20,
    held_out_first: Annotated[int, typer.Option(help="Seed of the first of these buildings.")] = 90_000,
    steps: Annotated[int, typer.Option(help="Number of optimiser steps. For a robot take ten times as many.")] = 2000,
    seed: Annotated[int, typer.Option(help="Random seed of weights and batches.")] = 0,
    workers: Annotated[int, typer.Option(help="Number of buildings to draw in parallel. 0: one for each core.")] = 0,
    threads: Annotated[int, typer.Option(help="Number of cores to learn with. 0: all.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the model. Default: the name of its folder.")] = "",
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Teach a model to compare two pictures, and measure in other buildings how reliable that is."""
    from ami_ros.app.pairs_run import PairJob, run

    learned = tuple(range(first, first + buildings))
    kept = tuple(range(held_out_first, held_out_first + held_out))
    name = name or out.resolve().name
    run(PairJob(model, out, views, learned, kept, steps, seed, workers, threads, name, json, bare=bare))
