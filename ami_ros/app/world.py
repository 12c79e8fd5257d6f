"""`ami world`: shows a world, or writes its file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    world: Annotated[str, typer.Argument(help="A world that comes with the package, a world file, or building:SEED.")],
    picture: Annotated[
        Path | None, typer.Option(help="PNG to write: the plan, and views from where a robot can be.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="World file to write.")] = None,
    views: Annotated[int, typer.Option(help="Views in the picture.")] = 8,
    seed: Annotated[int, typer.Option(help="Of where the views are taken.")] = 0,
) -> None:
    """Show a world: its size and rooms, a picture of it, its file."""
    from ami_ros.app.world_picture import draw_world
    from ami_ros.simulation.free_space import FreeSpace
    from ami_ros.simulation.world_file import load_world, save_world

    found = load_world(world)
    space = FreeSpace(found)
    width, depth = found.size
    doors, pieces = len(found.doors), len(found.furniture)
    typer.echo(
        f"{found.name}: {width:g} x {depth:g} m, {len(found.rooms)} rooms, {doors} doors, {pieces} pieces of furniture"
    )
    typer.echo(f"the robot's middle can be in {space.area:.0f} m2")
    if out is not None:
        save_world(found, out)
        typer.echo(f"world file: {out}")
    if picture is not None:
        draw_world(picture, space, views, seed)
        typer.echo(f"picture: {picture}")
