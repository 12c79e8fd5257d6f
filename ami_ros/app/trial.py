"""`ami trial`: the first hour on a robot, led step by step, with a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    out: Annotated[Path, typer.Option(help="Folder of the trial; one that was interrupted goes on there.")],
    robot: Annotated[str, typer.Option(help="Robot of config/robots, or its file.")] = "",
    model: Annotated[str, typer.Option(help="Folder or name of the model; else the one that comes for it.")] = "",
    goals: Annotated[int, typer.Option(help="To drive to.")] = 10,
    minutes: Annotated[float, typer.Option(help="Of exploring; 0: none.")] = 10.0,
    leash: Annotated[float, typer.Option(help="It stays within this of where it began [m].")] = 5.0,
    speed: Annotated[float, typer.Option(help="At most [m/s].")] = 0.3,
    timeout: Annotated[float, typer.Option(help="For a goal [s].")] = 300.0,
    attach: Annotated[
        bool, typer.Option("--attach", help="Use the stack that runs already, as it is: without leash and speed.")
    ] = False,
    sim_time: Annotated[bool, typer.Option("--sim-time", help="Take the time from /clock.")] = False,
    namespace: Annotated[str, typer.Option(help="Of the robot's topics and of all nodes.")] = "",
) -> int:
    """Lead an operator through the first hour on a robot: doctor, a drive by joystick with the gate on, exploring on a
    leash, and goals, each of which the operator confirms. The report (report.html, trial.json, the bags) is one folder
    to send. It can be interrupted at any time, and goes on with the same command.

    Exit code: 0 complete, 1 stopped before the end, 2 it cannot go on.
    """
    from ami_ros.app.trial_run import TrialSettings, run_trial

    given = {"goals": goals, "minutes": minutes, "leash": leash, "speed": speed, "timeout": timeout}
    return run_trial(TrialSettings(out, robot, model, given, attach, sim_time, namespace))
