"""`ami view`: shows a running robot in Foxglove or Lichtblick."""

from __future__ import annotations

from typing import Annotated

import typer

FRAMES = "map", "odom", "base_link"


def main(
    port: Annotated[int, typer.Option(help="Port to listen at.", min=1, max=65535)] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen at. 0.0.0.0: all of the network may look.")
    ] = "127.0.0.1",
    namespace: Annotated[str, typer.Option(help="Namespace of the robot, as its launch file sets it.")] = "",
) -> int:
    """Show what a running robot senses, knows and plans in a viewer, until Ctrl-C.

    Open a Foxglove WebSocket connection to the address that is printed, and import the layout foxglove/ami_ros.json.
    Nothing that a viewer sends reaches the robot; use ./ami console or RViz to send goals.

    Recordings made by ami record are MCAP files. Foxglove and Lichtblick open them directly.
    """
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions

    from ami_ros.app.domain import domain_in_environment
    from ami_ros.ros.viewing.foxglove import FoxgloveServer
    from ami_ros.share import share

    domain_in_environment()  # complains in one line where rclpy would not
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = Node("ami_view", namespace=namespace)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        server = FoxgloveServer(node, host, port, FRAMES)
        typer.echo(f"connect Foxglove or Lichtblick to ws://{host}:{server.port}")
        typer.echo(f"and import the layout {share('foxglove', 'ami_ros.json')}")
        try:
            while True:
                executor.spin_once(timeout_sec=0.2)
        except KeyboardInterrupt:
            pass  # the usual way to end
        finally:
            server.close()
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return 0
