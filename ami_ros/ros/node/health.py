"""What a node tells of itself: what it hears, what is wrong with it, and signs of life.

Problems go to its log and to /diagnostics, with figures of how it does. Signs of life come from the thread that serves
the node's callbacks, so one that hangs gives none.
"""

from __future__ import annotations

import math
import os
import threading
import time
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from ami_ros.ros.node.qos import RELIABLE
from ami_ros.runtime.supervision import Beat

try:
    from bond.msg import Status as BondStatus
except ImportError:  # the ROS wheels do not have it
    BondStatus = None

STEADY = Clock(clock_type=ClockType.STEADY_TIME)


@dataclass(frozen=True)
class HealthConfig:
    """How often a node tells of itself, and what is odd about what it hears."""

    period: float = 1.0  # [s] of /diagnostics
    repeat: float = 5.0  # [s] after which a problem that goes on is logged again
    memory: float = 3.0  # [s] after which a problem that was not reported is over
    look: float = 3.0  # [s] between two looks at who publishes
    trust: float = 0.5  # [s] for which one good header stands for those after it: looking costs time
    other_clock: float = 3600.0  # [s] that stamps may be off before it is said that clocks are not alike


@dataclass
class _Input:
    """One topic."""

    kind: str  # as "sensor_msgs/msg/Image"
    qos: QoSProfile
    frame: str  # that its messages should have; "": any
    count: int = 0
    began: float = 0.0  # steady time from which `count` counts
    stamp: Any = None  # of the newest message, as it came
    good_until: float = 0.0  # steady time up to which headers are taken for as good as the last one looked at


class Inputs:
    """What a node hears, by topic: how often and how old, and who speaks to it in a way that it cannot hear.

    Everything is called on the node's thread.

    Attributes:
        own_time: the node hears stamps of its own clock; not so one that makes the time itself.
    """

    def __init__(self, node: Any, config: HealthConfig) -> None:
        self._node, self._config = node, config
        self._inputs: dict[str, _Input] = {}
        self.own_time = True
        self._looked = 0.0
        self._mismatches: list[tuple[str, str]] = []

    def add(self, topic: str, message_type: Any, qos: QoSProfile, frame: str = "") -> None:
        """A topic that is heard from now on."""
        package, _, _ = message_type.__module__.partition(".msg")
        kind = f"{package}/msg/{message_type.__name__}"
        self._inputs[topic] = _Input(kind, qos, frame, began=time.monotonic())

    def clear(self) -> None:
        """None is heard any more."""
        self._inputs.clear()
        self._mismatches.clear()

    def came(self, topic: str, message: Any) -> str:
        """A message came. Returns what is odd about its header; "" if nothing is."""
        heard, header = self._inputs.get(topic), getattr(message, "header", None)
        if heard is None:
            return ""
        heard.count += 1
        if header is None:
            return ""
        heard.stamp = header.stamp
        if (steady := time.monotonic()) < heard.good_until:
            return ""
        age = self._age(header.stamp)
        if self.own_time and (header.stamp.sec or header.stamp.nanosec) and abs(age) > self._config.other_clock:
            return f"stamps are {age:.0f} s behind this node's clock: is use_sim_time the same everywhere?"
        if heard.frame and header.frame_id != heard.frame:
            return f"messages are in frame '{header.frame_id}', expected is '{heard.frame}'"
        heard.good_until = steady + self._config.trust
        return ""

    def figures(self) -> dict[str, str]:
        """Rate since the last call, and age of the newest message, by topic."""
        steady, found = time.monotonic(), {}
        for topic, heard in self._inputs.items():
            found[f"{topic}: actual frequency (Hz)"] = f"{heard.count / max(steady - heard.began, 1e-3):.1f}"
            if heard.stamp is not None:
                found[f"{topic}: age (s)"] = f"{self._age(heard.stamp):.2f}"
            heard.count, heard.began = 0, steady
        return found

    def problems(self) -> list[tuple[str, str]]:
        """(topic, what is wrong) of those who publish another type, or with a quality of service that does not fit."""
        if time.monotonic() - self._looked > self._config.look:
            self._looked = time.monotonic()
            self._mismatches = [
                (topic, text)
                for topic, heard in self._inputs.items()
                for end in self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
                if (text := _mismatch(topic, heard, end))
            ]
        return self._mismatches

    def _age(self, stamp: Any) -> float:
        return float(self._node.get_clock().now().nanoseconds * 1e-9 - (stamp.sec + stamp.nanosec * 1e-9))


def _mismatch(topic: str, heard: _Input, end: Any) -> str:
    who = f"{end.node_namespace.rstrip('/')}/{end.node_name}"
    if end.topic_type != heard.kind:
        return f"{topic}: {who} publishes {end.topic_type}, heard is {heard.kind}"
    compatible, reason = qos_check_compatible(end.qos_profile, heard.qos)
    if compatible == QoSCompatibility.ERROR:
        return f"{topic}: {who} offers a quality of service that does not fit: {reason.strip().rstrip(';')}"
    return ""


@dataclass
class _Problem:
    """One kind of trouble: its newest text, how often it came, and when (steady time [s])."""

    level: bytes
    text: str = ""
    count: int = 0
    seen: float = -math.inf
    logged: float = -math.inf


class Health:
    """Counts problems by kind. Safe to call from any thread.

    Attributes:
        inputs: what the node hears.
    """

    def __init__(self, node: Node, config: HealthConfig | None = None) -> None:
        self._node, self._config = node, config or HealthConfig()
        self._lock = threading.Lock()
        self._problems: dict[str, _Problem] = {}
        self._figures: dict[str, Callable[[], str]] = {}
        self.inputs = Inputs(node, self._config)
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 5)
        self._timer = node.create_timer(self._config.period, self._publish, clock=STEADY)

    def figure(self, name: str, read: Callable[[], str]) -> None:
        """Adds a value to each message until `forget`; `read` is called on the node's thread."""
        self._figures[name] = read

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
            if now - problem.logged < self._config.repeat:
                return False
            problem.logged = now
            return True

    def _publish(self) -> None:
        for kind, text in self.inputs.problems():
            self.warn(kind, text)
        oldest = time.monotonic() - self._config.memory
        with self._lock:
            current = [problem for problem in self._problems.values() if problem.seen > oldest]
            figures = {kind: str(problem.count) for kind, problem in self._problems.items()}
        worst = max(current, key=lambda p: p.level, default=_Problem(DiagnosticStatus.OK, "fine"))
        figures |= self.inputs.figures() | {name: read() for name, read in self._figures.items()}
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        figures["resident memory (MB)"] = f"{pages * os.sysconf('SC_PAGE_SIZE') / 1e6:.0f}"
        name, values = self._node.get_fully_qualified_name(), key_values(figures)
        status = DiagnosticStatus(
            name=name, hardware_id="ami_ros", level=worst.level, message=worst.text, values=values
        )
        message = DiagnosticArray(status=[status])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)


def key_values(values: dict[str, str]) -> list[KeyValue]:
    """The values of a DiagnosticStatus."""
    return [KeyValue(key=key, value=value) for key, value in values.items()]


def here() -> str:
    """Where process ids mean the same: the machine, as it was booted, and the namespace of them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


class Heartbeat:
    """Beats every `period` [s] of steady time, and at each change of state.

    To the supervisor on `heartbeat`, and to Nav2's lifecycle manager on `bond`.

    Args:
        node: an `AmiNode`.
        period: between two beats.
    """

    def __init__(self, node: Any, period: float) -> None:
        self._node, self._here = node, here()
        self._publisher = node.create_publisher(DiagnosticStatus, "heartbeat", RELIABLE)
        self._timer = node.create_timer(period, self.beat, clock=STEADY)
        self._bond = Bond(node) if BondStatus is not None else None

    def beat(self) -> None:
        """Publishes now."""
        node = self._node
        beat = Beat(node.get_name(), node.lifecycle_state, os.getpid(), self._here, node.failure, node.is_stopped)
        self._publisher.publish(beat_to_message(beat))
        if self._bond is not None:
            self._bond.follow(beat.state == "active")


def beat_to_message(beat: Beat) -> DiagnosticStatus:
    """A beat as it is published: `message` is why a transition failed."""
    return DiagnosticStatus(
        level=DiagnosticStatus.ERROR if beat.failure else DiagnosticStatus.OK,
        name=beat.node,
        message=beat.failure,
        hardware_id=beat.place,
        values=key_values(
            {"state": beat.state, "pid": str(beat.pid), "emergency_stop": str(beat.stopped).lower()},
        ),
    )


def beat_from_message(message: DiagnosticStatus) -> Beat | None:
    """The beat in a message; None if it is none."""
    values = {entry.key: entry.value for entry in message.values}
    pid, stopped = values.get("pid", ""), values.get("emergency_stop") == "true"
    if not (pid.isascii() and pid.isdecimal() and len(pid) < 10) or "state" not in values:
        return None
    return Beat(message.name, values["state"], int(pid), message.hardware_id, message.message, stopped)


class Bond:
    """A node's side of the bond that nav2_lifecycle_manager forms with each node while it is active.

    Each side says every period that it lives; either breaks the bond by saying that it does not, which the other
    acknowledges. A manager that comes later, or anew, is taken as well. All share one topic, so a node also hears
    itself: what it said of a bond before this one is not a manager's word.

    Args:
        node: an `AmiNode`.
        period: between two words [s]; it and the timeout are those of Nav2's nodes.
        timeout: silence after which a bond is broken [s].
    """

    def __init__(self, node: Any, period: float = 0.1, timeout: float = 4.0) -> None:
        self._id, self._clock, self._times = node.get_name(), node.get_clock(), (period, timeout)
        self._mine = f"{uuid.uuid4()}:"  # the beginning of each instance of ours
        self._bonds = 0
        self._instance = ""  # "" while there is no bond
        qos = QoSProfile(depth=100)  # the topic is shared by all nodes
        self._publisher = node.create_publisher(BondStatus, "bond", qos)
        self._subscription = node.create_subscription(BondStatus, "bond", self._hear, qos)
        self._timer = node.create_timer(period, lambda: self._say(True), clock=STEADY)

    def follow(self, active: bool) -> None:
        """Forms the bond of a node that is active, and breaks that of one that is not."""
        if active and not self._instance:
            self._renew()
            self._say(True)
        elif not active:
            self._say(False)
            self._instance = ""

    def _hear(self, message: Any) -> None:
        if message.id != self._id or message.active or message.instance_id.startswith(self._mine):
            return
        if self._instance:
            self._say(False)
            self._renew()  # for the next one who comes

    def _renew(self) -> None:
        self._bonds += 1
        self._instance = f"{self._mine}{self._bonds}"

    def _say(self, active: bool) -> None:
        """If there is a bond."""
        if self._instance:
            message = BondStatus(id=self._id, instance_id=self._instance, active=active)
            message.header.stamp = self._clock.now().to_msg()
            message.heartbeat_period, message.heartbeat_timeout = self._times
            self._publisher.publish(message)
