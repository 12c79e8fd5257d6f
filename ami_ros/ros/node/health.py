"""What is wrong with a node at present, in its log and on /diagnostics; and there how it does, in numbers."""

from __future__ import annotations

import os
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node

from ami_ros.ros.node.inputs import Inputs
from ami_ros.ros.node.worker import Worker

STEADY = Clock(clock_type=ClockType.STEADY_TIME)
BACKWARD = JumpThreshold(
    min_forward=None, min_backward=Duration(seconds=-0.1), on_clock_change=False
)  # the node's clock was turned back


PAGE = os.sysconf("SC_PAGE_SIZE")  # [bytes]
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
    """Counts problems by kind. Safe to call from any thread.

    Attributes:
        inputs: what the node hears.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = threading.Lock()
        self._problems: dict[str, _Problem] = {}
        self._figures: dict[str, Callable[[], str]] = {}
        self.inputs = Inputs(node)
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 5)
        self._timer = node.create_timer(PERIOD, self._publish, clock=STEADY)

    def figure(self, name: str, read: Callable[[], str]) -> None:
        """Adds a value to each message until `forget`; `read` is called on the node's thread."""
        self._figures[name] = read

    def follow(self, worker: Worker[Any]) -> None:
        """Adds how long a worker takes, and what it leaves out."""
        self.figure("inference p50 (ms)", lambda: _percentile(worker.durations(), 0.5))
        self.figure("inference p99 (ms)", lambda: _percentile(worker.durations(), 0.99))
        self.figure("dropped", lambda: str(worker.dropped))

    def forget(self) -> None:
        """Of a node that is not configured any more: its figures and inputs."""
        self._figures.clear()
        self.inputs.clear()

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
        for kind, text in self.inputs.problems():
            self.warn(kind, text)
        with self._lock:
            current = {k: p for k, p in self._problems.items() if time.monotonic() - p.seen < MEMORY}
            worst = max(current.values(), key=lambda p: p.level, default=None)
            counts = [KeyValue(key=k, value=str(p.count)) for k, p in self._problems.items()]
        read = {name: figure() for name, figure in self._figures.items()} | {"resident memory (MB)": _resident()}
        counts += [KeyValue(key=k, value=v) for k, v in (self.inputs.figures() | read).items()]
        status = DiagnosticStatus(name=name, hardware_id="ami_ros", values=counts)
        status.level = worst.level if worst else _ORDINARY.level
        status.message = worst.text if worst else _ORDINARY.message
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def _percentile(values: list[float], share: float) -> str:
    """Of sorted durations [s], in milliseconds."""
    return f"{1e3 * values[min(int(share * len(values)), len(values) - 1)]:.1f}" if values else ""


def _resident() -> str:
    """Of this process [MB]."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return f"{pages * PAGE / 1e6:.0f}"
