"""`ami bench solver`: our solvers against each other and against stable-worldmodel's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ami_ros.evaluation.solver_race import Lane


def main(
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that ships.")] = None,
    world: Annotated[str, typer.Option(help="Where moments to plan from are taken.")] = "home",
    moments: Annotated[int, typer.Option(help="Starts with a near goal each.", min=1, max=10_000)] = 20,
    tolerance: Annotated[float, typer.Option(help="Cost by which a plan may be worse and counts as equal [m].")] = 0.01,
    without_swm: Annotated[bool, typer.Option("--without-swm", help="Only our own solvers.")] = False,
    seed: Annotated[int, typer.Option(help="Of moments and noise.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """How soon each solver has how good a plan: same model, same cost, same moments, one thread, in one run."""
    import torch
    from rich.console import Console
    from rich.progress import track

    from ami_ros.evaluation.planning_cases import sample_cases
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.evaluation.solver_race import race
    from ami_ros.evaluation.swm.rivals import load_rivals
    from ami_ros.share import share
    from ami_ros.world_model.by_torch import on_arrays
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    console = Console(emoji=False)
    rivals = {} if without_swm else load_rivals()
    loaded = load_model(model or share("models", "onboard"))
    with console.status("rendering moments"):
        sampled = sample_cases(loaded, world, moments, seed)
    rounds = race(on_arrays(loaded.model), sampled, rivals, seed, tolerance)
    *_, lanes = track(rounds, "searching", len(sampled), console=console, transient=True)
    figures = _show(lanes, console)
    if json is not None:
        settings = {"encoder_id": loaded.encoder_id, "world": world, "moments": moments, "tolerance_m": tolerance}
        write_json(json, figures | settings | {"seed": seed} | hardware())


def _show(lanes: dict[str, Lane], console: Any) -> dict[str, Any]:
    """Prints a row for each solver; returns the same as flat figures."""
    import numpy as np
    from rich.table import Table

    from ami_ros.evaluation.solver_race import percentiles_ms

    yardstick = next(iter(lanes.values()))
    least = np.asarray(yardstick.cost)
    names = ["solver", "p50, ms", "p95, ms", "above, mm", "equal in", "after, ms", "faster by"]
    table = Table(*names, box=None, padding=(0, 2, 0, 0), title=f"yardstick: the cost that {yardstick.name} finds")
    figures: dict[str, Any] = {"yardstick": yardstick.name}
    for lane in lanes.values():
        p50, p95 = percentiles_ms(lane.seconds)
        above = 1000 * float(np.median(np.asarray(lane.cost) - least))
        reached = float(np.isfinite(lane.to_equal).mean())
        equal = float(percentiles_ms(lane.to_equal)[0])
        faster = float(percentiles_ms(yardstick.seconds)[0]) / equal
        row = (f"{p50:.1f}", f"{p95:.1f}", f"{above:+.0f}", f"{reached:.0%}", f"{equal:.1f}", f"{faster:.1f}")
        table.add_row(lane.name, *row)
        key = lane.name
        figures |= {
            f"{key}_search_p50_ms": round(float(p50), 2),
            f"{key}_search_p95_ms": round(float(p95), 2),
            f"{key}_cost_above_p50_mm": round(above, 2),
            f"{key}_reached_ratio": reached,
            f"{key}_to_equal_cost_p50_ms": round(equal, 2) if np.isfinite(equal) else None,
            f"{key}_faster_by_ratio": round(faster, 2),
        }
    console.print(table)
    sizes = dict.fromkeys(lane.size for lane in lanes.values())
    console.print(
        f"one search: {', ours '.join(sizes)}; above: its cost over the yardstick's, p50",
        highlight=False,
        soft_wrap=True,
    )
    return figures
