"""`ami replay`: shows a recorded run on the console's page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def main(
    bag: Annotated[Path, typer.Argument(help="Of ami record, of the console, or another rosbag2.")],
    speed: Annotated[float, typer.Option(help="Playback speed; 2 is twice as fast.", min=0.1, max=100.0)] = 1.0,
    robot: Annotated[
        str, typer.Option(help="Robot in config/robots, or its file, if its topics have unusual names.")
    ] = "",
    port: Annotated[
        int | None, typer.Option(help="Port of the page. Default: the first free one from 8770.", min=0, max=65535)
    ] = None,
) -> int:
    """Show a recorded run on the page of ami console, until Ctrl-C. Nothing runs, and nothing is sent to a robot.

    The page stays open at the end. Its slider goes back.

    Exit code: 0 after Ctrl-C, 2 if the bag cannot be shown.
    """
    import time

    from ami_ros.console.desk import Desk, Keys
    from ami_ros.console.kept import Pictures
    from ami_ros.console.replay import Recording, Replay
    from ami_ros.console.scene import Scene
    from ami_ros.console.server import ConsoleServer
    from ami_ros.core.robots.derived import topics
    from ami_ros.core.robots.description import load_robot

    scene = Scene()
    names = {own.strip("/"): name for name, own in topics(load_robot(robot)).items()} if robot else {}
    replay = Replay(bag, scene, names)
    desk = Desk(Recording(scene), Keys.new())
    server = ConsoleServer(desk, scene, Pictures().add, port=port)
    try:
        typer.echo(f"look: {server.url(desk.keys.watch)}")
        while not desk.lines:  # it begins when somebody looks
            time.sleep(0.1)
        typer.echo(f"{replay.play(speed):.0f} s were shown; Ctrl-C ends")
        while True:
            scene.heard = time.monotonic()
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    finally:
        server.close()
        replay.close()
