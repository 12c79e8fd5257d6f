"""A goal ends for its client, whatever becomes of its action server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient, ActionServer
from rclpy.task import Future

from ami_interfaces.action import NavigateToGoal
from ami_ros.ros.goals.clients import LOST, ResultWatch
from harness.ros import RosPeer


class Served:
    """A client and a server whose goals last until they are told to end."""

    def __init__(self, ros: RosPeer) -> None:
        self.ros, self.ends = ros, list[tuple[int, NavigateToGoal.Result]]()
        self.client = ActionClient(ros.make_node("client"), NavigateToGoal, "go")
        self.server: ActionServer | None = self.serve("server")

    def serve(self, name: str) -> ActionServer:
        self.over: Future = Future()

        async def execute(handle: Any) -> NavigateToGoal.Result:
            await self.over
            handle.succeed()
            return NavigateToGoal.Result(error_msg="there")

        return ActionServer(self.ros.make_node(name), NavigateToGoal, "go", execute)

    def leave(self) -> None:
        """The server is gone; its goals get no result."""
        if self.server is not None:
            self.server.destroy()
            self.server = None

    def send(self) -> None:
        self.ros.spin_until(self.client.server_is_ready, what="the server")
        sent = self.client.send_goal_async(NavigateToGoal.Goal())
        self.ros.spin_until(sent.done, what="an answer")
        ResultWatch(self.client._node, self.client, sent.result(), lambda *end: self.ends.append(end), 0.1)


@pytest.fixture
def served(ros: RosPeer) -> Iterator[Served]:
    found = Served(ros)
    yield found
    found.client.destroy()
    found.leave()


def test_a_result_arrives_once_however_often_it_was_asked_for(served: Served) -> None:
    served.send()
    for _ in range(20):
        served.ros.spin_once(0.05)
    served.over.set_result(None)
    served.ros.spin_until(lambda: served.ends, what="the end")
    served.ros.spin_until_idle()
    ((status, result),) = served.ends
    assert (status, result.error_msg) == (GoalStatus.STATUS_SUCCEEDED, "there")


@pytest.mark.fault("the planner of a goal is killed")
def test_a_server_in_the_place_of_one_that_is_gone_ends_its_goals(served: Served) -> None:
    served.send()
    served.leave()
    served.server = served.serve("another")
    served.ros.spin_until(lambda: served.ends, what="the end")
    ((status, result),) = served.ends
    assert (status, result.error_code) == (GoalStatus.STATUS_UNKNOWN, NavigateToGoal.Result.UNKNOWN)
    assert result.error_msg == LOST


def test_a_goal_ends_where_no_server_is_left(served: Served) -> None:
    served.send()
    served.leave()
    served.ros.spin_until(lambda: served.ends, what="the end")
    assert served.ends[0][0] == GoalStatus.STATUS_UNKNOWN
