"""`ami demo`: starts simulator and stack, sends image goals, and reports how many were reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ami_ros.cli.options import command


@dataclass(frozen=True)
class DemoOptions:
    """Start the simulator and the stack, send picture goals, and report how many were reached.

    A goal is only a picture, or a pose for a robot without a camera. It counts as reached when the robot reports
    success and stands, and the simulator sees it within 0.30 m and 30 degrees of there.

    Exit code: 0 if enough goals were reached, 1 if fewer, 2 for a wrong set-up or option.
    """

    headless: Annotated[bool, typer.Option("--headless", help="Serve no page.")] = False
    world: Annotated[str, typer.Option(help="A world that comes with the package, or a world file.")] = "home"
    simulator: Annotated[
        Literal["ours", "gazebo"], typer.Option(help="gazebo: gz-sim, where it is installed; see docs/gazebo.md.")
    ] = "ours"
    robot: Annotated[
        str | None, typer.Option(help="Robot in config/robots, or its file. Default: one that fits the model.")
    ] = None
    goals: Annotated[
        int, typer.Option(help="Number of goals: by turns near (same room) and far (another room).", min=1, max=10_000)
    ] = 10
    seed: Annotated[int, typer.Option(help="Random seed of start, goals and noise.", min=0, max=2**31 - 1)] = 0
    json: Annotated[Path | None, typer.Option(help="JSON file to write all figures to, however it ends.")] = None
    record: Annotated[Path | None, typer.Option(help="New folder for a bag (MCAP) and a picture.")] = None
    composed: Annotated[bool, typer.Option("--composed", help="Run all nodes of the stack in one process.")] = False
    explore: Annotated[
        float, typer.Option(help="Minutes to explore first, with an empty memory.", min=0.0, max=600.0)
    ] = 0.0
    foreign_goals: Annotated[
        int,
        typer.Option(
            help="With --explore: number of pictures of another building, which it must refuse.", min=0, max=10_000
        ),
    ] = 0
    min_success: Annotated[
        float, typer.Option(help="Share of goals to reach. Below it the exit code is 1.", min=0.0, max=1.0)
    ] = 0.5
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model. Default: the shipped one that fits the robot.")
    ] = None
    memory: Annotated[
        Path | None,
        typer.Option(help="Memory to start with. Default: the one shipped with the model, if any."),
    ] = None
    real_time_factor: Annotated[
        float | None,
        typer.Option(
            help="Simulated seconds per second. Default: 1, or with --explore as fast as the nodes keep up.",
            min=0.05,
            max=20.0,
        ),
    ] = None
    port: Annotated[
        int | None, typer.Option(help="Port of the page. Default: the first free one from 8770.", min=1, max=65_535)
    ] = None
    domain_id: Annotated[int | None, typer.Option(help="ROS domain. Default: ROS_DOMAIN_ID, or a free one.")] = None


main = command(DemoOptions, "ami_ros.bench.demo.run:run_demo")
