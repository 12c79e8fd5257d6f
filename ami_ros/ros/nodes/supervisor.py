"""The node `supervisor`: brings the stack's nodes up and back, and keeps the robot still while one is missing.

Processes are started, and started again, by whoever started the stack (a launch file, `./ami`). If the safety gate is
gone or hangs, this node sends zero in its place.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from std_msgs.msg import Bool

from ami_ros.core.commands import STILL
from ami_ros.core.config import group, parameter
from ami_ros.core.errors import AmiError
from ami_ros.ros.node.health import STEADY, beat_from_message, here, key_values
from ami_ros.ros.node.lifecycle import AmiNode, CommandPublisher
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.start.processes import ProcessWatch
from ami_ros.runtime.supervision import FINAL, Code, Order, Supervision, SupervisionConfig, Verdict

GATE, GATE_SILENCE = "safety", 0.35  # [s] without a sign of life of it, which beats every 0.1 s


@dataclass(frozen=True)
class SupervisorParameters:
    """Parameters of the node."""

    nodes: tuple[str, ...] = parameter(
        (GATE, "perception", "world_model", "memory", "planner", "mission"),
        "Names of the nodes, in the order in which they become active.",
    )
    enable_stamped_cmd_vel: bool = parameter(True, "cmd_vel is a TwistStamped; false: a Twist.")
    base_frame: str = parameter("base_link", "Frame of the commands.")
    supervision: SupervisionConfig = group(SupervisionConfig, mutable=None)

    def __post_init__(self) -> None:
        if not self.nodes or len(set(self.nodes)) < len(self.nodes):
            raise ValueError(f"nodes must be names, each once; found {list(self.nodes)}")


class SupervisorNode(AmiNode[SupervisorParameters], name="supervisor", parameters=SupervisorParameters):
    """Says what `Supervision` says, and does what it orders."""

    def configure(self) -> None:
        self._here, self._processes = here(), ProcessWatch()
        self._state = self.publisher(DiagnosticStatus, "~/state")
        self._stop = self.publisher(Bool, "emergency_stop")
        self._zero = CommandPublisher(self, "cmd_vel", self.config.enable_stamped_cmd_vel, self.config.base_frame)
        self._changes = {n: self.create_client(ChangeState, f"{n}/change_state") for n in self.config.nodes}
        self._asked: dict[str, Any] = {}  # futures by node
        self._told, self._told_at = Verdict(Code.NONE, ""), 0.0
        self.subscribe(DiagnosticStatus, "heartbeat", self._heard, RELIABLE)
        self.every(0.05, self._tick, STEADY)  # [s], a seventh of the silence that it has to see

    def activate(self) -> None:
        self._supervision = Supervision(self.config.nodes, self.config.supervision, time.monotonic())

    def reconfigure(self, before: SupervisorParameters) -> None:
        if self.is_active:
            self._supervision.config = self.config.supervision

    def cleanup(self) -> None:
        if hasattr(self, "_changes"):
            self._processes.close()
            for client in self._changes.values():
                self.destroy_client(client)
            del self._changes

    def _heard(self, message: DiagnosticStatus) -> None:
        beat = beat_from_message(message)
        if beat is None:
            raise AmiError(f"{message.name} gives no sign of life that can be read; is it of another version?")
        if beat.place == self._here and beat.node in self._changes:
            self._processes.watch(beat.pid)
        self._supervision.heard(beat, time.monotonic())

    def _tick(self) -> None:
        now = time.monotonic()
        for pid in self._processes.ended():
            self._supervision.died(pid, self._here, now)
        for order in self._supervision.tick(now, lambda name: bool(self._changes[name].service_is_ready())):
            self._carry_out(order)
        if GATE in self._changes and self._supervision.silent_for(GATE, now) > GATE_SILENCE:
            self._zero.send(STILL)  # in its place
        if any(ward.forgot for ward in self._supervision.wards.values()):
            self._stop.publish(Bool(data=True))
        self._tell(self._supervision.verdict(), now)

    def _carry_out(self, order: Order) -> None:
        if order.action == "kill":
            if order.place == self._here:
                self._processes.kill(order.pid)
            return
        client, old = self._changes[order.node], self._asked.pop(order.node, None)
        if old is not None and not old.done():  # of a process that is gone
            client.remove_pending_request(old)
        transition = Transition(id=getattr(Transition, f"TRANSITION_{order.action.upper()}"))
        future = client.call_async(ChangeState.Request(transition=transition))
        self._asked[order.node] = future
        future.add_done_callback(lambda f: self._answered(order, f))

    def _answered(self, order: Order, future: Any) -> None:
        success = bool(future.result().success)
        if self._asked.get(order.node) is future:
            self._supervision.answered(order.node, order.action, success, time.monotonic())

    def _tell(self, verdict: Verdict, now: float) -> None:
        """On the topic, on the terminal when it changes; what is for good from the start ends the process."""
        changed, node_missing = verdict != self._told, verdict.code not in (Code.NONE, Code.STARTING)
        period = 0.1  # [s] between two words that say the same
        if not changed and now - self._told_at < period:
            return
        self._told, self._told_at = verdict, now
        level = DiagnosticStatus.WARN if verdict.code is Code.STARTING else DiagnosticStatus.OK
        values = {"code": verdict.code.name}
        for ward in self._supervision.wards.values():
            values[ward.name] = ward.beat.state if ward.beat is not None else "not there"
        self._state.publish(
            DiagnosticStatus(
                level=DiagnosticStatus.ERROR if node_missing else level,
                name=self.get_fully_qualified_name(),
                message=verdict.message,
                hardware_id="ami_ros",
                values=key_values(values),
            )
        )
        if changed and node_missing:
            self.get_logger().error(verdict.message)
        elif changed:
            self.get_logger().info(verdict.message)
        if verdict.code is Code.START_FAILED and self.ended is None:
            self.ended = AmiError(verdict.message)
        elif verdict.code in FINAL:
            self.health.error(verdict.code.name, verdict.message)


main = partial(run, SupervisorNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
