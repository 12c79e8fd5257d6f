"""The console's node: hears a stack while somebody looks, asks it for what they want, and keeps the last minutes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from rclpy.context import Context
from rclpy.node import Node

from ami_ros.console.keep_out import KeepOutStrokes
from ami_ros.console.scene import Scene
from ami_ros.ros.console.listener import Listener
from ami_ros.ros.console.robot import StackRobot
from ami_ros.ros.node.executor import LeanExecutor

NAME = "console"


class ConsoleNode:
    """A node on a thread of its own.

    Args:
        context: initialised.
        namespace: of the robot.
        rules: remappings of topics, as the stack has them.
        keep_out: file of painted areas; None: they are forgotten at the end.
        tell: gets a line when something ended.
    """

    def __init__(
        self,
        context: Context,
        namespace: str = "",
        rules: Mapping[str, str] | None = None,
        keep_out: Path | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        remaps = [word for source, target in (rules or {}).items() for word in ("-r", f"{source}:={target}")]
        self.node = Node(
            NAME, context=context, namespace=namespace, enable_rosout=False, start_parameter_services=False,
            use_global_arguments=False, cli_args=["--ros-args", *remaps] if remaps else None,
        )  # fmt: skip
        self.scene = Scene()
        self._executor = LeanExecutor(context=context)
        self._executor.failed = lambda error: tell(f"console: {type(error).__name__}: {error}")
        self._executor.add_node(self.node)
        strokes = KeepOutStrokes(keep_out)
        self._listener = Listener(self.node, self.scene)
        self.robot = StackRobot(self.node, self._executor, self.scene, self._listener, strokes, tell, None)
        self._thread = threading.Thread(target=self._executor.spin, name="console node", daemon=True)
        self._thread.start()

    def attend(self, count: int) -> None:
        """So many look."""
        self._executor.create_task(self._listener.attend, count)

    def close(self) -> None:
        """Ends thread and node; a robot that is driven by hand is told to stand."""
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self.robot.close()
        self.node.destroy_node()
