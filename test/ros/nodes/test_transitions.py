"""Whoever asks for whatever transition, in whatever state: the node answers, lives, and keeps nothing."""

from __future__ import annotations

import random
import threading
from pathlib import Path
from typing import Any

import psutil
import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter

from harness.ros import RosPeer

from .conftest import NODES

ALLOWED = {
    "unconfigured": {Transition.TRANSITION_CONFIGURE: "inactive"},
    "inactive": {Transition.TRANSITION_ACTIVATE: "active", Transition.TRANSITION_CLEANUP: "unconfigured"},
    "active": {Transition.TRANSITION_DEACTIVATE: "inactive"},
}
ASKED = (*range(5), 99)  # create, configure, cleanup, activate, deactivate, and what there is not


class Manager:
    """Asks a node for transitions, by its services."""

    def __init__(self, ros: RosPeer, name: str) -> None:
        self.ros = ros
        self.change = ros.node.create_client(ChangeState, f"{name}/change_state")
        self.get = ros.node.create_client(GetState, f"{name}/get_state")
        ros.spin_until(lambda: self.change.service_is_ready() and self.get.service_is_ready())

    def ask(self, transition: int) -> bool:
        future = self.change.call_async(ChangeState.Request(transition=Transition(id=transition)))
        self.ros.spin_until(future.done, 60.0, f"answer to transition {transition}")
        return bool(future.result().success)

    @property
    def state(self) -> str:
        future = self.get.call_async(GetState.Request())
        self.ros.spin_until(future.done, what="the state")
        return str(future.result().current_state.label)


def costs() -> dict[str, int]:
    """What this process holds."""
    process = psutil.Process()
    return {"threads": threading.active_count(), "files": process.num_fds(), "rss": process.memory_info().rss}


@pytest.mark.fault("any transition in any state")
@pytest.mark.parametrize("name", sorted(NODES))
def test_hundreds_of_transitions_in_any_order_are_made_or_refused_and_nothing_leaks(
    ros: RosPeer, stack: Any, tmp_path: Path, name: str
) -> None:
    values: dict[str, Any] = {"autostart": False}
    if name not in ("safety", "mission"):
        values["model"] = str(stack.model)
    node = NODES[name](context=ros.context, parameter_overrides=[Parameter(k, value=v) for k, v in values.items()])
    ros.add(node)
    manager, rng, state = Manager(ros, name), random.Random(name), "unconfigured"
    before: dict[str, int] = {}
    for index in range(200):
        transition = rng.choice(ASKED)
        expected = ALLOWED[state].get(transition)
        assert manager.ask(transition) == (expected is not None), f"transition {transition} while {state}"
        state = expected or state
        if state == "unconfigured" and index > 50 and not before:
            before = costs()
    assert manager.state == state and node.is_active == (state == "active")
    for transition in {"active": (4, 2), "inactive": (2,), "unconfigured": ()}[state]:
        assert manager.ask(transition)
    after = costs()
    assert after["threads"] <= before["threads"] and after["files"] <= before["files"]
    assert after["rss"] < before["rss"] + 40e6, (before, after)


@pytest.mark.fault("any transition in any state")
def test_a_node_that_is_shut_down_refuses_everything_and_lives(ros: RosPeer) -> None:
    node = NODES["safety"](context=ros.context)
    ros.add(node)
    node.start()
    manager = Manager(ros, "safety")
    assert not manager.ask(Transition.TRANSITION_CONFIGURE)
    assert manager.state == "active"
    assert manager.ask(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert not any(manager.ask(transition) for transition in (*ASKED, Transition.TRANSITION_ACTIVE_SHUTDOWN))
    assert manager.state == "finalized"
