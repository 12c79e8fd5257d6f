"""`ami bench control`: measures this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def main(
    model: Annotated[Path | None, typer.Option(help="Folder; else models/general.")] = None,
    places: Annotated[int, typer.Option(help="Remembered places.", min=2, max=200_000)] = 1000,
    repeats: Annotated[int, typer.Option(help="Calls of each part.", min=2, max=100_000)] = 100,
    seed: Annotated[int, typer.Option(help="Of images, latents and queries.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Measure how long each part of the control loop takes on this machine, on one thread."""
    import tempfile

    from rich.console import Console
    from rich.table import Table

    from ami_ros.evaluation.latency import time_control
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.share import share
    from ami_ros.world_model.inference_loading import load_inference

    console = Console(emoji=False)
    loaded = load_inference(model or share("models", "general"))
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch, console.status("measuring"):
        timings = time_control(loaded, places, repeats, seed, Path(scratch))
    table = Table(box=None, padding=(0, 3, 0, 0))
    table.add_column("part")
    table.add_column("on")
    table.add_column("p50, ms", justify="right")
    table.add_column("p95, ms", justify="right")
    for timing in timings:
        table.add_row(timing.name, timing.size, f"{timing.p50_ms:.2f}", f"{timing.p95_ms:.2f}")
    console.print(table)
    if json is not None:
        figures: dict[str, Any] = {}
        for timing in timings:
            figures |= {f"{timing.name}_p50_ms": timing.p50_ms, f"{timing.name}_p95_ms": timing.p95_ms}
        settings = {"encoder_id": loaded.encoder_id, "places": places, "repeats": repeats, "seed": seed}
        write_json(json, figures | settings | hardware())
