"""`ami robot`: shows a robot, or writes its models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    robot: Annotated[str, typer.Argument(help="Name of a robot in config/robots, its file, or drawn:SEED.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write model.sdf, model.config (Gazebo) and NAME.urdf into.")
    ] = None,
) -> None:
    """Show a robot's drive, limits and sensors. Write it for Gazebo and robot_state_publisher."""
    from ami_ros.core.robots.description import load_robot
    from ami_ros.simulation.gazebo.robot_sdf import write_robot

    found = load_robot(robot)
    typer.echo(f"{found.name}: {found.drive.kind}, radius {found.shape.radius:g} m, up to {found.limits.linear:g} m/s")
    for sensor in found.sensors:
        shape = " x ".join(str(n) for n in sensor.shape)
        typer.echo(f"  {sensor.name}: {shape} at {sensor.rate:g} Hz on {sensor.topic}")
    if out is not None:
        write_robot(found, out)
        typer.echo(f"model for Gazebo and URDF: {out}")
