"""`ami bench latency`: how late the real nodes' commands are, beside the real simulator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

SIMULATED_GOALS = 10  # of the course that are driven in simulated time as well


def main(
    minutes: Annotated[float, typer.Option(help="Of driving.", min=0.05, max=1440.0)] = 10.0,
    load: Annotated[
        bool, typer.Option("--load", help="Another program keeps each core busy meanwhile, at usual priority.")
    ] = False,
    world: Annotated[str, typer.Option(help="A world that comes with the package, or a world file.")] = "home",
    robot: Annotated[
        str | None, typer.Option(help="Robot in config/robots, or its file. Default: one that fits the model.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model. Default: the shipped one that fits the robot.")
    ] = None,
    memory: Annotated[Path | None, typer.Option(help="Memory of this world; else the one beside the model.")] = None,
    composed: Annotated[bool, typer.Option("--composed", help="Run all nodes of the stack in one process.")] = False,
    one_core: Annotated[bool, typer.Option("--one-core", help="Stack, simulator and bench share one core.")] = False,
    seed: Annotated[int, typer.Option(help="Random seed of start, goals and noise.", min=0)] = 0,
    domain_id: Annotated[int | None, typer.Option(help="ROS domain. Default: ROS_DOMAIN_ID, or a free one.")] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file to write the figures to. Its keys have units.")] = None,
) -> None:
    """Drive from goal to goal with the real stack, and measure when commands come.

    Image to command is the time from an image's stamp to the first command that was decided on it, on the robot's
    clock. Gaps between commands are measured on the steady clock and on the robot's. The first goals are
    driven again in simulated time, as benches do.
    """
    import os

    from rich.console import Console

    from ami_ros.bench.demo.stack import DemoSettings
    from ami_ros.bench.latency_run import LatencyRun, in_simulated_time
    from ami_ros.bench.report import hardware, write_json
    from ami_ros.cli.demo import DemoOptions

    asked = DemoOptions(
        headless=True, world=world, robot=robot, model=model, memory=memory, goals=10_000, seed=seed, composed=composed,
        domain_id=domain_id,
    )  # fmt: skip
    settings = DemoSettings.make(**vars(asked))
    if one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    console = Console(emoji=False, highlight=False)
    run = LatencyRun(settings, console, 60 * minutes, len(os.sched_getaffinity(0)) if load else 0)
    try:
        run.run()
    finally:
        figures = run.figures()
        if figures["commands"]:
            console.print(_summary(figures), soft_wrap=True)
            figures |= in_simulated_time(settings, min(figures["goals"], SIMULATED_GOALS))
            console.print(_simulated(figures), soft_wrap=True)
            if json is not None:
                write_json(json, figures | {"seed": seed, "world": world, "robot": settings.robot.name} | hardware())


def _summary(figures: dict[str, Any]) -> str:
    p50, p95 = figures["image_to_command_p50_ms"], figures["image_to_command_p95_ms"]
    return (
        f"image to command p50 {p50} ms, p95 {p95} ms, longest gap between commands {figures['max_gap_s']} s, "
        f"{figures['gaps_over_200_ms']} of {figures['commands']} over 0.2 s "
        f"({figures['load_programs']} other programs); "
        f"{figures['goals_reached']} of {figures['goals']} goals, {figures['collisions']} contacts; "
        f"{figures['processes']} processes: {figures['all_cpu_percent']:.0f} % of a core, memory "
        f"{figures['all_rss_mb']:.0f} MB, {figures['all_pss_mb']:.0f} MB with shared pages counted once"
    )


def _simulated(figures: dict[str, Any]) -> str:
    of = {name.removeprefix("simulated_"): value for name, value in figures.items() if name.startswith("simulated_")}
    return (
        f"in simulated time, as benches drive: image to command p50 {of['image_to_command_p50_ms']} ms, "
        f"p95 {of['image_to_command_p95_ms']} ms, longest gap between commands {of['max_gap_robot_s']} s, age of the "
        f"location p50 {of['location_age_p50_ms']} ms, p95 {of['location_age_p95_ms']} ms, answers of memory p50 "
        f"{of['route_answer_p50_ms']} ms; {of['goals_reached']} of {of['goals']} goals"
    )
