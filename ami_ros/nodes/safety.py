"""The node `safety`: the last word on every command, between planner and robot."""

from __future__ import annotations

import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from geometry_msgs.msg import Twist, TwistStamped
from sensor_msgs.msg import LaserScan
from std_msgs.msg import String

from ami_ros.commands import STILL, Command
from ami_ros.ros import conversions
from ami_ros.ros.clocks import STEADY
from ami_ros.ros.lifecycle import AmiNode
from ami_ros.ros.parameters import parameter
from ami_ros.ros.process import run
from ami_ros.ros.qos import RELIABLE
from ami_ros.ros.scanner import Scanner
from ami_ros.ros.urgency import URGENT
from ami_ros.safety.gate import SafetyConfig, SafetyGate
from ami_ros.scan import Mount


@dataclass(frozen=True)
class SafetyParameters:
    """Parameters of the node."""

    rate: float = parameter(20.0, "Of cmd_vel, also when no command comes; on steady time.", "Hz", (10.0, 200.0))
    silence_timeout: float = parameter(
        1.0, "Zero without a command for this long on steady time, whatever the node's clock says.", "s", (0.1, 10.0)
    )
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel and cmd_vel_raw are TwistStamped; false: Twist.")
    base_frame: str = parameter("base_link", "Frame of the commands.")
    scanner: Mount = field(default_factory=Mount)
    gate: SafetyConfig = field(default_factory=SafetyConfig)


class SafetyNode(AmiNode[SafetyParameters]):
    """Passes commands through the gate as they come, and at a fixed rate between them."""

    def __init__(self, **options: Any) -> None:
        super().__init__("safety", SafetyParameters, **options)

    def configure(self) -> None:
        kind = TwistStamped if self.config.enable_stamped_cmd_vel else Twist
        self._gate = SafetyGate(self.config.gate)
        self._scanner = Scanner(self, self.config.base_frame, self.config.scanner)
        self._sending = threading.Lock()  # nothing may be sent after the last zero
        self._heard = time.monotonic()
        self._reason = ""
        self._output = self.publisher(kind, "cmd_vel")
        self._status = self.publisher(String, "~/status")
        self.subscribe(kind, "cmd_vel_raw", self._command, RELIABLE)
        self.subscribe(LaserScan, "scan", self._scan)
        self.every(1.0 / self.config.rate, self._send, STEADY)
        self.every(2.0, self._look_for_rivals, STEADY)

    def deactivate(self) -> None:
        with self._sending:
            self._gate.stop()
            self.publish_last(self._output, self._message(STILL))

    def time_jumped(self) -> None:
        if self.is_active:
            self._gate.stop()

    def _command(self, message: Twist | TwistStamped) -> None:
        self._heard = time.monotonic()
        linear, angular, lateral = conversions.command_from_message(message, 3)
        self._gate.command(linear, angular, self.now(), lateral)
        self._send()

    def _scan(self, message: LaserScan) -> None:
        self._gate.scan(self._scanner.read(message), self.now())

    def _send(self) -> None:
        with self._sending:
            if not self.is_active:
                return
            if time.monotonic() - self._heard > self.config.silence_timeout:
                self._gate.stop()
            output = self._gate.output(self.now())
            self._output.publish(self._message(output.command))
        if output.reason != self._reason:
            self._reason = output.reason
            self._status.publish(String(data=output.reason))

    def _message(self, command: Command) -> Twist | TwistStamped:
        twist = conversions.twist_message(command)
        if not self.config.enable_stamped_cmd_vel:
            return twist
        header = conversions.header_at(self.get_clock().now().to_msg(), self.config.base_frame)
        return TwistStamped(header=header, twist=twist)

    def _look_for_rivals(self) -> None:
        """A second publisher of cmd_vel goes round the gate."""
        own = (self.get_namespace(), self.get_name())
        for rival in self.get_publishers_info_by_topic(self._output.topic_name):
            if (rival.node_namespace, rival.node_name) != own:
                name = f"{rival.node_namespace.rstrip('/')}/{rival.node_name}"
                self.health.warn(
                    "rival", f"{name} also publishes {self._output.topic_name}; it passes by the safety gate"
                )


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(SafetyNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
