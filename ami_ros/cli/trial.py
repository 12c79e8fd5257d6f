"""`ami trial`: the first hour on a robot, led step by step, with a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.options import command


@dataclass(frozen=True)
class TrialSettings:
    """Lead you through the first hour on a robot: doctor, a drive by joystick with the gate on, exploring near the
    start, and goals. You confirm each goal. The folder holds the report (report.html, trial.json) and the bags. You can
    interrupt it at any time. The same command continues.

    Exit code: 0 complete, 1 stopped before the end, 2 it cannot continue.
    """

    out: Annotated[
        Path, typer.Option(help="Folder of the trial. Repeat the command to continue after an interruption.")
    ]
    robot: Annotated[str, typer.Option(help="Robot in config/robots, or its file.")] = ""
    model: Annotated[
        str, typer.Option(help="Folder or name of the model. Default: the shipped one that fits the robot.")
    ] = ""
    goals: Annotated[int, typer.Option(help="Number of goals.")] = 10
    minutes: Annotated[float, typer.Option(help="Minutes to explore. 0: none.")] = 10.0
    leash: Annotated[float, typer.Option(help="How far it may go from where it began [m].")] = 5.0
    speed: Annotated[float, typer.Option(help="Speed limit [m/s].")] = 0.3
    timeout: Annotated[float, typer.Option(help="Time limit for each goal [s].")] = 300.0
    attach: Annotated[
        bool, typer.Option("--attach", help="Use the running stack as it is, without --leash and --speed.")
    ] = False
    sim_time: Annotated[bool, typer.Option("--sim-time", help="Take the time from /clock.")] = False
    namespace: Annotated[str, typer.Option(help="Namespace of the robot's topics and of all nodes.")] = ""


main = command(TrialSettings, "ami_ros.cli.trial_run:run_trial")
