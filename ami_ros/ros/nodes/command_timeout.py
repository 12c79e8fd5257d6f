"""The node `command_timeout`: stops a base that keeps its last command for ever, as Gazebo's drives do."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped

from ami_ros.core.commands import STILL
from ami_ros.core.config import parameter
from ami_ros.ros.messages import conversions
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import RELIABLE


@dataclass(frozen=True)
class CommandTimeoutParameters:
    """Parameters of the node."""

    timeout: float = parameter(0.5, "Silence of cmd_vel after which the base is told to stand.", "s", (0.1, 10.0))
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel and cmd_vel_base are TwistStamped; false: Twist.")
    base_frame: str = parameter("base_link", "Frame of the commands.")


class CommandTimeoutNode(AmiNode[CommandTimeoutParameters]):
    """Passes commands on as they come. While none come it sends zero again and again: what carries commands to the base
    may have been started again, and nobody tells. Time is steady, as the gate's: a slow simulation is no silence."""

    def __init__(self, **options: Any) -> None:
        super().__init__("command_timeout", CommandTimeoutParameters, **options)

    def configure(self) -> None:
        kind = TwistStamped if self.config.enable_stamped_cmd_vel else Twist
        self._heard = -math.inf  # steady time
        self._output = self.publisher(kind, "cmd_vel_base")
        self.subscribe(kind, "cmd_vel", self._pass_on, RELIABLE)
        self.every(self.config.timeout / 4, self._stop_if_silent, STEADY)

    def deactivate(self) -> None:
        self.publish_last(self._output, self._zero())

    def _pass_on(self, message: Twist | TwistStamped) -> None:
        self._heard = time.monotonic()
        self._output.publish(message)

    def _stop_if_silent(self) -> None:
        if time.monotonic() - self._heard > self.config.timeout:
            self._output.publish(self._zero())

    def _zero(self) -> Twist | TwistStamped:
        stamp, config = self.get_clock().now().to_msg(), self.config
        return conversions.command_message(STILL, config.enable_stamped_cmd_vel, stamp, config.base_frame)


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(CommandTimeoutNode)


if __name__ == "__main__":
    sys.exit(main())
