"""The node `command_timeout`: stops a base that keeps its last command for ever, as Gazebo's drives do."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass
from functools import partial

from geometry_msgs.msg import Twist, TwistStamped

from ami_ros.core.commands import STILL
from ami_ros.core.config import parameter
from ami_ros.ros.messages.conversions import command_type
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode, CommandPublisher
from ami_ros.ros.node.process import run
from ami_ros.ros.node.qos import RELIABLE


@dataclass(frozen=True)
class CommandTimeoutParameters:
    """Parameters of the node."""

    timeout: float = parameter(0.5, "Silence of cmd_vel after which the base is told to stand.", "s", (0.1, 10.0))
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel and cmd_vel_base are TwistStamped; false: Twist.")
    base_frame: str = parameter("base_link", "Frame of the commands.")


class CommandTimeoutNode(
    AmiNode[CommandTimeoutParameters], name="command_timeout", parameters=CommandTimeoutParameters
):
    """Passes commands on as they come. While none come it sends zero again and again: what carries commands to the base
    may have been started again, and nobody tells. Time is steady, as the gate's: a slow simulation is no silence."""

    def configure(self) -> None:
        config = self.config
        self._heard = -math.inf  # steady time
        self._output = CommandPublisher(self, "cmd_vel_base", config.enable_stamped_cmd_vel, config.base_frame)
        self.subscribe(command_type(config.enable_stamped_cmd_vel), "cmd_vel", self._pass_on, RELIABLE)
        self.every(config.timeout / 4, self._stop_if_silent, STEADY)

    def deactivate(self) -> None:
        self._output.send(STILL, last=True)

    def _pass_on(self, message: Twist | TwistStamped) -> None:
        self._heard = time.monotonic()
        self._output.publisher.publish(message)

    def _stop_if_silent(self) -> None:
        if time.monotonic() - self._heard > self.config.timeout:
            self._output.send(STILL)


main = partial(run, CommandTimeoutNode)


if __name__ == "__main__":
    sys.exit(main())
