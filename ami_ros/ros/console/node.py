"""The console's node: hears a stack while somebody looks, asks it for what they want, and keeps the last minutes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rclpy.context import Context
from rclpy.node import Node

from ami_ros.console.keep_out import KeepOutStrokes
from ami_ros.console.ring import Ring
from ami_ros.console.scene import Scene
from ami_ros.errors import AmiError
from ami_ros.robots.derived import STACK_TOPICS
from ami_ros.ros.console.listener import Listener
from ami_ros.ros.console.robot import StackRobot
from ami_ros.ros.node.executor import LeanExecutor

NAME = "console"
REST = 0.01  # [s] between turns: topics of up to 100 Hz are heard, and bursts of them in one turn
LOOK_FOR_TOPICS = 5.0  # [s] between two looks for topics that are new: each costs milliseconds
UNSEEN = {"latent"}  # that no view shows: ten messages a second
RECORDED = ("image", "camera_info", "scan", "odom", "cmd_vel", *(t for t in STACK_TOPICS if t not in UNSEEN))


class ConsoleNode:
    """A node on a thread of its own.

    Args:
        context: initialised.
        namespace: of the robot.
        rules: remappings of topics, as the stack has them.
        keep_out: file of painted areas; None: they are forgotten at the end.
        tell: gets a line when something ended.
        bags: folder of bags of the last minutes; None: none are kept.
    """

    def __init__(
        self,
        context: Context,
        namespace: str = "",
        rules: Mapping[str, str] | None = None,
        keep_out: Path | None = None,
        tell: Callable[[str], None] = lambda line: None,
        bags: Path | None = None,
    ) -> None:
        remaps = [word for source, target in (rules or {}).items() for word in ("-r", f"{source}:={target}")]
        self.node = Node(
            NAME, context=context, namespace=namespace, enable_rosout=False, start_parameter_services=False,
            use_global_arguments=False, cli_args=["--ros-args", *remaps] if remaps else None,
        )  # fmt: skip
        self.scene = Scene()
        self._executor = LeanExecutor(context=context)
        self._executor.rest = REST
        self._executor.failed = lambda error: tell(f"console: {type(error).__name__}: {error}")
        self._executor.add_node(self.node)
        strokes = KeepOutStrokes(keep_out)
        self.listener = Listener(self.node, self.scene)
        self._ring, self._tell = Ring(), tell
        self.listener.ticked.append(lambda: setattr(self.scene, "buffered", self._ring.seconds))
        save = self._save if bags is not None else None
        self.robot = StackRobot(self.node, self._executor, self.scene, self.listener, strokes, tell, save)
        self._bags = bags
        self._recorder = self._record() if bags is not None else None
        self._thread = threading.Thread(target=self._executor.spin, name="console node", daemon=True)
        self._thread.start()

    def attend(self, count: int) -> None:
        """So many look."""
        self._executor.create_task(self.listener.attend, count)

    def _record(self) -> Any:
        """Keeps the last minutes; where a package for bags is missing, it says so when one is wanted."""
        try:
            from ami_ros.ros.recorder import Recorder, RecorderLimits

            limits = RecorderLimits(min_free_megabytes=0.0, poll_period=LOOK_FOR_TOPICS)
            return Recorder(self.node, Path("bag"), RECORDED, limits, self._ring)
        except AmiError as error:
            return error

    def _save(self) -> str:
        """Writes the bag on a thread of its own: whoever steers must not wait for a disk."""
        if isinstance(self._recorder, AmiError):
            raise self._recorder
        assert self._bags is not None
        path = self._bags / time.strftime("bag_%Y%m%d_%H%M%S")
        threading.Thread(target=self._write, args=(path,), name="console bag", daemon=True).start()
        return f"the last {self._ring.seconds:.0f} s are being written to {path}"

    def _write(self, path: Path) -> None:
        from ami_ros.learning.bag_writer import BagWriter

        try:
            with BagWriter(path) as bag:
                count = self._ring.write(bag)
            self._tell(f"{count} messages are in {path}")
        except AmiError as error:
            self._tell(str(error))

    def close(self) -> None:
        """Ends thread and node; a robot that is driven by hand is told to stand."""
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self.robot.close()
        self.node.destroy_node()
