"""`ami bench memory`: how memory does with many places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from ami_ros.evaluation.memory_search import SearchTiming


def main(
    model: Annotated[Path | None, typer.Option(help="Folder with a home.memory; else the one that ships.")] = None,
    entries: Annotated[int, typer.Option(help="Places.", min=1000, max=5_000_000)] = 100_000,
    million: Annotated[bool, typer.Option(help="Search among a million places, too: minutes, and 4 GB.")] = False,
    queries: Annotated[int, typer.Option(help="Recalls of each kind.", min=10, max=100_000)] = 1000,
    scratch: Annotated[Path | None, typer.Option(help="Folder on the disk to measure; else one of temp files.")] = None,
    seed: Annotated[int, typer.Option(help="Of places and queries.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Measure a large memory on one thread: recall, filters, routes, appends, reload, disk and RAM."""
    import tempfile

    import torch
    from rich.console import Console

    from ami_ros.evaluation.memory_load import MemoryAtWork, write_town
    from ami_ros.evaluation.memory_search import time_searches
    from ami_ros.evaluation.memory_town import build_town
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.share import share
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    console = Console(emoji=False)
    folder = model or share("models", "onboard")
    loaded = load_model(folder)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ami_bench_", dir=scratch) as name, console.status("working") as status:
        for size in (entries, 1_000_000) if million else (entries,):
            status.update(f"searching among {size} places")
            town = build_town(loaded, folder / "home.memory", size, queries, seed)
            timings = time_searches(loaded.model, town)
            console.print(_search_table(timings, size))
            figures |= _search_figures(timings, size)
        work: dict[str, Any] = {}
        town = build_town(loaded, folder / "home.memory", entries, queries, seed)
        for pictures in (True, False):
            status.update(f"writing {entries} places")
            work |= write_town(town, loaded, Path(name) / f"town{pictures}.memory", pictures)
        memory = MemoryAtWork(town, loaded, Path(name) / "townFalse.memory", seed)
        try:
            work |= memory.figures
            for label, measure in (
                ("recalling", memory.recalls),
                ("finding ways", memory.routes),
                ("adding places", memory.appends),
            ):
                status.update(label)
                work |= measure()
        finally:
            memory.close()
    console.print(_work_table(work, entries))
    if json is not None:
        settings = {"encoder_id": loaded.encoder_id, "entries": entries, "queries": queries, "seed": seed}
        write_json(json, figures | work | settings | hardware())


def _short(size: int) -> str:
    """100000 -> 100k."""
    return f"{size // 1_000_000}m" if size % 1_000_000 == 0 else f"{size // 1000}k"


def _search_figures(timings: Sequence[SearchTiming], size: int) -> dict[str, float]:
    figures = {}
    for timing in timings:
        # Ours has no name: `recall_100k_p99_ms`.
        name = "recall" if timing.name == "ours" else timing.name.lower().replace(" ", "_").replace(",", "_")
        for unit in ("p50_ms", "p99_ms", "recall", "build_s"):
            figures[f"{name}_{_short(size)}_{unit}"] = getattr(timing, unit)
    return figures


def _search_table(timings: Sequence[SearchTiming], size: int) -> Table:
    from rich.table import Table

    table = Table(title=f"10 neighbours among {size} places", title_justify="left", box=None, padding=(0, 3, 0, 0))
    table.add_column("search")
    for name in ("build, s", "p50, ms", "p99, ms", "recall@10"):
        table.add_column(name, justify="right")
    for t in timings:
        table.add_row(t.name, f"{t.build_s:.2f}", f"{t.p50_ms:.2f}", f"{t.p99_ms:.2f}", f"{t.recall:.3f}")
    return table


def _work_table(work: dict[str, Any], size: int) -> Table:
    from rich.table import Table

    table = Table(title=f"A memory of {size} places at work", title_justify="left", box=None, padding=(0, 3, 0, 0))
    table.add_column("figure")
    table.add_column("", justify="right")
    for name, value in work.items():
        table.add_row(name.replace("_", " "), str(value))
    return table
