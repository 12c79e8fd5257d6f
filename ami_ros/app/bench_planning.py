"""`ami bench planning`: how many goals are reached, beside what it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ami_ros.app.visit_options import ChangedOption, LightOption, PeopleOption, visited

if TYPE_CHECKING:
    from ami_ros.evaluation.loop_config import LoopConfig


def main(
    model: Annotated[Path | None, typer.Option(help="Of the robot's own camera; else the one that ships.")] = None,
    ceiling: Annotated[Path | None, typer.Option(help="Of the camera above; else the one that ships.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Of the world, for the first model; else its own.")] = None,
    world: Annotated[str, typer.Option(help="Where to drive.")] = "home",
    people: PeopleOption = None,
    changed: ChangedOption = 0.0,
    light: LightOption = "",
    goals: Annotated[int, typer.Option(help="Image goals a seed, half of them far.", min=2, max=10_000)] = 20,
    seeds: Annotated[int, typer.Option(help="How many seeds.", min=1, max=1000)] = 3,
    seed: Annotated[int, typer.Option(help="The first of them.", min=0)] = 0,
    methods: Annotated[str, typer.Option(help="Only these, with commas between: onboard,ceiling.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Closed doors, missions and exploring as well.")] = False,
    jobs: Annotated[int, typer.Option(help="Processes side by side, one thread each.", min=1, max=256)] = 1,
    trials: Annotated[
        Path | None, typer.Option(help="Folder for what happened; a run that was interrupted goes on there.")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="Configuration, as agent.navigator.planner.horizon=6, or timing.planner.p50=0.04."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures: flat keys with units.")] = None,
) -> None:
    """Drive to image goals in one process without ROS: our loop with either camera, the flat planner, random commands,
    and the same planner on the simulator's true dynamics; same starts and goals, and equal compute, in one run."""
    from rich.console import Console

    from ami_ros.app.planning_run import PlanningRun
    from ami_ros.evaluation.planning_methods import Setting, choose_methods
    from ami_ros.share import share

    console = Console(emoji=False, highlight=False)
    folders = model or share("models", "onboard"), ceiling or share("models", "ceiling")
    setting = Setting(visited(world, people, changed, light), goals, *folders, memory, loop_config(set_ or []))
    chosen, left_out = choose_methods(setting, methods, all_)
    for line in left_out:
        console.print(line, soft_wrap=True)
    run = PlanningRun(setting, chosen, range(seed, seed + seeds), set_ or [], trials, json)
    run.drive(jobs, console)
    run.show(console)


def loop_config(options: list[str]) -> LoopConfig:
    """The configuration of the loop, with `options` as "dotted.name=value".

    Raises:
        AmiError: an option without "=", an unknown name, or a value that does not fit.
    """
    from ami_ros.config import with_settings
    from ami_ros.evaluation.loop_config import LoopConfig

    return with_settings(LoopConfig(), options)
