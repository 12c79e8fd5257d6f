"""The console as commands start it: node, desk and server together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rclpy.context import Context

from ami_ros.console.desk import Desk, Keys
from ami_ros.ros.console.node import ConsoleNode
from ami_ros.web.server import LOOPBACK, ConsoleServer


@dataclass(frozen=True)
class ConsoleSettings:
    """What the user asked for; see `ami console --help`."""

    host: str = LOOPBACK
    port: int | None = None
    namespace: str = ""
    keep_out: Path | None = None
    bags: Path | None = Path(".")  # folder of bags of the last minutes; None: none are kept


class RobotConsole:
    """A console that runs until it is closed.

    Args:
        context: initialised.
        settings: see there.
        tell: gets a line for each action, and when something ended.
        rules: remappings of topics, as the stack has them.

    Raises:
        AmiError: the port is in use, or the file of keep-out areas is damaged.
    """

    def __init__(
        self,
        context: Context,
        settings: ConsoleSettings,
        tell: Callable[[str], None],
        rules: Mapping[str, str] | None = None,
    ) -> None:
        with ExitStack() as stack:
            self.node = ConsoleNode(
                context, settings.namespace, rules, settings.keep_out, lambda line: self._say(line), settings.bags
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
        keys = self.desk.keys
        return [
            f"console: {self.server.url(keys.drive)}",
            f"to watch and stop only: {self.server.url(keys.watch)}",
        ]

    def close(self) -> None:
        """Ends it; a robot that is driven by hand is told to stand."""
        self._stack.close()

    def __enter__(self) -> RobotConsole:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _say(self, line: str) -> None:
        self.desk.say(line)
