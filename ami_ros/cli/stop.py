"""`ami stop`: the robot stands."""

from __future__ import annotations

from typing import Annotated

import typer

from ami_ros.cli.goto import NAMESPACE


def main(
    emergency: Annotated[bool, typer.Option("--emergency", help="Stop the robot until --release.")] = False,
    release: Annotated[bool, typer.Option("--release", help="End an emergency stop.")] = False,
    namespace: Annotated[str, NAMESPACE] = "",
) -> int:
    """Cancel the goal or mission under way, whoever sent it. This does not replace an emergency switch on the robot.

    Exit code: 0 done, 2 no stack found.
    """
    from ami_ros.core.errors import AmiError
    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.start.domain import domain_in_environment

    if emergency and release:
        raise AmiError("stop: --emergency and --release are opposites; give one of them")
    with RobotClient(namespace, domain_in_environment()) as robot:
        if release:
            robot.hold(release=True)
            typer.echo("released; old commands do not come back")
            return 0
        if emergency:  # first: it needs the gate alone
            robot.hold()
        if not robot.stop() and not emergency:
            raise AmiError("stop: nobody drives in this ROS domain and namespace; is ROS_DOMAIN_ID that of the robot?")
    typer.echo("the robot stands, until ./ami stop --release" if emergency else "cancelled; the robot stands")
    return 0
