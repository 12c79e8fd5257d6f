"""One goal at a time, the newest wins, cancel always works, and every client gets a result."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient

from ami_interfaces.action import NavigateToGoal
from ami_ros.core.errors import AmiError
from ami_ros.ros.goals.action_server import GoalLimits, GoalTicket, Outcome, SimpleActionServer
from ami_ros.ros.node.qos import REQUESTS
from harness.ros import RosPeer

Result = NavigateToGoal.Result


class Bench:
    """An action server whose work is done by the test, and a client."""

    def __init__(self, ros: RosPeer) -> None:
        self.ros = ros
        self.refusals: list[AmiError] = []
        self.server = SimpleActionServer(
            ros.make_node("bench"),
            NavigateToGoal,
            "navigate",
            check=self.check,
            rejected=self.refusals.append,
            preempted=lambda ticket: Result(error_code=Result.PREEMPTED),
            canceled=lambda ticket: Result(error_msg="standing still"),
        )
        self.client = ActionClient(
            ros.node, NavigateToGoal, "navigate", goal_service_qos_profile=REQUESTS, result_service_qos_profile=REQUESTS
        )
        ros.spin_until(self.client.server_is_ready)
        self.feedback: list[Any] = []

    @staticmethod
    def check(goal: NavigateToGoal.Goal) -> int:
        if goal.goal.type == 0:
            raise AmiError("goal without a type", Result.INVALID_GOAL)
        if goal.goal.type == 255:
            raise ZeroDivisionError("nobody thought of this")
        return int(goal.goal.place_id)

    def send(self, number: int, kind: int = 3) -> Any:
        goal = NavigateToGoal.Goal()
        goal.goal.type, goal.goal.place_id = kind, number
        return self.client.send_goal_async(goal, self.feedback.append)

    def accepted(self, sent: Any) -> Any:
        self.ros.spin_until(sent.done)
        return sent.result()

    def result(self, handle: Any) -> tuple[int, Any]:
        future = handle.get_result_async()
        self.ros.spin_until(future.done)
        return future.result().status, future.result().result

    def pursued(self) -> GoalTicket:
        ticket = self.server.current
        assert ticket is not None
        return ticket

    def close(self) -> None:
        self.client.destroy()
        self.server.destroy()


@pytest.fixture
def bench(ros: RosPeer) -> Any:
    bench = Bench(ros)
    yield bench
    bench.close()


def test_goal_succeeds_with_feedback_on_the_way(bench: Bench) -> None:
    handle = bench.accepted(bench.send(7))
    ticket = bench.pursued()
    assert ticket.prepared == 7
    bench.ros.node.create_timer(0.02, lambda: ticket.send_feedback(NavigateToGoal.Feedback(energy=2.0)))
    bench.ros.spin_until(lambda: bench.feedback)
    assert bench.server.finish(ticket, Outcome.SUCCEEDED, Result(final_distance=0.5))
    status, result = bench.result(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED and result.final_distance == 0.5
    assert bench.server.current is None


def test_second_result_of_a_goal_does_not_count(bench: Bench) -> None:
    handle = bench.accepted(bench.send(1))
    ticket = bench.pursued()
    assert bench.server.finish(ticket, Outcome.ABORTED, Result(error_code=Result.TIMEOUT))
    assert not bench.server.finish(ticket, Outcome.SUCCEEDED, Result())
    status, result = bench.result(handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.TIMEOUT)


def test_goal_that_fails_the_check_is_rejected_with_its_code(bench: Bench) -> None:
    handle = bench.accepted(bench.send(1, kind=0))
    assert not handle.accepted and bench.refusals[0].code == Result.INVALID_GOAL and bench.server.current is None


def test_a_check_that_fails_in_an_unforeseen_way_rejects_the_goal(bench: Bench) -> None:
    handle = bench.accepted(bench.send(1, kind=255))
    assert not handle.accepted and "ZeroDivisionError" in str(bench.refusals[0])
    assert bench.accepted(bench.send(2)).accepted


def all_done(sent: list[Any]) -> bool:
    """Whether all of them have an answer."""
    return all(future.done() for future in sent)


@pytest.mark.fault("flood of goals")
def test_a_flood_of_goals_is_rejected_in_short_and_the_action_stays_reachable(bench: Bench) -> None:
    answers: list[Any] = []
    while all(handle.accepted for handle in answers):  # a machine as slow as the allowance grows needs another flood
        floods = [bench.send(i) for i in range(2 * GoalLimits().burst)]
        bench.ros.spin_until(partial(all_done, floods), 60.0, "answers")
        answers += [sent.result() for sent in floods]
    assert sum(handle.accepted for handle in answers) >= GoalLimits().burst
    assert sum("goals a second" in str(error) for error in bench.refusals) == 1
    bench.ros.spin_until(lambda: bench.accepted(bench.send(1)).accepted, what="a goal after the flood")


def test_new_goal_preempts_the_old_one(bench: Bench) -> None:
    first = bench.accepted(bench.send(1))
    bench.accepted(bench.send(2))
    status, result = bench.result(first)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.PREEMPTED)
    assert bench.pursued().prepared == 2


def test_cancel_is_accepted_and_gives_a_result_at_once(bench: Bench) -> None:
    handle = bench.accepted(bench.send(1))
    cancel = handle.cancel_goal_async()
    status, result = bench.result(handle)
    bench.ros.spin_until(cancel.done)
    assert status == GoalStatus.STATUS_CANCELED and result.error_msg == "standing still"
    assert len(cancel.result().goals_canceling) == 1 and bench.server.current is None


def test_a_hundred_goals_at_once_leave_one_and_answer_all(bench: Bench) -> None:
    sent = [bench.send(i) for i in range(100)]
    handles = [bench.accepted(s) for s in sent]
    last = bench.pursued()
    bench.server.finish(last, Outcome.SUCCEEDED, Result())
    statuses = [bench.result(handle)[0] for handle in handles]
    assert statuses.count(GoalStatus.STATUS_SUCCEEDED) == 1 and statuses.count(GoalStatus.STATUS_ABORTED) == 99
