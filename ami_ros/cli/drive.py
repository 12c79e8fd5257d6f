"""`ami drive`: starts the stack on a robot, or on a simulated one, and keeps it running."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.options import command


@dataclass(frozen=True)
class DriveSettings:
    """Start the stack on a robot and keep it running until Ctrl-C. It keeps what it learns of places in a file.

    The robot stands until you send it somewhere. Use the page whose address is printed, or another shell: ami goto, ami
    explore, ami patrol and ami stop, with the same ROS_DOMAIN_ID (0 if it is not set).

    Nodes find each other on this machine only. If the robot's drivers run on another machine, export
    ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET first.

    Exit code: 0 after Ctrl-C, 2 if something is missing or could not be restarted.
    """

    robot: Annotated[str | None, typer.Option(help="Robot in config/robots, or its file. Not needed with --sim.")] = (
        None
    )
    model: Annotated[
        str, typer.Option(help="Folder or name of the model. Default: the shipped one that fits the robot.")
    ] = ""
    memory: Annotated[
        Path | None,
        typer.Option(help="File to remember places in. It is made if missing. Default: ROBOT.memory, here."),
    ] = None
    forget: Annotated[bool, typer.Option("--forget", help="Write no file: forget everything at the end.")] = False
    sim: Annotated[bool, typer.Option("--sim", help="Start a simulated robot as well.")] = False
    world: Annotated[str, typer.Option(help="With --sim: a world, a world file, or building:SEED.")] = "home"
    seed: Annotated[int, typer.Option(help="With --sim: random seed of start and noise.", min=0)] = 0
    sim_time: Annotated[bool, typer.Option("--sim-time", help="Take the time from /clock, as with Gazebo.")] = False
    namespace: Annotated[str, typer.Option(help="Namespace of the robot's topics and of all nodes.")] = ""
    site: Annotated[
        str, typer.Option(help="Share what the robot remembers with the robots of this site; docs/fleet.md.")
    ] = ""
    composed: Annotated[
        bool, typer.Option("--composed", help="Run all nodes in one process, which takes less memory.")
    ] = False
    keep_out: Annotated[
        Path | None,
        typer.Option(help="YAML file of a map. The robot keeps out of its black cells."),
    ] = None
    params: Annotated[Path | None, typer.Option(help="File with further ROS parameters.")] = None
    no_console: Annotated[bool, typer.Option("--no-console", help="Serve no page. See ami console.")] = False
    host: Annotated[str, typer.Option(help="Address of the page. 0.0.0.0 lets others on the network open it.")] = (
        "127.0.0.1"
    )
    port: Annotated[
        int | None, typer.Option(help="Port of the page. Default: the first free one from 8770.", min=0, max=65535)
    ] = None


main = command(DriveSettings, "ami_ros.cli.drive_run:drive")
