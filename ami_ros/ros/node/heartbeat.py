"""Signs of life of a node: to the supervisor on `heartbeat`, and to Nav2's lifecycle manager on `bond`.

They come from the thread that serves the node's callbacks, so one that hangs gives none.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue
from rclpy.qos import QoSProfile

from ami_ros.parts.supervision import Beat
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.qos import RELIABLE

try:
    from bond.msg import Status as BondStatus
except ImportError:  # the ROS wheels do not have it
    BondStatus = None

TOPIC = "heartbeat"
MOST_DIGITS = 9  # of a process id
BOND_TOPIC = "bond"
BOND_PERIOD, BOND_TIMEOUT = 0.1, 4.0  # [s], as nodes of Nav2 have them
BOND_QOS = QoSProfile(depth=100)  # it is shared by all nodes


def here() -> str:
    """Where process ids mean the same: the machine, as it was booted, and the namespace of them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""


class Heartbeat:
    """Beats every `period` [s] of steady time, and at each change of state.

    Args:
        node: an `AmiNode`.
        period: between two beats.
    """

    def __init__(self, node: Any, period: float) -> None:
        self._node, self._here = node, here()
        self._publisher = node.create_publisher(DiagnosticStatus, TOPIC, RELIABLE)
        self._timer = node.create_timer(period, self.beat, clock=STEADY)
        self._bond = Bond(node) if BondStatus is not None else None

    def beat(self) -> None:
        """Publishes now."""
        node = self._node
        beat = Beat(node.get_name(), node.lifecycle_state, os.getpid(), self._here, node.failure, node.is_stopped)
        self._publisher.publish(message_of(beat))
        if self._bond is not None:
            self._bond.follow(beat.state == "active")


def message_of(beat: Beat) -> DiagnosticStatus:
    """A beat as it is published: `message` is the state, or why a transition failed."""
    return DiagnosticStatus(
        level=DiagnosticStatus.ERROR if beat.failure else DiagnosticStatus.OK,
        name=beat.node,
        message=beat.failure,
        hardware_id=beat.place,
        values=[
            KeyValue(key="state", value=beat.state),
            KeyValue(key="pid", value=str(beat.pid)),
            KeyValue(key="emergency_stop", value=str(beat.stopped).lower()),
        ],
    )


def beat_of(message: DiagnosticStatus) -> Beat | None:
    """The beat in a message; None if it is none."""
    values = {entry.key: entry.value for entry in message.values}
    pid, stopped = values.get("pid", ""), values.get("emergency_stop") == "true"
    if not (pid.isascii() and pid.isdecimal() and len(pid) <= MOST_DIGITS) or "state" not in values:
        return None
    return Beat(message.name, values["state"], int(pid), message.hardware_id, message.message, stopped)


class Bond:
    """A node's side of the bond that nav2_lifecycle_manager forms with each node while it is active.

    Each side says every period that it lives; either breaks the bond by saying that it does not, which the other
    acknowledges. A manager that comes later, or anew, is taken as well. All share one topic, so a node also hears
    itself: what it said of a bond before this one is not a manager's word.
    """

    def __init__(self, node: Any) -> None:
        self._id, self._clock = node.get_name(), node.get_clock()
        self._mine = f"{uuid.uuid4()}:"  # the beginning of each instance of ours
        self._bonds = 0
        self._instance = ""  # "" while there is no bond
        self._publisher = node.create_publisher(BondStatus, BOND_TOPIC, BOND_QOS)
        self._subscription = node.create_subscription(BondStatus, BOND_TOPIC, self._hear, BOND_QOS)
        self._timer = node.create_timer(BOND_PERIOD, self._live, clock=STEADY)

    def follow(self, active: bool) -> None:
        """Forms the bond of a node that is active, and breaks that of one that is not."""
        if active and not self._instance:
            self._renew()
            self._live()
        elif not active and self._instance:
            self._say(False)
            self._instance = ""

    def _live(self) -> None:
        if self._instance:
            self._say(True)

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
        message = BondStatus(id=self._id, instance_id=self._instance, active=active)
        message.header.stamp = self._clock.now().to_msg()
        message.heartbeat_timeout, message.heartbeat_period = BOND_TIMEOUT, BOND_PERIOD
        self._publisher.publish(message)
