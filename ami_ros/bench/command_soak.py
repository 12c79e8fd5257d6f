"""`ami bench soak`: a whole stack for a long time, to which things happen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    minutes: Annotated[float, typer.Option(help="How long to go on.", min=0.1, max=10_000)] = 60.0,
    seed: Annotated[int, typer.Option(help="Of what happens.", min=0)] = 0,
    domain_id: Annotated[int | None, typer.Option(help="ROS domain. Default: ROS_DOMAIN_ID, or a free one.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Run the nodes as processes around a simple simulated robot, and look for unsafe commands and leaks.

    It sends goals, replaces and cancels them, drops all sensors, and at first kills nodes. A command is unsafe if it is
    not finite, over a limit, or not zero while a node is missing. Memory, threads and descriptors are compared over the
    time without kills."""
    import tempfile

    from rich.console import Console

    from ami_ros.bench.demo.stack import NODES
    from ami_ros.bench.report import hardware, write_json
    from ami_ros.bench.soak import LONG_ENOUGH, SoakRun, floors
    from ami_ros.core.errors import AmiError
    from ami_ros.ros.start.domain import orphaned_segments
    from ami_ros.ros.start.join import join_domain

    console, before = Console(emoji=False, highlight=False), orphaned_segments()
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
    broken = []
    for floor in floors(figures):
        word = "kept" if floor.kept else "broken; is the machine busy?" if floor.by_machine else "broken"
        console.print(f"{floor.name:36} {floor.value:g}, at most {floor.most:g}: {word}", soft_wrap=True)
        broken += [] if floor.kept or floor.by_machine else [floor.name]
    if figures["soak_quiet_min"] < LONG_ENOUGH:
        console.print(f"slopes of memory say nothing: less than {LONG_ENOUGH:g} min without kills", soft_wrap=True)
    if broken:
        raise AmiError(f"the stack did not keep its word: {', '.join(broken)}")
