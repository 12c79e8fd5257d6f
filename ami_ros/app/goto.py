"""`ami goto`: sends the robot somewhere, and waits until it is there."""

from __future__ import annotations

from typing import Annotated

import typer

NAMESPACE = typer.Option(help="Namespace of the robot, as its launch file sets it.")


def main(
    goal: Annotated[
        str,
        typer.Argument(
            help="A picture (JPEG or PNG), the name of a place, X,Y or X,Y,YAW in the map [m, rad], or home.",
        ),
    ],
    timeout: Annotated[float, typer.Option(help="Time limit [s]. 0: none.", min=0.0)] = 300.0,
    namespace: Annotated[str, NAMESPACE] = "",
) -> int:
    """Send the robot somewhere and wait until it arrives. Ctrl-C stops it.

    The stack must run in the same ROS domain, started by ami drive or ros2 launch. Put -- before a pose that begins
    with a minus: ami goto -- -1.5,2

    Exit code: 0 reached, 1 gave up, 2 no stack or no such goal, 3 rejected, 4 out of time, 5 the planner died, 130
    cancelled.
    """
    from ami_ros.app.domain import domain_in_environment
    from ami_ros.app.telling import Telling
    from ami_ros.ros.goals.robot_client import RobotClient

    telling = Telling()
    with RobotClient(namespace, domain_in_environment()) as robot:
        return telling.end(robot.go(goal, timeout, telling.tell))
