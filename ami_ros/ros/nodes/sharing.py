"""The node `sharing`: fetches what other robots of the site remember, and gives them what this one does.

It is a process of its own, beside the memory's: whatever the network or the others do, the robot drives on.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ami_interfaces.msg import SharedMemory
from ami_ros.core.config import parameter
from ami_ros.core.errors import AmiError
from ami_ros.memory.sharing.exchange import Exchange, SharingConfig
from ami_ros.memory.sharing.letters import Letter
from ami_ros.memory.sharing.replica import copies_beside, robot_name
from ami_ros.memory.sharing.rows import OwnRows
from ami_ros.ros.messages.memory import LETTERS, TOPIC, letter_from_message, letter_to_message
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.process import run


@dataclass(frozen=True)
class SharingParameters:
    """Parameters of the node."""

    site: str = parameter("", "Name of the site whose robots share what they remember.")
    robot: str = parameter("", "Name of this robot there; empty: its namespace, or else the name of its computer.")
    memory_file: Path | None = parameter(None, "File of this robot's memory, which the node memory writes.")
    folder: Path | None = parameter(None, "Folder of the copies of others' memories; empty: beside memory_file.")
    rate: float = parameter(2.0, "Of rows that are sent, at most. Larger catches up sooner.", "MB/s", (0.01, 1000.0))
    clock_error: float = parameter(30.0, "By which another robot's clock may be off.", "s", (1.0, 1e6))


class SharingNode(AmiNode[SharingParameters], name="sharing", parameters=SharingParameters):
    """Carries letters between an `Exchange` and a topic."""

    def configure(self) -> None:
        config = self.config
        if not config.site or config.memory_file is None:
            raise AmiError("sharing: set site and memory_file")
        path = config.memory_file.expanduser()
        name = robot_name(config.robot, self.get_namespace())
        settings = SharingConfig(config.site, name, 1e6 * config.rate, clock_error=config.clock_error)
        folder = config.folder.expanduser() if config.folder else copies_beside(path)
        self.exchange = Exchange(settings, OwnRows(path), folder)
        self._letters = self.publisher(SharedMemory, TOPIC, LETTERS)
        self.subscribe(SharedMemory, TOPIC, self._take, LETTERS)
        self.health.figure("robot", lambda: name)
        self.health.figure("places", lambda: str(self.exchange.places))
        self.health.figure("copies", self._copies)
        send_period = 0.1  # [s]
        self.every(1.0, lambda: self._send(self.exchange.tick(self.now(), time.monotonic())), STEADY)
        self.every(send_period, lambda: self._send(self.exchange.send_rows(self.now(), send_period)), STEADY)

    def cleanup(self) -> None:
        if hasattr(self, "exchange"):
            self.exchange.close()
            del self.exchange

    def _take(self, message: SharedMemory) -> None:
        self._send(self.exchange.take(letter_from_message(message), self.now(), time.monotonic()))

    def _send(self, letters: list[Letter]) -> None:
        for letter in letters:
            self._letters.publish(letter_to_message(letter))

    def _copies(self) -> str:
        return ", ".join(f"{robot}: {places} places" for robot, places in self.exchange.copies().items()) or "none"


main = partial(run, SharingNode)


if __name__ == "__main__":
    sys.exit(main())
