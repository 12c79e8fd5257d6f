"""What a node hears: how often and how old, and who speaks to it in a way that it cannot hear."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

LOOK = 3.0  # [s] between two looks at who publishes
GOOD = 0.5  # [s] for which one good header stands for those after it: looking costs as much as taking a message
OTHER_CLOCK = 3600.0  # [s] that stamps may be off before it is said that clocks are not alike


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
    """Counts messages by topic; everything is called on the node's thread.

    Attributes:
        own_time: the node hears stamps of its own clock; not so one that makes the time itself.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
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
        stamp = _seconds(header.stamp)
        age = self._now() - stamp
        if self.own_time and stamp and abs(age) > OTHER_CLOCK:
            return f"stamps are {age:.0f} s behind this node's clock: is use_sim_time the same everywhere?"
        if heard.frame and header.frame_id != heard.frame:
            return f"messages are in frame '{header.frame_id}', expected is '{heard.frame}'"
        heard.good_until = steady + GOOD
        return ""

    def figures(self) -> dict[str, str]:
        """Rate since the last call, and age of the newest message, by topic."""
        now, steady, found = self._now(), time.monotonic(), {}
        for topic, heard in self._inputs.items():
            found[f"{topic}: actual frequency (Hz)"] = f"{heard.count / max(steady - heard.began, 1e-3):.1f}"
            if heard.stamp is not None:
                found[f"{topic}: age (s)"] = f"{now - _seconds(heard.stamp):.2f}"
            heard.count, heard.began = 0, steady
        return found

    def problems(self) -> list[tuple[str, str]]:
        """(topic, what is wrong) of those who publish another type, or with a quality of service that does not fit."""
        if time.monotonic() - self._looked > LOOK:
            self._looked = time.monotonic()
            self._mismatches = [
                (topic, text)
                for topic, heard in self._inputs.items()
                for end in self._node.get_publishers_info_by_topic(self._node.resolve_topic_name(topic))
                if (text := _mismatch(topic, heard, end))
            ]
        return self._mismatches

    def _now(self) -> float:
        return float(self._node.get_clock().now().nanoseconds * 1e-9)


def _seconds(stamp: Any) -> float:
    return float(stamp.sec + stamp.nanosec * 1e-9)


def _mismatch(topic: str, heard: _Input, end: Any) -> str:
    who = f"{end.node_namespace.rstrip('/')}/{end.node_name}"
    if end.topic_type != heard.kind:
        return f"{topic}: {who} publishes {end.topic_type}, heard is {heard.kind}"
    compatible, reason = qos_check_compatible(end.qos_profile, heard.qos)
    if compatible == QoSCompatibility.ERROR:
        return f"{topic}: {who} offers a quality of service that does not fit: {reason.strip().rstrip(';')}"
    return ""
