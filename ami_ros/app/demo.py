"""`ami demo`: starts simulator and stack, sends image goals, and reports how many were reached."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer


def main(
    headless: Annotated[bool, typer.Option("--headless", help="No page.")] = False,
    world: Annotated[str, typer.Option(help="A world that comes with the package, or a world file.")] = "home",
    simulator: Annotated[
        Literal["ours", "gazebo"], typer.Option(help="gazebo: gz-sim, where it is installed; see docs/gazebo.md.")
    ] = "ours",
    laser: Annotated[
        Literal["gpu", "plan"],
        typer.Option(help="Of Gazebo: drawn by its renderer, or rays on the floor plan."),
    ] = "gpu",
    robot: Annotated[
        str | None, typer.Option(help="Name of a robot in config/robots, or its file; else one that the model fits.")
    ] = None,
    goals: Annotated[int, typer.Option(help="How many: near (same room) and far (another room) by turns.")] = 10,
    seed: Annotated[int, typer.Option(help="Of start, goals and noise.")] = 0,
    json: Annotated[Path | None, typer.Option(help="File for all figures; also written after Ctrl-C.")] = None,
    record: Annotated[Path | None, typer.Option(help="New folder for a rosbag2 (MCAP) and a picture.")] = None,
    composed: Annotated[bool, typer.Option("--composed", help="All nodes of the stack in one process.")] = False,
    no_memory: Annotated[
        bool, typer.Option("--no-memory", help="Drive the same goals once more with the flat planner, and compare.")
    ] = False,
    explore: Annotated[
        float,
        typer.Option(help="Minutes of exploring before, from an empty memory, as a mission."),
    ] = 0.0,
    foreign_goals: Annotated[
        int, typer.Option(help="With --explore: pictures of another building, which are to be refused.")
    ] = 0,
    min_success: Annotated[float, typer.Option(help="Exit 1 if a smaller share of the goals was reached.")] = 0.5,
    model: Annotated[Path | None, typer.Option(help="Folder; else the model that comes for the robot.")] = None,
    memory: Annotated[
        Path | None,
        typer.Option(help="Places known at the start; else those that come with the model, if any."),
    ] = None,
    real_time_factor: Annotated[
        float | None,
        typer.Option(
            help="Simulated seconds in a second; else 1, or with --explore as many as the nodes keep up with."
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(help="Of the page; else the first free one from 8765.")] = None,
    domain_id: Annotated[int | None, typer.Option(help="ROS domain; else ROS_DOMAIN_ID, or one that is free.")] = None,
) -> int:
    """Start simulator and stack, send image goals, report how many were reached.

    A goal is a picture and nothing else; of a robot without a camera, a pose in its map. It counts as reached when the
    action succeeded, the robot stands still, and the simulator knows it to be within 0.30 m and 30 degrees of there.

    Exit code: 0 if enough goals were reached, 1 if fewer, 2 if something is wrong with set-up or usage.
    """
    from rich.console import Console

    from ami_ros.app.demo_run import DemoRun
    from ami_ros.app.demo_settings import DemoSettings

    settings = DemoSettings.make(
        simulator=simulator,
        laser=laser,
        explore=explore,
        foreign=foreign_goals,
        world=world,
        robot=robot,
        model=model,
        memory=memory,
        goals=goals,
        seed=seed,
        compare=no_memory,
        composed=composed,
        headless=headless,
        json=json,
        record=record,
        min_success=min_success,
        real_time_factor=real_time_factor,
        port=port,
        domain_id=domain_id,
    )
    return DemoRun(settings, Console(emoji=False)).run()
