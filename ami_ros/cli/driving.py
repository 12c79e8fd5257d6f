"""`ami goto`, `patrol`, `explore` and `stop`: what people ask of a running stack, and how they are told how it goes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ami_ros.cli.options import Namespace
from ami_ros.cli.progress import Telling
from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from ami_ros.ros.goals.robot_client import RobotClient


def spelled_out(arguments: Sequence[str]) -> list[str]:
    """A pose may begin with a minus; without the blank it would be an option."""
    return [f" {word}" if re.match(r"-[\d.]", word) else word for word in arguments]


def goto(
    goal: Annotated[
        str,
        typer.Argument(
            help="A picture (JPEG or PNG), the name of a place, X,Y or X,Y,YAW in the map [m, rad], or home. "
            "Or FOLDER/ with pictures from one place, named by the turn to the left in degrees: 0.jpg, 60.jpg.",
        ),
    ],
    timeout: Annotated[float, typer.Option(help="Time limit [s]. 0: none.", min=0.0)] = 300.0,
    namespace: Namespace = "",
) -> int:
    """Send the robot somewhere and wait until it arrives. Ctrl-C stops it.

    The stack must run in the same ROS domain, started by ami drive or ros2 launch.

    Exit code: 0 reached, 1 gave up, 2 no stack or no such file, 3 rejected, 4 out of time, 5 the planner died, 130
    cancelled.
    """
    telling = Telling()
    with _robot(namespace) as robot:
        return telling.end(robot.go(goal, timeout, telling.tell))


def patrol(
    goals: Annotated[list[str], typer.Argument(help="Pictures, names of places, X,Y[,YAW] or home, as for ami goto.")],
    rounds: Annotated[int, typer.Option(help="Number of rounds.", min=1)] = 1,
    wait: Annotated[float, typer.Option(help="How long to stay at each goal [s].", min=0.0)] = 1.0,
    namespace: Namespace = "",
) -> int:
    """Visit places one after the other. Ctrl-C stops the robot.

    Exit code: 0 reached all, 1 missed some, 2 no stack or no such file, 3 rejected, 4 out of time, 5 the stack died,
    130 cancelled.
    """
    if len(goals) * rounds > 100:
        raise AmiError(f"patrol: {len(goals)} goals in {rounds} rounds are more than 100; ask for fewer")
    telling = Telling()
    with _robot(namespace) as robot:
        outcome = robot.patrol(goals, rounds, wait, telling.tell)
    if outcome.result is not None:
        typer.echo(f"{outcome.result.reached} of {len(goals) * rounds} goals reached")
    return telling.end(outcome)


def explore(
    minutes: Annotated[
        float, typer.Argument(help="How long to explore. 0: until nothing new is left.", min=0.0)
    ] = 10.0,
    area: Annotated[
        str,
        typer.Option(
            help="Explore only here: two opposite corners X,Y,X,Y in the map [m], or the corners of a polygon."
        ),
    ] = "",
    json: Annotated[Path | None, typer.Option(help="JSON file to write the outcome to, however it ends.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="PNG file to draw the map and the path into, however it ends.")
    ] = None,
    namespace: Namespace = "",
) -> int:
    """Let the robot explore by itself and come back to where it began. Ctrl-C stops it where it is.

    Exit code: 0 explored and came back, 1 gave up, 2 no stack, 3 rejected, 4 out of time, 5 the stack died, 130
    cancelled.
    """
    from ami_ros.behaviour.area import area_of
    from ami_ros.bench.report import write_json

    try:
        corners = area_of(area) if area else ()
    except ValueError as error:
        raise AmiError(f"explore: --area {error}") from error
    telling = Telling(60.0 * minutes)
    report: dict[str, Any] = {"end": "interrupted", "code": None, "elapsed_s": 0, "message": ""}

    def tell(feedback: Any) -> None:
        report["elapsed_s"] = feedback.elapsed.sec
        telling.tell(feedback)

    try:
        with _robot(namespace) as robot, ExitStack() as at_the_end:
            if picture is not None:
                from ami_ros.console.node import MapPicture

                drawing = MapPicture(robot.node.context, robot.node.get_namespace())
                at_the_end.callback(lambda: typer.echo(drawing.write(picture), err=True))
            outcome = robot.explore(60.0 * minutes, tell, corners)
        report |= {"end": outcome.end.name.lower(), "code": outcome.code, "message": outcome.message}
    except AmiError as error:
        report |= {"end": "error", "message": str(error)}
        raise
    finally:
        if json is not None:
            write_json(json, report)
    return telling.end(outcome)


def stop(
    emergency: Annotated[bool, typer.Option("--emergency", help="Stop the robot until --release.")] = False,
    release: Annotated[bool, typer.Option("--release", help="End an emergency stop.")] = False,
    namespace: Namespace = "",
) -> int:
    """Cancel the goal or mission under way, whoever sent it. This does not replace an emergency switch on the robot.

    Exit code: 0 done, 2 no stack found.
    """
    if emergency and release:
        raise AmiError("stop: --emergency and --release are opposites; give one of them")
    with _robot(namespace) as robot:
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


def _robot(namespace: str) -> RobotClient:
    """In the ROS domain that the user chose."""
    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.start.domain import domain_in_environment

    return RobotClient(namespace, domain_in_environment())
