"""`ami bench ablation`: what each loss, and each architecture, brings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ami_ros.evaluation.ablation import Outcome
    from ami_ros.learning.selection import Selection


def main(
    data: Annotated[Path, typer.Argument(help="Data set with ground truth, as ./ami extract writes it.")],
    out: Annotated[Path, typer.Option(help="Folder for what is done; an interrupted bench goes on there.")] = Path(
        "ablation"
    ),
    steps: Annotated[int, typer.Option(help="Of the optimiser, for each variant.", min=1)] = 600,
    only: Annotated[list[str] | None, typer.Option(help="Variants; may be repeated. None: all.")] = None,
    preset: Annotated[str, typer.Option(help="What variants differ from.")] = "onboard",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value of all variants, as of ./ami train.")
    ] = None,
    episodes: Annotated[int, typer.Option(help="The first ones of the data set; 0: all.", min=0)] = 0,
    hold_out: Annotated[int, typer.Option(help="Of so many episodes one is measured on.", min=2)] = 5,
    frames: Annotated[int, typer.Option(help="Measured on at most.", min=100)] = 9000,
    seed: Annotated[int, typer.Option(help="Of weights, batches and measuring.", min=0)] = 0,
    threads: Annotated[int, typer.Option(help="Cores to use.", min=1)] = 1,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Train variants of one model on the same episodes, steps and seed, and measure them on episodes held out."""
    from dataclasses import replace

    import torch
    from rich.console import Console

    from ami_ros.app.train_run import has_bfloat16
    from ami_ros.config import with_settings
    from ami_ros.errors import AmiError
    from ami_ros.evaluation.ablation import chosen, run_variant
    from ami_ros.learning.presets import PRESETS

    variants = chosen(only or [])
    if preset not in PRESETS:
        raise AmiError(f"bench ablation: no preset '{preset}'; known are {', '.join(PRESETS)}")
    torch.set_num_threads(threads)
    # Without what is learned on finished latents, and leaves them alone.
    spec = replace(PRESETS[preset].spec.without_learned_heads(), sight_code=0)
    base = replace(PRESETS[preset], steps=steps, seed=seed, spec=spec)
    base = with_settings(replace(base, bfloat16=base.bfloat16 and has_bfloat16()), settings or (), "--set")
    console = Console(highlight=False)
    parts = _split(data, hold_out, episodes)
    outcomes = []
    for number, variant in enumerate(variants, 1):
        console.print(f"{number} of {len(variants)}: {variant.name}, {variant.what}", soft_wrap=True)
        with _bar(console) as report:
            outcomes.append(run_variant(variant, base, parts, frames, out / variant.name, report))
    title = f"{steps} steps on {len(parts[0]):,} frames, measured on {min(frames, len(parts[1])):,} others, seed {seed}"
    _show(outcomes, title, console)
    if json is not None:
        _write(json, outcomes, {"steps": steps, "seed": seed, "frames": frames, "threads": threads})


def _split(data: Path, hold_out: int, episodes: int) -> tuple[Selection, Selection]:
    from ami_ros.errors import AmiError
    from ami_ros.learning.dataset import Dataset
    from ami_ros.learning.selection import split

    whole = Dataset(data)
    if not whole.card.has_truth:
        raise AmiError(f"bench ablation: {data} has no true poses to probe; record it with ./ami collect")
    try:
        return split(whole, hold_out, episodes)
    except ValueError as error:
        raise AmiError(f"bench ablation: {error}; lower --hold-out or record more") from error


def _bar(console: Any) -> Any:
    """A context that gives a function to report to: a bar of its own for each thing that is done."""
    from collections.abc import Iterator
    from contextlib import contextmanager

    from ami_ros.app.extract_run import progress_bar

    @contextmanager
    def shown() -> Iterator[Any]:
        with progress_bar(console) as bar:
            tasks: dict[str, Any] = {}

            def report(what: str, done: int, total: int) -> None:
                if what not in tasks:
                    tasks[what] = bar.add_task(what)
                bar.update(tasks[what], completed=done, total=total)

            yield report

    return shown()


def _show(outcomes: list[Outcome], title: str, console: Any) -> None:
    from rich.table import Table

    from ami_ros.evaluation.ablation import FIGURES

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    table.add_column("variant", overflow="fold")  # never cut off
    for figure in FIGURES:
        table.add_column(figure.title, justify="right")
    for outcome in outcomes:
        table.add_row(outcome.variant.name, *outcome.cells())
    console.print(table)


def _write(file: Path, outcomes: list[Outcome], settings: dict[str, Any]) -> None:
    from ami_ros.evaluation.report import hardware, write_json

    figures = {f"{o.variant.name}_{key}": value for o in outcomes for key, value in o.figures.items()}
    write_json(file, figures | settings | hardware())
