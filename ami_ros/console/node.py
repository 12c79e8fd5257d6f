"""The console's node, the console as commands start it, and the picture of its map."""

from __future__ import annotations

import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rclpy.context import Context
from rclpy.node import Node

from ami_ros.console.desk import Desk, Keys
from ami_ros.console.kept import KeepOutStrokes, Ring
from ami_ros.console.listener import Listener
from ami_ros.console.robot import StackRobot
from ami_ros.console.scene import Scene
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_png
from ami_ros.core.robots.derived import STACK_TOPICS
from ami_ros.ros.node.executor import LeanExecutor

# Of the last minutes; no view shows the latent, which comes ten times a second.
RECORDED = ("image", "camera_info", "scan", "odom", "cmd_vel", *(t for t in STACK_TOPICS if t != "latent"))


class ConsoleNode:
    """On a thread of its own: hears a stack while somebody looks, asks it for things, and keeps the last minutes.

    Args:
        context: initialised.
        namespace: of the robot.
        rules: remappings of topics, as the stack has them.
        keep_out: file of painted areas; None: they are forgotten at the end.
        tell: gets a line when something ended.
        bags: folder of bags of the last minutes; None: none are kept.
    """

    def __init__(
        self, context: Context, namespace: str = "", rules: Mapping[str, str] | None = None,
        keep_out: Path | None = None, tell: Callable[[str], None] = lambda line: None, bags: Path | None = None,
    ) -> None:  # fmt: skip
        remaps = [word for source, target in (rules or {}).items() for word in ("-r", f"{source}:={target}")]
        self.node = Node(
            "console", context=context, namespace=namespace, enable_rosout=False, start_parameter_services=False,
            use_global_arguments=False, cli_args=["--ros-args", *remaps] if remaps else None,
        )  # fmt: skip
        self.scene = Scene()
        self._executor = LeanExecutor(context=context)
        self._executor.rest = (
            0.01  # [s] between turns: topics of up to 100 Hz are heard, and bursts of them in one turn
        )
        self._executor.failed = lambda error: tell(f"console: {type(error).__name__}: {error}")
        self._executor.add_node(self.node)
        strokes = KeepOutStrokes(keep_out)
        self.listener = Listener(self.node, self.scene)
        self._ring, self._tell, self._bags = Ring(), tell, bags
        self.listener.ticked.append(lambda: setattr(self.scene, "buffered", self._ring.seconds))
        save = self._save if bags is not None else None
        self.robot = StackRobot(self.node, self._executor, self.scene, self.listener, strokes, tell, save)
        self._recorder = self._record() if bags is not None else None
        self._thread = threading.Thread(target=self._executor.spin, name="console node", daemon=True)
        self._thread.start()

    def attend(self, count: int) -> None:
        """So many look."""
        self._executor.create_task(self.listener.attend, count)

    def close(self) -> None:
        """Ends thread and node; a robot that is driven by hand is told to stand."""
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self.robot.close()
        self.node.destroy_node()

    def _record(self) -> Any:
        """Keeps the last minutes; where a package for bags is missing, it says so when one is wanted."""
        try:
            from ami_ros.ros.recorder import Recorder, RecorderLimits

            limits = RecorderLimits(min_free_megabytes=0.0, poll_period=5.0)  # [s]; each look costs milliseconds
            return Recorder(self.node, Path("bag"), RECORDED, limits, self._ring)
        except AmiError as error:
            return error

    def _save(self) -> str:
        """Writes the bag on a thread of its own: whoever steers must not wait for a disk."""
        if isinstance(self._recorder, AmiError):
            raise self._recorder
        assert self._bags is not None
        path = self._bags / time.strftime("bag_%Y%m%d_%H%M%S")

        def write() -> None:
            from ami_ros.world_model.learning.bag_writer import BagWriter

            try:
                with BagWriter(path) as bag:
                    count = self._ring.write(bag)
                self._tell(f"{count} messages are in {path}")
            except AmiError as error:
                self._tell(str(error))

        threading.Thread(target=write, name="console bag", daemon=True).start()
        return f"the last {self._ring.seconds:.0f} s are being written to {path}"


@dataclass(frozen=True)
class ConsoleSettings:
    """What the user asked for; see `ami console --help`."""

    host: str = "127.0.0.1"
    port: int | None = None
    namespace: str = ""
    keep_out: Path | None = None
    bags: Path | None = Path(".")  # folder of bags of the last minutes; None: none are kept


class RobotConsole:
    """A console that runs until it is closed: node, desk and server.

    Args:
        context: initialised.
        settings: see there.
        tell: gets a line for each action, and when something ended.
        rules: remappings of topics, as the stack has them.

    Raises:
        AmiError: the port is in use, or the file of keep-out areas is damaged; a package of the extra is missing.
    """

    def __init__(
        self, context: Context, settings: ConsoleSettings, tell: Callable[[str], None],
        rules: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        from ami_ros.console.server import ConsoleServer  # of an extra

        with ExitStack() as stack:
            self.node = ConsoleNode(
                context, settings.namespace, rules, settings.keep_out, lambda line: self.desk.say(line), settings.bags
            )
            stack.callback(self.node.close)
            self.scene = self.node.scene
            self.desk = Desk(self.node.robot, Keys.new(), tell, self.node.attend)
            self.server = ConsoleServer(
                self.desk, self.scene, self.node.robot.add_picture, settings.host, settings.port
            )
            stack.callback(self.server.close)
            self._stack = stack.pop_all()

    @property
    def addresses(self) -> list[str]:
        """Lines for whoever started it."""
        drive, watch = (self.server.url(key) for key in (self.desk.keys.drive, self.desk.keys.watch))
        return [f"console: {drive}", f"to watch and stop only: {watch}"]

    def close(self) -> None:
        """Ends it; a robot that is driven by hand is told to stand."""
        self._stack.close()

    def __enter__(self) -> RobotConsole:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MapPicture:
    """The picture that exploring leaves: the map that a page shows, and the way that the robot went.

    It listens from the beginning, as a console does.

    Args:
        context: initialised.
        namespace: of the robot.
    """

    def __init__(self, context: Context, namespace: str) -> None:
        self._node = ConsoleNode(context, namespace)
        self._node.attend(1)

    def write(self, path: Path) -> str:
        """Writes a PNG, x to the right, if there is a map; words for people.

        Raises:
            AmiError: the file cannot be written.
        """
        scene, deadline = self._node.scene, time.monotonic() + 5.0  # [s]; memory draws a map every three seconds
        while (document := scene.documents.get("map")) is None and time.monotonic() < deadline:
            time.sleep(0.1)
        self._node.close()
        if document is None:
            return "no picture: neither a map nor a laser was heard"
        encoded = np.frombuffer(b64decode(document["src"].partition(",")[2]), np.uint8)
        cells: Any = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)
        image = np.where(cells[..., 3:] > 0, cells[..., :3], np.array((226, 231, 225), np.uint8))
        image = np.ascontiguousarray(image.repeat(4, 0).repeat(4, 1))  # [px] a cell
        way = np.array(scene.live()["track"]).reshape(-1, 2)
        if len(way):
            spots = (way - document["origin"]) / document["resolution"] * 4
            spots[:, 1] = len(image) - spots[:, 1]
            pixels = np.round(spots).astype(np.int32)
            cv2.polylines(image, [pixels], False, (8, 117, 110), 2, cv2.LINE_AA)
            cv2.circle(image, (int(pixels[0, 0]), int(pixels[0, 1])), 8, (192, 43, 37), -1, cv2.LINE_AA)
        try:
            path.write_bytes(encode_png(image))
        except OSError as error:
            raise AmiError(f"cannot write {path}: {error.strerror}; name another --picture") from error
        return f"picture: {path}"
