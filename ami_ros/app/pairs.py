"""`ami pairs`: teaches a model to compare pictures, in buildings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    model: Annotated[Path, typer.Argument(help="Model folder; its latents stay, and so do its memories.")],
    out: Annotated[Path, typer.Option(help="Model folder to write.")],
    views: Annotated[Path, typer.Option(help="Folder for the pictures of the buildings; those there are used again.")],
    buildings: Annotated[int, typer.Option(help="Buildings to learn from.")] = 100,
    first: Annotated[int, typer.Option(help="Seed of the first of them.")] = 1,
    bare: Annotated[int, typer.Option(help="Plain buildings (building:bare:0 and on) to learn from besides.")] = 0,
    held_out: Annotated[int, typer.Option(help="Buildings to find thresholds in, which nothing is learned from.")] = 20,
    held_out_first: Annotated[int, typer.Option(help="Seed of the first of them.")] = 90_000,
    steps: Annotated[int, typer.Option(help="Optimiser steps; to drive with, ten times as many.")] = 2000,
    seed: Annotated[int, typer.Option(help="Of weights and batches.")] = 0,
    workers: Annotated[int, typer.Option(help="Buildings drawn at a time; 0: one a core.")] = 0,
    threads: Annotated[int, typer.Option(help="Cores to learn with; 0: all.")] = 0,
    name: Annotated[str, typer.Option(help="Name of the model; the default is the folder's.")] = "",
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Learn to compare two pictures cell by cell, and find out in other buildings how far that can be relied on."""
    from ami_ros.app.pairs_run import PairJob, run

    learned = tuple(range(first, first + buildings))
    kept = tuple(range(held_out_first, held_out_first + held_out))
    name = name or out.resolve().name
    run(PairJob(model, out, views, learned, kept, steps, seed, workers, threads, name, json, bare=bare))
