"""`ami bench predict`: where people will be, on recorded trajectories."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    files: Annotated[list[Path], typer.Argument(help="Recorded walkers, with the columns of ETH and UCY.")],
    horizon: Annotated[float, typer.Option(help="How far ahead [s]; benches of the field take 4.8.", min=0.4)] = 4.8,
    wander: Annotated[float | None, typer.Option(help="In place of prediction.wander [m/s^1.5].", min=0.0)] = None,
    seed: Annotated[int, typer.Option(help="Of the tracker's noise.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Predict recorded people as the planner does, and measure the error and its calibration."""
    from dataclasses import replace

    from rich.console import Console
    from rich.table import Table

    from ami_ros.evaluation.prediction_bench import measure
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.moving.prediction import PredictionConfig

    config = PredictionConfig() if wander is None else replace(PredictionConfig(), wander=wander)
    figures = {path.name: measure(str(path), horizon, seed, config) for path in files}
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("predictor", "n", "ADE m", "FDE m", "p95 m", "in 50 %", "in 90 %", "nll"):
        table.add_column(column, no_wrap=True)
    for name, found in figures.items():
        table.add_row(f"[bold]{name.split('.')[0]}[/]")
        for predictor, own in found.items():
            if own["n"]:
                shares = (f"{own[key]:.3f}" for key in ("ade_m", "fde_m", "fde_p95_m", "within_50", "within_90", "nll"))
                table.add_row(predictor.replace("_", " "), str(own["n"]), *shares)
    Console(emoji=False).print(table)
    if json is not None:
        about = {"horizon_s": horizon, "seed": seed, "wander": config.wander}
        write_json(json, {"files": figures} | about | hardware())
