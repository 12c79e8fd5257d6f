"""`ami bench data`: how fast experience becomes batches."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def main(
    frames: Annotated[int, typer.Option(help="Of the bag that is made up.", min=200, max=1_000_000)] = 6000,
    windows: Annotated[int, typer.Option(help="Random ones of 16 frames of 96 px.", min=10, max=1_000_000)] = 2000,
    workers: Annotated[int, typer.Option(help="Threads that decode them.", min=1, max=64)] = 2,
    steps: Annotated[int, typer.Option(help="Of a training by the preset onboard.", min=2, max=10_000)] = 20,
    seed: Annotated[int, typer.Option(help="Of pictures and windows.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Extraction from a bag, random windows from the data set, and the share of a training's time that is computing."""
    import tempfile
    from dataclasses import replace

    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from ami_ros.app.extract_run import progress_bar
    from ami_ros.app.train_run import has_bfloat16
    from ami_ros.evaluation.data_bench import record_sample, time_extraction, time_training, time_windows
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.learning.presets import PRESETS

    rng = np.random.default_rng(seed)
    preset = PRESETS["onboard"]
    half, spec = preset.bfloat16 and has_bfloat16(), replace(preset.spec.without_learned_heads(), sight_code=0)
    config = replace(preset, steps=steps, seed=seed, bfloat16=half, spec=spec)
    figures: dict[str, Any] = {}
    console = Console(emoji=False, stderr=True)
    with tempfile.TemporaryDirectory(prefix="ami_bench_") as scratch, progress_bar(console) as bar:
        task = bar.add_task("recording", total=frames)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        folder = Path(scratch)
        record_sample(folder / "bag", frames, rng, progress)
        bar.update(task, description="extracting", completed=0)
        dataset, wall, cpu = time_extraction(folder / "bag", folder / "data", progress)
        figures |= {"extraction_frames_per_s": round(wall), "extraction_frames_per_cpu_s": round(cpu)}
        bar.update(task, description="windows", completed=0)
        figures["windows_per_s"] = round(time_windows(dataset, windows, workers, rng), 1)
        for name, budget in (("memory", None), ("disk", 0.0)):
            bar.update(task, description=f"training from {name}")
            rate, share = time_training(dataset, config, folder / name, budget)
            figures |= {f"training_from_{name}_windows_per_s": round(rate * config.batch, 1)}
            figures |= {f"training_from_{name}_compute_ratio": round(share, 4)}
    table = Table("figure", "", box=None, padding=(0, 3, 0, 0))
    for figure, value in figures.items():
        table.add_row(figure, f"{value:,}")
    Console(emoji=False).print(table)
    if json is not None:
        sizes = {"frames": frames, "windows": windows, "workers": workers, "steps": steps, "seed": seed}
        write_json(json, figures | sizes | hardware())
