"""`ami drive`: starts the stack on a robot, or on a simulated one, and keeps it running."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    robot: Annotated[
        str | None, typer.Option(help="Name of a robot in config/robots, or its file; needed without --sim.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Folder or name of the model; else the one that comes for the robot.")
    ] = "",
    memory: Annotated[
        Path | None,
        typer.Option(help="File in which it remembers places; made if missing. Default: ROBOT.memory, here."),
    ] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Remember until the end only, and write no file.")] = False,
    sim: Annotated[bool, typer.Option("--sim", help="Start a simulated robot as well.")] = False,
    world: Annotated[str, typer.Option(help="With --sim: a world, a world file, or building:SEED.")] = "home",
    seed: Annotated[int, typer.Option(help="With --sim: of start and noise.", min=0)] = 0,
    sim_time: Annotated[bool, typer.Option("--sim-time", help="Take the time from /clock, as beside Gazebo.")] = False,
    namespace: Annotated[str, typer.Option(help="Of the robot's topics and of all nodes.")] = "",
    composed: Annotated[bool, typer.Option("--composed", help="All nodes in one process: less memory.")] = False,
    keep_out: Annotated[
        Path | None,
        typer.Option(help="YAML file of a map in the memory's frame; the robot keeps out of its black cells."),
    ] = None,
    params: Annotated[Path | None, typer.Option(help="File of further ROS parameters.")] = None,
    no_console: Annotated[bool, typer.Option("--no-console", help="No page; see ami console.")] = False,
    host: Annotated[str, typer.Option(help="Address of the page; 0.0.0.0: others on the network, too.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Of the page; else the first free one from 8765.")] = None,
) -> int:
    """Start the stack on a robot and keep it running until Ctrl-C; what it learns of places is kept in a file.

    The robot stands until it is sent somewhere: on the page that it serves, or by ami goto, ami explore, ami patrol and
    ami stop in another shell, with the same ROS_DOMAIN_ID (0 if it is not set). Nodes meet on this machine only, unless
    ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET is exported, as it has to be where the robot's drivers run on another.

    Exit code: 0 after Ctrl-C, 2 if something is missing or ended for good.
    """
    from ami_ros.app.drive_run import DriveSettings, drive

    page = None if no_console else (host, port)
    settings = (robot, model, memory, forget, sim, world, seed, sim_time, namespace, composed, keep_out, params, page)
    return drive(DriveSettings(*settings))
