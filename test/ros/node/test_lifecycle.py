"""A node starts itself or says why not, and is silent while it is not active."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Int32
from std_srvs.srv import Trigger

from ami_interfaces.srv import Predict
from ami_ros.core.errors import AmiError
from ami_ros.ros.messages.conversions import seconds_to_stamp
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE
from harness.ros import RosPeer


@dataclass(frozen=True)
class Config:
    fault: str = ""  # name of the method that fails


class Doubler(AmiNode[Config], name="doubler", parameters=Config):
    """Publishes twice what it hears, and notes what it went through."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.history: list[str] = []

    def _enter(self, name: str) -> None:
        self.history.append(name)
        if self.config.fault == name:
            raise AmiError("weights.safetensors is missing")
        if self.config.fault == f"{name} bug":
            raise KeyError("bug")

    def configure(self) -> None:
        self._output = self.publisher(Int32, "twice")
        self.subscribe(Int32, "once", self._double, RELIABLE)
        self.every(0.02, lambda: self.history.append("tick") if "tick" not in self.history else None)
        self.offer(Trigger, "~/trigger", lambda request, response: None)
        self.offer(Predict, "~/fails", self._fail)
        self._enter("configure")

    def activate(self) -> None:
        self._enter("activate")

    def deactivate(self) -> None:
        self._output.publish(Int32(data=0))
        self._enter("deactivate")

    def cleanup(self) -> None:
        self._enter("cleanup")

    def time_jumped(self) -> None:
        self._enter("time_jumped")

    def _double(self, message: Int32) -> None:
        if message.data < 0:
            raise AmiError("negative")
        if message.data == 0:
            raise ZeroDivisionError("by zero")
        self._output.publish(Int32(data=2 * message.data))

    def _fail(self, request: Predict.Request, response: Predict.Response) -> None:
        response.rollout.cost = 7.0
        raise KeyError("nobody thought of this")


def test_node_that_starts_itself_works_and_stands_still_at_its_end(ros: RosPeer) -> None:
    node = ros.start(Doubler)
    received = ros.collect(Int32, "twice")
    sender = ros.node.create_publisher(Int32, "once", 10)
    ros.spin_until(lambda: sender.publish(Int32(data=4)) or received)
    assert received[0].data == 8
    node.stop()
    ros.spin_until(lambda: received[-1].data == 0, what="the last command")
    assert [entry for entry in node.history if entry != "tick"] == ["configure", "activate", "deactivate", "cleanup"]


def test_node_that_was_destroyed_is_off_the_graph_while_somebody_still_holds_it(ros: RosPeer) -> None:
    other = RosPeer()
    node = other.make(Doubler)
    node.start()
    ros.spin_until(lambda: "doubler" in ros.node.get_node_names(), what="the node")
    other.close()
    ros.spin_until(lambda: "doubler" not in ros.node.get_node_names(), what="its end")
    assert node.history[-1] == "cleanup"


def test_node_without_autostart_waits_and_is_silent_until_active(ros: RosPeer) -> None:
    node = ros.start(Doubler, autostart=False)
    assert node.history == []

    def change(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(ros.call(ChangeState, "/doubler/change_state", request).success)

    assert change(Transition.TRANSITION_CONFIGURE)
    response = ros.call(Trigger, "/doubler/trigger", Trigger.Request())
    assert not response.success and "not active" in response.message and "tick" not in node.history
    assert change(Transition.TRANSITION_ACTIVATE)
    assert ros.call(Trigger, "/doubler/trigger", Trigger.Request()).success
    ros.spin_until(lambda: "tick" in node.history)
    assert change(Transition.TRANSITION_DEACTIVATE) and change(Transition.TRANSITION_CLEANUP)
    assert change(Transition.TRANSITION_CONFIGURE) and change(Transition.TRANSITION_ACTIVATE)


@pytest.mark.fault("bug in a callback")
def test_a_bug_in_a_callback_is_reported_and_the_node_goes_on(ros: RosPeer) -> None:
    ros.bugs_expected = True
    node = ros.start(Doubler)
    received, reports = ros.collect(Int32, "twice"), ros.collect(DiagnosticArray, "/diagnostics")
    sender = ros.node.create_publisher(Int32, "once", 10)
    ros.spin_until(lambda: sender.publish(Int32(data=0)) or node.bugs, what="the bug")
    ros.spin_until(lambda: sender.publish(Int32(data=4)) or received, what="what comes after it")
    ros.spin_until(lambda: reports and reports[-1].status[0].level == DiagnosticStatus.ERROR, what="the diagnostics")
    assert "once: ZeroDivisionError: by zero" in reports[-1].status[0].message


def test_a_bug_in_a_service_is_an_answer_with_a_code(ros: RosPeer) -> None:
    ros.bugs_expected = True
    node = ros.start(Doubler)
    for _ in range(2):
        answer = ros.call(Predict, "/doubler/fails", Predict.Request())
        assert not answer.success and answer.error_code == Predict.Response.UNKNOWN
        assert "KeyError" in answer.error_msg and "log of doubler" in answer.error_msg
        assert answer.rollout.cost == 0.0  # nothing half done
    assert len(node.bugs) == 2


@pytest.mark.parametrize("method", ["configure", "activate"])
def test_failing_start_says_why(ros: RosPeer, method: str) -> None:
    node = ros.make(Doubler, fault=method)
    with pytest.raises(AmiError, match=r"weights.safetensors is missing"):
        node.start()
    state = ros.call(GetState, "/doubler/get_state", GetState.Request()).current_state.id
    assert state == (State.PRIMARY_STATE_UNCONFIGURED if method == "configure" else State.PRIMARY_STATE_INACTIVE)


def test_bug_in_a_transition_is_not_swallowed(ros: RosPeer) -> None:
    node = ros.make(Doubler, fault="configure bug")
    with pytest.raises(AmiError, match="configure failed: KeyError: 'bug'"):
        node.start()


def test_bad_message_is_dropped_counted_and_shown_in_diagnostics(ros: RosPeer) -> None:
    node = ros.start(Doubler)
    diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
    sender = ros.node.create_publisher(Int32, "once", 10)
    ros.spin_until(lambda: sender.publish(Int32(data=-1)) or node.health.count("once") > 2)

    def warned() -> bool:
        return any(s.level == DiagnosticStatus.WARN and "negative" in s.message for d in diagnostics for s in d.status)

    ros.spin_until(warned)


@pytest.mark.fault("time is set back")
def test_clock_that_is_turned_back_clears_buffers(ros: RosPeer) -> None:
    node = ros.start(Doubler, use_sim_time=True)
    clock = ros.node.create_publisher(Clock, "/clock", 10)
    ros.spin_until(lambda: clock.publish(Clock(clock=seconds_to_stamp(100.0))) or node.now() == 100.0)
    assert "time_jumped" not in node.history
    ros.spin_until(lambda: clock.publish(Clock(clock=seconds_to_stamp(1.0))) or node.now() == 1.0)
    assert "time_jumped" in node.history
