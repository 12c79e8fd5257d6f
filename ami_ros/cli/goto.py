"""`ami goto`: sends the robot somewhere, and waits until it is there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

import typer

NAMESPACE = typer.Option(help="Namespace of the robot, as its launch file sets it.")


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """A pose may begin with a minus; without the blank it would be an option."""
    return [f" {word}" if re.match(r"-[\d.]", word) else word for word in arguments]


def main(
    goal: Annotated[
        str,
        typer.Argument(
            help="A picture (JPEG or PNG), the name of a place, X,Y or X,Y,YAW in the map [m, rad], or home. "
            "Or FOLDER/ with pictures from one place, named by the turn to the left in degrees: 0.jpg, 60.jpg.",
        ),
    ],
    timeout: Annotated[float, typer.Option(help="Time limit [s]. 0: none.", min=0.0)] = 300.0,
    namespace: Annotated[str, NAMESPACE] = "",
) -> int:
    """Send the robot somewhere and wait until it arrives. Ctrl-C stops it.

    The stack must run in the same ROS domain, started by ami drive or ros2 launch.

    Exit code: 0 reached, 1 gave up, 2 no stack or no such file, 3 rejected, 4 out of time, 5 the planner died, 130
    cancelled.
    """
    from ami_ros.cli.telling import Telling
    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.start.domain import domain_in_environment

    telling = Telling()
    with RobotClient(namespace, domain_in_environment()) as robot:
        return telling.end(robot.go(goal, timeout, telling.tell))
