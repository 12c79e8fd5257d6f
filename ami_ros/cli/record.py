"""`ami record`: records a robot's sensors and commands into a bag."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ami_ros.ros.recorder import Recorder


def main(
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
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.node import Node
    from rclpy.signals import SignalHandlerOptions
    from rich.console import Console
    from rich.live import Live

    from ami_ros.core.robots.derived import recorded_topics
    from ami_ros.core.robots.description import load_robot
    from ami_ros.ros.recorder import Frames, Recorder, RecorderLimits
    from ami_ros.ros.scanner import TFMessage
    from ami_ros.ros.start.domain import domain_in_environment
    from ami_ros.world_model.learning.bag_writer import BagWriter

    domain_in_environment()  # complains in one line where rclpy would not
    endless = float("inf")
    limits = RecorderLimits(max_size_mb or endless, max_duration or endless)
    described = load_robot(robot)
    wanted = topics or recorded_topics(described)
    console = Console(emoji=False, stderr=True)
    rclpy.init(args=[], signal_handler_options=SignalHandlerOptions.NO)
    try:
        node = Node("recorder")
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        out.parent.mkdir(parents=True, exist_ok=True)
        bag = BagWriter(out)
        recorder = Recorder(node, out, wanted, limits, bag)
        if TFMessage is None and "/tf" in wanted:  # nobody has its type, so it is silent
            now, names = node.get_clock().now, described.frames
            Frames(
                node, (names.map, names.odom, names.base),
                lambda *moved: bag.frame("/tf", now().nanoseconds * 1e-9, *moved),
            )  # fmt: skip
        try:
            with Live(console=console, refresh_per_second=4, get_renderable=lambda: state(recorder)):
                while not recorder.stopped:
                    executor.spin_once(timeout_sec=0.2)
        except KeyboardInterrupt:
            pass  # the usual way to end
        finally:
            recorder.close()
            executor.shutdown()
            node.destroy_node()
    finally:
        rclpy.try_shutdown()
    console.print(f"stopped: {recorder.stopped or 'interrupted'}", soft_wrap=True)
    console.print(f"{sum(recorder.counts.values())} messages are in {out}", soft_wrap=True)
    return 0


def state(recorder: Recorder) -> str:
    """One line: for how long, how much, how many messages a topic, and what nobody publishes."""
    minutes, seconds = divmod(int(recorder.duration), 60)
    counts = ", ".join(f"{topic} {count}" for topic, count in sorted(recorder.counts.items())) or "nothing yet"
    waiting = f"; waiting for {', '.join(recorder.missing)}" if recorder.missing else ""
    return f"recording {minutes:02d}:{seconds:02d}, {recorder.megabytes:.1f} MB: {counts}{waiting}"
