"""`ami bench legs`: people in scans of real lasers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    bags: Annotated[list[Path], typer.Argument(help="ROS 1 bags of leg_tracker: scans, and positions of legs.")],
    arc: Annotated[float, typer.Option(help="To each side, where legs are labelled [degrees].", min=1, max=180)] = 15.0,
    reach: Annotated[float, typer.Option(help="How far off legs are labelled [m].", min=0.5, max=50)] = 5.0,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Find people in labelled scans. It gives precision, recall and F1 at 0.5 m, and CPU time per scan."""
    import math

    from rich.console import Console
    from rich.table import Table

    from ami_ros.evaluation.legs_bench import measure, together
    from ami_ros.evaluation.report import hardware, write_json

    figures = [measure(bag, math.radians(arc), reach) for bag in bags]
    figures += [together(figures)] if len(figures) > 1 else []
    names = "bag", "scans", "found", "missed", "false", "aside", "precision", "recall", "F1", "ms p50, p95"
    table = Table(*names, box=None, padding=(0, 2, 0, 0))
    for f in figures:
        counts = map(str, (len(f.seconds), f.found, f.missed, f.false, f.elsewhere))
        rates = (f"{rate:.3f}" for rate in (f.precision, f.recall, f.f1))
        table.add_row(
            f.name.removesuffix(".bag"), *counts, *rates, f"{f.milliseconds(50):.1f}, {f.milliseconds(95):.1f}"
        )
    Console(emoji=False).print(table)
    if json is not None:
        write_json(json, {"arc_deg": arc, "reach_m": reach, "bags": [f.to_json() for f in figures]} | hardware())
