"""What is wrong with a node at present, in its log and on /diagnostics."""

from __future__ import annotations

import threading
import time
import traceback
from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
BACKWARD = JumpThreshold(
    min_forward=None, min_backward=Duration(seconds=-0.1), on_clock_change=False
)  # the node's clock was turned back


PERIOD = 1.0  # of /diagnostics [s]
REPEAT = 5.0  # a problem that goes on is logged this often [s]
MEMORY = 3.0  # a problem not reported for this long is over [s]

_ORDINARY = DiagnosticStatus(level=DiagnosticStatus.OK, message="fine")


@dataclass
class _Problem:
    """One kind of trouble: its newest text, how often it came, and when (steady time [s])."""

    level: bytes
    text: str = ""
    count: int = 0
    seen: float = -float("inf")
    logged: float = -float("inf")


class Health:
    """Counts problems by kind. Safe to call from any thread."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._problems: dict[str, _Problem] = {}
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 5)
        self._timer = node.create_timer(PERIOD, self._publish, clock=STEADY)

    def warn(self, kind: str, text: str) -> None:
        """The node can go on, but somebody should know."""
        if self._report(DiagnosticStatus.WARN, kind, text):
            self._node.get_logger().warning(text)

    def error(self, kind: str, text: str, cause: Exception | None = None) -> None:
        """The node cannot do its work; the traceback of `cause`, if there is one, goes into the log."""
        if self._report(DiagnosticStatus.ERROR, kind, text):
            trace = [] if cause is None else traceback.format_exception(cause)
            self._node.get_logger().error("\n".join([text, *trace]))

    def count(self, kind: str) -> int:
        """How often a kind of problem was reported."""
        with self._lock:
            return self._problems[kind].count if kind in self._problems else 0

    def _report(self, level: bytes, kind: str, text: str) -> bool:
        """Notes a problem; True if it is time to log it."""
        now = time.monotonic()
        with self._lock:
            problem = self._problems.setdefault(kind, _Problem(level))
            problem.level, problem.text, problem.seen = level, text, now
            problem.count += 1
            if now - problem.logged < REPEAT:
                return False
            problem.logged = now
            return True

    def _publish(self) -> None:
        name = self._node.get_fully_qualified_name()
        with self._lock:
            current = {k: p for k, p in self._problems.items() if time.monotonic() - p.seen < MEMORY}
            worst = max(current.values(), key=lambda p: p.level, default=None)
            counts = [KeyValue(key=k, value=str(p.count)) for k, p in self._problems.items()]
        status = DiagnosticStatus(name=name, hardware_id="ami_ros", values=counts)
        status.level = worst.level if worst else _ORDINARY.level
        status.message = worst.text if worst else _ORDINARY.message
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)
