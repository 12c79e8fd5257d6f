"""Share the memories of many robots in one Lance data set. It needs the extra `lance`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ami_ros.errors import AmiError


def export_memory(
    memory: Annotated[Path, typer.Argument(help="Memory file; it stays as it is.")],
    folder: Annotated[Path, typer.Argument(help="Data set, made if it is not there.")],
    robot: Annotated[str, typer.Option(help="Whose memory it is; what it had sent before is replaced.")],
) -> None:
    """Add a robot's memory to a Lance data set."""
    from ami_ros.places import fleet

    places, ways = fleet.export_memory(memory, folder, robot)
    typer.echo(f"{places} places and {ways} ways of {robot} are in {folder}")


def import_memory(
    folder: Annotated[Path, typer.Argument(help="Data set.")],
    out: Annotated[Path | None, typer.Argument(help="Memory file to write.")] = None,
    robot: Annotated[str, typer.Option(help="Whose memory; empty: list whose there are.")] = "",
) -> None:
    """Write a memory from a Lance data set. The service ~/merge adds it to the memory of a robot."""
    from ami_ros.places import fleet

    if not robot:
        typer.echo("\n".join(fleet.robots_of(folder)))
        return
    if out is None:
        raise AmiError("fleet import: name the memory file to write")
    places, ways = fleet.import_memory(folder, robot, out)
    typer.echo(f"{places} places and {ways} ways of {robot} are in {out}")


PARTS = {"export": export_memory, "import": import_memory}
