"""`ami console`: the page of a robot: what it knows, and what it is to do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ami_ros.cli.goto import NAMESPACE


def main(
    host: Annotated[
        str, typer.Option(help="Address of the page. 0.0.0.0 lets others on the network open it.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(help="Port of the page. Default: the first free one from 8770.", min=0, max=65535)
    ] = None,
    robot: Annotated[
        str, typer.Option(help="Robot in config/robots, or its file, if its topics have unusual names.")
    ] = "",
    keep_out: Annotated[
        Path | None, typer.Option(help="File for the keep-out areas that you paint. It is made if missing.")
    ] = None,
    no_bag: Annotated[
        bool, typer.Option("--no-bag", help="Do not keep the last five minutes for 'Save a bag'.")
    ] = False,
    namespace: Annotated[str, NAMESPACE] = "",
) -> int:
    """Serve the page of the robot in this ROS domain until Ctrl-C. ./ami drive does so, too.

    It prints two addresses. Whoever opens the first can drive the robot. Whoever opens the second can only watch and
    stop it. All commands go through the safety gate.

    Exit code: 0 after Ctrl-C, 2 if the port is in use.
    """
    import time

    import rclpy
    from rclpy.context import Context
    from rclpy.signals import SignalHandlerOptions

    from ami_ros.console.node import ConsoleSettings, RobotConsole
    from ami_ros.core.robots.derived import topics
    from ami_ros.core.robots.description import load_robot
    from ami_ros.ros.start.domain import domain_in_environment
    from ami_ros.ros.start.graph import enclave_arguments

    context = Context()
    rclpy.init(
        args=enclave_arguments("console"),
        context=context,
        domain_id=domain_in_environment(),
        signal_handler_options=SignalHandlerOptions.NO,
    )
    rules = topics(load_robot(robot)) if robot else None
    try:
        settings = ConsoleSettings(host, port, namespace, keep_out, None if no_bag else Path.cwd())
        with RobotConsole(context, settings, typer.echo, rules) as console:
            typer.echo("\n".join(console.addresses))
            while True:
                time.sleep(60.0)
    except KeyboardInterrupt:
        return 0
    finally:
        context.try_shutdown()
