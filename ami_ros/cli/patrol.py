"""`ami patrol`: the robot visits places in turn."""

from __future__ import annotations

from typing import Annotated

import typer

from ami_ros.cli import goto
from ami_ros.cli.goto import NAMESPACE

spelled_out = goto.spelled_out  # what `cli.run` looks for


def main(
    goals: Annotated[list[str], typer.Argument(help="Pictures, names of places, X,Y[,YAW] or home, as for ami goto.")],
    rounds: Annotated[int, typer.Option(help="Number of rounds.", min=1)] = 1,
    wait: Annotated[float, typer.Option(help="How long to stay at each goal [s].", min=0.0)] = 1.0,
    namespace: Annotated[str, NAMESPACE] = "",
) -> int:
    """Visit places one after the other. Ctrl-C stops the robot.

    Exit code: 0 reached all, 1 missed some, 2 no stack or no such file, 3 rejected, 4 out of time, 5 the stack died,
    130 cancelled.
    """
    from ami_ros.cli.telling import Telling
    from ami_ros.core.errors import AmiError
    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.start.domain import domain_in_environment

    if len(goals) * rounds > 100:
        raise AmiError(f"patrol: {len(goals)} goals in {rounds} rounds are more than 100; ask for fewer")
    telling = Telling()
    with RobotClient(namespace, domain_in_environment()) as robot:
        outcome = robot.patrol(goals, rounds, wait, telling.tell)
    if outcome.result is not None:
        typer.echo(f"{outcome.result.reached} of {len(goals) * rounds} goals reached")
    return telling.end(outcome)
