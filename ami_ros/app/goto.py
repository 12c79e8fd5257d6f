"""`ami goto`: sends the robot somewhere, and waits until it is there."""

from __future__ import annotations

from typing import Annotated

import typer

NAMESPACE = typer.Option(help="Of the robot, as its launch file sets it.")


def main(
    goal: Annotated[
        str,
        typer.Argument(
            help="A picture (JPEG or PNG), the name of a place, X,Y or X,Y,YAW in the map [m, rad], or home.",
        ),
    ],
    timeout: Annotated[float, typer.Option(help="To get there [s]; 0: no limit.", min=0.0)] = 300.0,
    namespace: Annotated[str, NAMESPACE] = "",
) -> int:
    """Send the robot somewhere, say how it goes, and wait until it is there; Ctrl-C stops it.

    It talks to the stack that runs in this ROS domain, whoever started it: ami drive or ros2 launch. A pose with a
    minus in front comes after --: ami goto -- -1.5,2

    Exit code: 0 reached, 1 given up, 2 nobody there or no such goal, 3 not accepted, 4 not in time, 5 the planner died,
    130 cancelled.
    """
    from ami_ros.app.domain import domain_in_environment
    from ami_ros.app.telling import Telling
    from ami_ros.ros.goals.robot_client import RobotClient

    telling = Telling()
    with RobotClient(namespace, domain_in_environment()) as robot:
        return telling.end(robot.go(goal, timeout, telling.tell))
