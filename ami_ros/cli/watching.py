"""`ami console`, `view`, `replay`, `record` and `film`: what shows a robot, or keeps what it did."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ami_ros.cli.options import Namespace, Port
from ami_ros.core.errors import AmiError

if TYPE_CHECKING:
    from rclpy.executors import Executor
    from rclpy.node import Node

    from ami_ros.ros.foxglove import FoxgloveServer
    from ami_ros.ros.rerun import RerunViewer

Robot = Annotated[str, typer.Option(help="Robot in config/robots, or its file, if its topics have unusual names.")]


def console(
    host: Annotated[
        str, typer.Option(help="Address of the page. 0.0.0.0 lets others on the network open it.")
    ] = "127.0.0.1",
    port: Port = None,
    robot: Robot = "",
    keep_out: Annotated[
        Path | None, typer.Option(help="File for the keep-out areas that you paint. It is made if missing.")
    ] = None,
    no_bag: Annotated[
        bool, typer.Option("--no-bag", help="Do not keep the last five minutes for 'Save a bag'.")
    ] = False,
    namespace: Namespace = "",
) -> int:
    """Serve the page of the robot in this ROS domain until Ctrl-C. ./ami drive does so, too.

    It prints two addresses. Whoever opens the first can drive the robot. Whoever opens the second can only watch and
    stop it. All commands go through the safety gate.

    Exit code: 0 after Ctrl-C, 2 if the port is in use.
    """
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
        args=enclave_arguments("console"), context=context, domain_id=domain_in_environment(),
        signal_handler_options=SignalHandlerOptions.NO,
    )  # fmt: skip
    rules = topics(load_robot(robot)) if robot else None
    try:
        settings = ConsoleSettings(host, port, namespace, keep_out, None if no_bag else Path.cwd())
        with RobotConsole(context, settings, typer.echo, rules) as page:
            typer.echo("\n".join(page.addresses))
            while True:
                time.sleep(60.0)
    except KeyboardInterrupt:
        return 0
    finally:
        context.try_shutdown()


def replay(
    bag: Annotated[Path, typer.Argument(help="Of ami record, of the console, or another rosbag2.")],
    speed: Annotated[float, typer.Option(help="Playback speed; 2 is twice as fast.", min=0.1, max=100.0)] = 1.0,
    robot: Robot = "",
    port: Port = None,
) -> int:
    """Show a recorded run on the page of ami console, until Ctrl-C. Nothing runs, and nothing is sent to a robot.

    The page stays open at the end. Its slider goes back.

    Exit code: 0 after Ctrl-C, 2 if the bag cannot be shown.
    """
    from ami_ros.console.desk import Desk, Keys
    from ami_ros.console.kept import Pictures
    from ami_ros.console.replay import Recording, Replay
    from ami_ros.console.scene import Scene
    from ami_ros.console.server import ConsoleServer
    from ami_ros.core.robots.derived import topics
    from ami_ros.core.robots.description import load_robot

    scene = Scene()
    names = {own.strip("/"): name for name, own in topics(load_robot(robot)).items()} if robot else {}
    played = Replay(bag, scene, names)
    desk = Desk(Recording(scene), Keys.new())
    server = ConsoleServer(desk, scene, Pictures().add, port=port)
    try:
        typer.echo(f"look: {server.url(desk.keys.watch)}")
        while not desk.lines:  # it begins when somebody looks
            time.sleep(0.1)
        typer.echo(f"{played.play(speed):.0f} s were shown; Ctrl-C ends")
        while True:
            scene.heard = time.monotonic()
            time.sleep(0.5)
    except KeyboardInterrupt:
        return 0
    finally:
        server.close()
        played.close()


class Viewer(str, Enum):
    """Which one."""

    foxglove = "foxglove"
    rerun = "rerun"


def view(
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
    namespace: Namespace = "",
) -> int:
    """Show what a running robot senses, knows and plans in a viewer, until Ctrl-C.

    Foxglove and Lichtblick: open a Foxglove WebSocket connection to the address that is printed, and import the layout
    foxglove/ami_ros.json. A click with their publish tool sends a goal, or says where the robot is.

    Rerun: open the page that is printed, or the file.

    Recordings made by ami record are MCAP files. Foxglove and Lichtblick open them directly.
    """
    if file is not None and viewer is not Viewer.rerun:
        raise AmiError("view: --file is for --viewer rerun; ami record writes MCAP files for Foxglove")
    frames = "map", "odom", "base_link"
    shown: FoxgloveServer | RerunViewer
    with _node("ami_view", namespace) as (node, executor):
        if viewer is Viewer.foxglove:
            from ami_ros.core.installation import share
            from ami_ros.ros.foxglove import FoxgloveServer

            shown = FoxgloveServer(node, host, port, frames)
            typer.echo(f"connect Foxglove or Lichtblick to ws://{host}:{shown.port}")
            typer.echo(f"and import the layout {share('foxglove', 'ami_ros.json')}")
        else:
            from ami_ros.ros.rerun import RerunViewer

            shown = RerunViewer(node, file, port, frames)
            typer.echo(f"open {shown.address}" if shown.address else f"writing {file}")
        try:
            while True:
                executor.spin_once(timeout_sec=0.2)
        except KeyboardInterrupt:
            return 0  # the usual way to end
        finally:
            shown.close()


def record(
    out: Annotated[Path, typer.Option(help="Folder of the new bag.")],
    robot: Annotated[
        str, typer.Option(help="Robot in config/robots, or its file. Its topics are recorded.")
    ] = "ami_bot",
    topics: Annotated[
        list[str] | None,
        typer.Option(help="A topic to record; repeat it for more. Default: all that training and the viewers need."),
    ] = None,
    max_size_mb: Annotated[float | None, typer.Option(min=0.0, help="Stop at this size of messages [MB].")] = None,
    max_duration: Annotated[float | None, typer.Option(min=0.0, help="Stop after this time [s].")] = None,
) -> int:
    """Record topics into a bag until Ctrl-C. Topics that appear later are included."""
    from rich.console import Console
    from rich.live import Live

    from ami_ros.core.robots.derived import recorded_topics
    from ami_ros.core.robots.description import load_robot
    from ami_ros.ros.recorder import Frames, Recorder, RecorderLimits
    from ami_ros.ros.scanner import TFMessage
    from ami_ros.world_model.learning.bag_writer import BagWriter

    endless = float("inf")
    limits = RecorderLimits(max_size_mb or endless, max_duration or endless)
    described = load_robot(robot)
    wanted = topics or recorded_topics(described)
    to_people = Console(emoji=False, stderr=True)
    with _node("recorder") as (node, executor):
        out.parent.mkdir(parents=True, exist_ok=True)
        bag = BagWriter(out)
        recorder = Recorder(node, out, wanted, limits, bag)
        if TFMessage is None and "/tf" in wanted:  # nobody has its type, so it is silent
            now, names = node.get_clock().now, described.frames
            Frames(
                node, (names.map, names.odom, names.base),
                lambda *moved: bag.frame("/tf", now().nanoseconds * 1e-9, *moved),
            )  # fmt: skip

        def state() -> str:
            """One line: for how long, how much, how many messages a topic, and what nobody publishes."""
            minutes, seconds = divmod(int(recorder.duration), 60)
            counts = ", ".join(f"{topic} {count}" for topic, count in sorted(recorder.counts.items())) or "nothing yet"
            waiting = f"; waiting for {', '.join(recorder.missing)}" if recorder.missing else ""
            return f"recording {minutes:02d}:{seconds:02d}, {recorder.megabytes:.1f} MB: {counts}{waiting}"

        try:
            with Live(console=to_people, refresh_per_second=4, get_renderable=state):
                while not recorder.stopped:
                    executor.spin_once(timeout_sec=0.2)
        except KeyboardInterrupt:
            pass  # the usual way to end
        finally:
            recorder.close()
    to_people.print(f"stopped: {recorder.stopped or 'interrupted'}", soft_wrap=True)
    to_people.print(f"{sum(recorder.counts.values())} messages are in {out}", soft_wrap=True)
    return 0


@contextmanager
def _node(name: str, namespace: str = "") -> Iterator[tuple[Node, Executor]]:
    """A node in the ROS domain that the user chose, and the executor that serves it."""
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions

    from ami_ros.ros.start.domain import domain_in_environment

    domain_in_environment()  # complains in one line where rclpy would not
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node, executor = Node(name, namespace=namespace), SingleThreadedExecutor()
        executor.add_node(node)
        try:
            yield node, executor
        finally:
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()


def film(
    bag: Annotated[Path, typer.Argument(help="Recording of a drive, made by ami record or demo --record.")],
    out: Annotated[Path, typer.Argument(help="GIF file to write.")],
    seconds: Annotated[float, typer.Option(help="Length of the film [s]. The drive is sped up to fit.", min=1)] = 15.0,
    rate: Annotated[float, typer.Option(help="Pictures per second.", min=1, max=25)] = 8.0,
    width: Annotated[int, typer.Option(help="Width of the film [px].", min=200, max=1920)] = 640,
) -> None:
    """Make a GIF of a recorded drive: the growing map, places, plan, camera, and what the robot says."""
    from ami_ros.cli.pictures import Film, write_gif
    from ami_ros.cli.progress import reporting

    if out.suffix != ".gif":
        raise AmiError(f"film: {out} must end in .gif")
    if out.exists():
        raise AmiError(f"film: {out} exists already; name another file, or remove it")
    with reporting("drawing") as report:
        made = Film(bag, max(2, round(seconds * rate)), width)
        write_gif(out, made.pictures(report), rate)
    typer.echo(f"{out}: {made.count} pictures of {made.duration:.0f} s, {out.stat().st_size / 1e6:.1f} MB")
