"""`ami fleet export`: adds a memory to the data set of a fleet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    memory: Annotated[Path, typer.Argument(help="Memory file; it stays as it is.")],
    folder: Annotated[Path, typer.Argument(help="Data set, made if it is not there.")],
    robot: Annotated[str, typer.Option(help="Whose memory it is; what it had sent before is replaced.")],
) -> None:
    """Add a robot's memory to a Lance data set."""
    from ami_ros.memory.fleet import export_memory

    places, ways = export_memory(memory, folder, robot)
    typer.echo(f"{places} places and {ways} ways of {robot} are in {folder}")
