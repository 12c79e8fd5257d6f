"""`ami explore`: lets the robot look around by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ami_ros.cli.goto import NAMESPACE


def main(
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
    namespace: Annotated[str, NAMESPACE] = "",
) -> int:
    """Let the robot explore by itself and come back to where it began. Ctrl-C stops it where it is.

    Exit code: 0 explored and came back, 1 gave up, 2 no stack, 3 rejected, 4 out of time, 5 the stack died, 130
    cancelled.
    """
    from ami_ros.behaviour.area import area_of
    from ami_ros.bench.report import write_json
    from ami_ros.cli.telling import Telling
    from ami_ros.core.errors import AmiError
    from ami_ros.ros.goals.robot_client import RobotClient
    from ami_ros.ros.start.domain import domain_in_environment

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
        with RobotClient(namespace, domain_in_environment()) as robot:
            drawing = _picture(robot, picture)
            try:
                outcome = robot.explore(60.0 * minutes, tell, corners)
            finally:
                if drawing is not None:
                    typer.echo(drawing.write(), err=True)
        report |= {"end": outcome.end.name.lower(), "code": outcome.code, "message": outcome.message}
    except AmiError as error:
        report |= {"end": "error", "message": str(error)}
        raise
    finally:
        if json is not None:
            write_json(json, report)
    return telling.end(outcome)


def _picture(robot: Any, path: Path | None) -> Any:
    if path is None:
        return None
    from ami_ros.console.node import ExplorePicture

    return ExplorePicture(robot, path)
