"""`ami bench soak`: a whole stack for a long time, to which things happen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    minutes: Annotated[float, typer.Option(help="How long to go on.", min=0.1, max=10_000)] = 60.0,
    seed: Annotated[int, typer.Option(help="Of what happens.", min=0)] = 0,
    domain_id: Annotated[int | None, typer.Option(help="ROS domain; else ROS_DOMAIN_ID, or one that is free.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Run the nodes as processes around a kinematic robot: goals, newer goals, cancels, drop-outs of all sensors, and
    for the first part of the time kills. Commands that are not finite, over a limit, or not zero while a node is
    missing count as unsafe; memory, threads and descriptors are compared where nothing was killed."""
    import tempfile

    from rich.console import Console

    from ami_ros.app.demo_domain import join_domain
    from ami_ros.app.demo_stack import NODES
    from ami_ros.app.shared_memory import orphaned_segments
    from ami_ros.app.soak_run import SoakRun
    from ami_ros.errors import AmiError
    from ami_ros.evaluation.report import hardware, write_json

    console, before = Console(highlight=False), orphaned_segments()
    context = join_domain(domain_id, NODES)
    try:
        with tempfile.TemporaryDirectory(prefix="ami_soak_") as folder:
            run = SoakRun(context, Path(folder), 60 * minutes, seed)
            run.run()
    finally:
        context.try_shutdown()
    figures = run.record.figures(len(orphaned_segments() - before))
    for name, value in figures.items():
        console.print(f"{name:36} {value}", soft_wrap=True)
    if json is not None:
        write_json(json, figures | {"minutes": minutes, "seed": seed} | hardware())
    if any(figures[f"soak_{name}"] for name in ("commands_unsafe", "processes_left", "shared_memory_left")):
        raise AmiError("the stack did not keep its word; the lines above say how")
