"""`ami fleet import`: takes a robot's memory out of the data set of a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    folder: Annotated[Path, typer.Argument(help="Data set.")],
    out: Annotated[Path | None, typer.Argument(help="Memory file to write.")] = None,
    robot: Annotated[str, typer.Option(help="Whose memory; empty: list whose there are.")] = "",
) -> None:
    """Write a memory from a Lance data set; ~/merge joins it with another robot's."""
    from ami_ros.errors import AmiError
    from ami_ros.memory.fleet import import_memory, robots_of

    if not robot:
        typer.echo("\n".join(robots_of(folder)))
        return
    if out is None:
        raise AmiError("fleet import: name the memory file to write")
    places, ways = import_memory(folder, robot, out)
    typer.echo(f"{places} places and {ways} ways of {robot} are in {out}")
