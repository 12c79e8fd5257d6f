"""`./ami bench people`: goals among people who move about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ami_ros.errors import AmiError


def main(
    world: Annotated[str, typer.Option(help="A world, a world file, or building:SEED.")] = "home",
    people: Annotated[int, typer.Option(help="How many walk about.", min=0, max=200)] = 3,
    speed: Annotated[float, typer.Option(help="Of the people [m/s].", min=0.05, max=3.0)] = 0.8,
    manner: Annotated[str, typer.Option(help="polite, blind, orca or recorded:FILE.")] = "polite",
    goals: Annotated[int, typer.Option(help="Pictures to go to: near and far by turns.", min=0, max=10_000)] = 10,
    seed: Annotated[int, typer.Option(help="Of people, starts, goals and noise.", min=0, max=9999)] = 0,
    model: Annotated[Path | None, typer.Option(help="Model folder; else the one that comes with ami_ros.")] = None,
    memory: Annotated[Path | None, typer.Option(help="Memory of this world; else the one beside the model.")] = None,
    explore: Annotated[float, typer.Option(help="Minutes of exploring before, where there is no memory.")] = 10.0,
    robot: Annotated[str, typer.Option(help="Name of a robot in config/robots, or its file.")] = "",
    methods: Annotated[str, typer.Option(help="Only these, with commas between.")] = "",
    ghosts: Annotated[int, typer.Option(help="Cases of somebody who stands and leaves; 0: none.", min=0)] = 30,
    trials: Annotated[
        Path | None, typer.Option(help="Folder for what happened; a run that was interrupted goes on there.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Configuration, as in ./ami bench planning.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Drive to pictures with and without people around, and count contacts while the robot moves and stands.

    --ghosts measures how long people who left stay in each layer of what the robot believes."""
    from dataclasses import replace

    import torch
    from rich.console import Console

    from ami_ros.app.people_run import PeopleRun
    from ami_ros.evaluation.loop_config import loop_config
    from ami_ros.evaluation.people_trials import METHODS, PeopleSetting
    from ami_ros.places.files import memory_beside
    from ami_ros.share import share
    from ami_ros.simulation.world import People
    from ami_ros.simulation.world_file import load_world

    torch.set_num_threads(1)
    chosen = [method.strip() for method in methods.split(",") if method.strip()] or list(METHODS)
    if unknown := [method for method in chosen if method not in METHODS]:
        raise AmiError(f"bench people: there is no method '{unknown[0]}'; there are {', '.join(METHODS)}")
    try:
        crowd = People(count=people, speed=speed, manner=manner, seed=seed)
    except ValueError as error:
        raise AmiError(f"bench people: {error}") from error
    named = load_world(world)
    beside = memory_beside(share("models", "onboard"), world)
    known = memory or (beside if beside.is_file() and model is None else None)
    folder = model or share("models", "onboard" if known else "general")
    setting = PeopleSetting(
        replace(named, people=crowd), folder, known, goals, seed, robot, explore, loop_config(set_ or [])
    )
    about: dict[str, Any] = {
        "world": world, "people": people, "speed": speed, "manner": manner, "goals": goals, "seed": seed,
        "robot": robot, "explore_min": None if known else explore, "set": " ".join(set_ or []),
    }  # fmt: skip
    console = Console(emoji=False, highlight=False)
    run = PeopleRun(setting, chosen, about, trials, json)
    run.drive(console)
    run.show(console)
    if ghosts:
        run.show_ghosts(console, ghosts)
