"""`ami bench buildings`: what a robot reaches in buildings that it has never seen."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ami_ros.app.visit_options import ChangedOption, LightOption, PeopleOption, visited


def main(
    model: Annotated[
        Path | None, typer.Option(help="Folder; else models/general, or what ships for the robot.")
    ] = None,
    buildings: Annotated[int, typer.Option(help="How many buildings.", min=1, max=1000)] = 30,
    goals: Annotated[int, typer.Option(help="Pictures in each: near and far by turns.", min=1, max=1000)] = 8,
    foreign: Annotated[int, typer.Option(help="Pictures of another building in each.", min=0, max=100)] = 2,
    explore: Annotated[float, typer.Option(help="Minutes of exploring before, from an empty memory.", min=0.1)] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the buildings, starts and goals.", min=0, max=9999)] = 0,
    robot: Annotated[str, typer.Option(help="Name of a robot in config/robots, its file, or drawn:SEED.")] = "",
    kind: Annotated[str, typer.Option(help="Only buildings of this kind.")] = "",
    people: PeopleOption = None,
    changed: ChangedOption = 0.0,
    light: LightOption = "",
    methods: Annotated[str, typer.Option(help="Only these beside general, with commas between.")] = "",
    jobs: Annotated[int, typer.Option(help="Processes side by side, one thread each.", min=1, max=256)] = 1,
    trials: Annotated[
        Path | None, typer.Option(help="Folder for what happened; a run that was interrupted goes on there.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Configuration, as in ./ami bench planning.")] = None,
    json: Annotated[Path | None, typer.Option(help="File for the figures.")] = None,
) -> None:
    """Put a robot with an empty memory into buildings for tests: it explores by itself, then goes where pictures were
    taken, and refuses those of other buildings. Beside it: a specialist, which learns from the tour for ten minutes; a
    method without learning; without memory; and on the simulator's true dynamics."""
    from rich.console import Console

    from ami_ros.app.bench_planning import loop_config
    from ami_ros.app.buildings_run import BuildingsRun, chosen_methods, general_model
    from ami_ros.evaluation.building_trials import BuildingSetting

    loop = loop_config(set_ or [])
    setting = BuildingSetting(
        general_model(model, robot), goals, foreign, explore, seed, robot, chosen_methods(methods), loop
    )
    console = Console(emoji=False, highlight=False)
    run = BuildingsRun(setting, buildings, kind, set_ or [], trials, json, visited("", people, changed, light))
    run.drive(jobs, console)
    run.show(console)
