"""`ami view`: shows a running robot in Foxglove, Lichtblick or Rerun."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rclpy.node import Node

    from ami_ros.ros.foxglove import FoxgloveServer
    from ami_ros.ros.rerun import RerunViewer


FRAMES = "map", "odom", "base_link"


class Viewer(str, Enum):
    """Which one."""

    foxglove = "foxglove"
    rerun = "rerun"


def main(
    viewer: Annotated[Viewer, typer.Option(help="foxglove serves Foxglove and Lichtblick; rerun opens a page.")] = (
        Viewer.foxglove
    ),
    port: Annotated[
        int, typer.Option(help="Port to listen at. Rerun also uses the next one.", min=1, max=65534)
    ] = 8765,
    host: Annotated[
        str, typer.Option(help="Address to listen at. 0.0.0.0: all of the network may look, and send goals.")
    ] = "127.0.0.1",
    file: Annotated[
        Path | None, typer.Option(help="With --viewer rerun: write this .rrd file, and open no page.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the robot, as its launch file sets it.")] = "",
) -> int:
    """Show what a running robot senses, knows and plans in a viewer, until Ctrl-C.

    Foxglove and Lichtblick: open a Foxglove WebSocket connection to the address that is printed, and import the layout
    foxglove/ami_ros.json. A click with their publish tool sends a goal, or says where the robot is.

    Rerun: open the page that is printed, or the file.

    Recordings made by ami record are MCAP files. Foxglove and Lichtblick open them directly.
    """
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions

    from ami_ros.core.errors import AmiError
    from ami_ros.ros.start.domain import domain_in_environment

    if file is not None and viewer is not Viewer.rerun:
        raise AmiError("view: --file is for --viewer rerun; ami record writes MCAP files for Foxglove")
    domain_in_environment()  # complains in one line where rclpy would not
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = Node("ami_view", namespace=namespace)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        shown: FoxgloveServer | RerunViewer
        shown = _foxglove(node, host, port) if viewer is Viewer.foxglove else _rerun(node, file, port)
        try:
            while True:
                executor.spin_once(timeout_sec=0.2)
        except KeyboardInterrupt:
            pass  # the usual way to end
        finally:
            shown.close()
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
    return 0


def _foxglove(node: Node, host: str, port: int) -> FoxgloveServer:
    from ami_ros.core.installation import share
    from ami_ros.ros.foxglove import FoxgloveServer

    server = FoxgloveServer(node, host, port, FRAMES)
    typer.echo(f"connect Foxglove or Lichtblick to ws://{host}:{server.port}")
    typer.echo(f"and import the layout {share('foxglove', 'ami_ros.json')}")
    return server


def _rerun(node: Node, file: Path | None, port: int) -> RerunViewer:
    from ami_ros.ros.rerun import RerunViewer

    viewer = RerunViewer(node, file, port, FRAMES)
    typer.echo(f"open {viewer.address}" if viewer.address else f"writing {file}")
    return viewer
