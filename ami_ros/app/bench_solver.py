"""`ami bench solver`: our solvers against each other and against stable-worldmodel's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from ami_ros.evaluation.solver_race import Lane
    from ami_ros.planning.protocols import Dynamics
    from ami_ros.world_model.model import WorldModel


def main(
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that ships.")] = None,
    world: Annotated[str, typer.Option(help="Where moments to plan from are taken.")] = "home",
    moments: Annotated[int, typer.Option(help="Starts with a near goal each.", min=1, max=10_000)] = 20,
    tolerance: Annotated[float, typer.Option(help="Cost by which a plan may be worse and counts as equal [m].")] = 0.01,
    without_swm: Annotated[bool, typer.Option("--without-swm", help="Only our own solvers.")] = False,
    onnx: Annotated[bool, typer.Option("--onnx", help="Ours by ONNX Runtime as well (extra onnx).")] = False,
    seed: Annotated[int, typer.Option(help="Of moments and noise.", min=0)] = 0,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """How soon each solver has how good a plan: same model, same cost, same moments, one thread, in one run."""
    import torch
    from rich.console import Console
    from rich.progress import track

    from ami_ros.evaluation.planning_cases import sample_cases
    from ami_ros.evaluation.report import hardware, write_json
    from ami_ros.evaluation.runtimes import runtimes
    from ami_ros.evaluation.solver_race import race
    from ami_ros.evaluation.swm.rivals import load_rivals
    from ami_ros.share import share
    from ami_ros.world_model.checkpoint import load_model

    torch.set_num_threads(1)
    console = Console()
    rivals = {} if without_swm else load_rivals()
    loaded = load_model(model or share("models", "onboard"))
    with console.status("rendering moments"):
        sampled = sample_cases(loaded, world, moments, seed)
        imagining = runtimes(loaded, onnx)
    rounds = race(loaded.model, sampled, rivals, seed, tolerance, imagining.get("onnx"))
    *_, lanes = track(rounds, "searching", len(sampled), console=console, transient=True)
    figures = _show(lanes, console)
    with console.status("timing matrix products"):
        figures |= _floor(loaded.model, imagining, sampled[0], seed, console)
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


def _floor(model: WorldModel, imagining: dict[str, Dynamics], moment: Any, seed: int, console: Any) -> dict[str, Any]:
    """Times one plan of the planner as configured, by each runtime, beside its matrix products alone."""
    import numpy as np

    from ami_ros.evaluation.matrix_floor import Floor, products_of, time_in_turn
    from ami_ros.evaluation.runtimes import figure
    from ami_ros.planning.planner import LatentPlanner, PlannerConfig
    from ami_ros.planning.protocols import Target

    planners = {name: LatentPlanner(by, PlannerConfig(deadline=60.0), seed) for name, by in imagining.items()}

    def plan_by(planner: LatentPlanner) -> Callable[[], object]:
        return lambda: planner.plan(0.0, moment.latent, (0.0, 0.0), moment.scan, Target(moment.goal, None, True))

    plans = [plan_by(planner) for planner in planners.values()]
    seconds = 1000 * time_in_turn([Floor(products_of(model, plans[0])), *plans], repeats=40)
    floor = float(np.median(seconds[:, 0]))
    size = planners["fp32"].budget.size
    line = f"one plan ({size}), p50 of 40 in turn; its matrix products alone: {floor:.1f} ms"
    console.print(line, highlight=False, soft_wrap=True)
    figures: dict[str, Any] = {"floor_p50_ms": round(floor, 2)}
    for column, name in enumerate(planners, 1):
        whole, ratio = float(np.median(seconds[:, column])), float(np.median(seconds[:, column] / seconds[:, 0]))
        console.print(f"  {name}: {whole:.1f} ms, {ratio:.2f} times that", highlight=False)
        key = figure("plan", name)
        figures |= {f"{key}_p50_ms": round(whole, 2), f"{key}_to_floor_ratio": round(ratio, 3)}
    return figures
