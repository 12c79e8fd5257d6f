"""`ami world`: shows a world, or writes its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from ami_ros.simulation.free_space import FreeSpace


PeopleOption = Annotated[int | None, typer.Option(help="People who walk about in the world. See docs/worlds.md.")]
ChangedOption = Annotated[float, typer.Option(help="Share of the furniture to move, add or take away.")]
LightOption = Annotated[str, typer.Option(help="day, night, lamps_off, dim, other_lamps or sun_patch.")]


def visited(*arguments: Any, **options: Any) -> str:
    """See `ami_ros.simulation.visit.visited`, which is imported when it is needed: help texts do without."""
    from ami_ros.simulation import visit

    return visit.visited(*arguments, **options)


def main(
    world: Annotated[str, typer.Argument(help="A world that comes with the package, a world file, or building:SEED.")],
    people: PeopleOption = None,
    changed: ChangedOption = 0.0,
    light: LightOption = "",
    picture: Annotated[
        Path | None, typer.Option(help="PNG file to write: the plan, and views from where a robot can be.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="World file to write.")] = None,
    sdf: Annotated[
        Path | None, typer.Option(help="Folder to write it into for Gazebo: an SDFormat world, meshes, pictures.")
    ] = None,
    robot: Annotated[
        str | None, typer.Option(help="With --sdf: a robot to put into it, by its name in config/robots or its file.")
    ] = None,
    views: Annotated[int, typer.Option(help="Number of views in the picture.")] = 8,
    seed: Annotated[int, typer.Option(help="Random seed of the views, and of where the robot starts.")] = 0,
) -> None:
    """Show a world: size and rooms, a picture, its file, and a version for Gazebo."""
    from ami_ros.cli.world_picture import draw_world
    from ami_ros.simulation.free_space import FreeSpace
    from ami_ros.simulation.world_file import load_world, save_world

    found = load_world(visited(world, people, changed, light))
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
    if sdf is not None:
        typer.echo(f"for Gazebo: {_write_sdf(space, sdf, robot, seed)}")
    elif robot is not None:
        raise AmiError("--robot goes with --sdf: it says which robot stands in the world")
    if picture is not None:
        draw_world(picture, space, views, seed)
        typer.echo(f"picture: {picture}")


def _write_sdf(space: FreeSpace, folder: Path, robot: str | None, seed: int) -> Path:
    """Writes the world of `space`, with `robot` in it at a random place of its start area."""
    import numpy as np

    from ami_ros.core.robots.description import load_robot
    from ami_ros.simulation.free_space import FreeSpace
    from ami_ros.simulation.gazebo.robot_sdf import robot_model
    from ami_ros.simulation.gazebo.world_sdf import write_world

    if robot is None:
        return write_world(space.world, folder)
    described = load_robot(robot)
    pose = FreeSpace(space.world, radius=described.shape.radius).sample_start(np.random.default_rng(seed))
    return write_world(space.world, folder, robot_model(described), pose.tolist())
