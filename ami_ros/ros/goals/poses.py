"""Goals from Nav2 and RViz: the topic goal_pose, and the action navigate_to_pose where nav2_msgs is installed.

They are passed on to navigate_to_goal of the same node, as any client's, so the newest goal wins whoever sent it.
"""

from __future__ import annotations

import importlib
from functools import partial
from types import ModuleType
from typing import Any

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from rclpy.task import Future

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal
from ami_ros.errors import AmiError
from ami_ros.planning.codes import Code
from ami_ros.ros.goals.action_server import GoalTicket, Outcome, SimpleActionServer
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE, REQUESTS

try:
    nav2: ModuleType | None = importlib.import_module("nav2_msgs.action")
except ImportError:  # it comes with Nav2, not with the ROS wheels
    nav2 = None

OUTCOMES = {GoalStatus.STATUS_SUCCEEDED: Outcome.SUCCEEDED, GoalStatus.STATUS_CANCELED: Outcome.CANCELED}


class _PassedOn:
    """A goal that was passed on."""

    def __init__(self, pose: PoseStamped) -> None:
        self.pose = pose
        self.handle: Any = None  # at navigate_to_goal, once that has accepted it
        self.canceled = False


class PoseGoals:
    """Passes poses on. All is called on the executor's threads.

    Args:
        node: the planner, which offers navigate_to_goal.
        frames: names of the frames that goals may be in.
    """

    def __init__(self, node: AmiNode[Any], frames: tuple[str, ...]) -> None:
        self._node, self._frames = node, frames
        self._client = ActionClient(
            node, NavigateToGoal, "navigate_to_goal",
            goal_service_qos_profile=REQUESTS, result_service_qos_profile=REQUESTS, cancel_service_qos_profile=REQUESTS,
        )  # fmt: skip
        node.subscribe(PoseStamped, "goal_pose", self._on_pose, RELIABLE)
        self._server = None
        if nav2 is not None:
            self._server = SimpleActionServer(
                node,
                nav2.NavigateToPose,
                "navigate_to_pose",
                check=self._check,
                rejected=lambda error: node.get_logger().warning(f"navigate_to_pose: rejected: {error}"),
                preempted=lambda ticket: self._result(Code.PREEMPTED, "a newer goal took its place"),
                canceled=self._canceled,
                accepted=self._accepted,
            )

    def destroy(self) -> None:
        """Takes both off the graph."""
        if self._server is not None:
            self._server.destroy()
        self._client.destroy()

    def _on_pose(self, pose: PoseStamped) -> None:
        self._check_frame(pose)
        self._client.send_goal_async(request_to(pose))

    def _check_frame(self, pose: PoseStamped) -> None:
        if pose.header.frame_id not in self._frames:
            raise AmiError(f"goal: frame '{pose.header.frame_id}' is none of {', '.join(self._frames)}", Code.TF_ERROR)

    # The action of Nav2

    def _check(self, request: Any) -> _PassedOn:
        if not self._node.is_active:
            raise AmiError("the planner is not active; activate it", Code.DEACTIVATED)
        if request.behavior_tree:
            self._node.get_logger().warning("navigate_to_pose: there are no behaviour trees here; the field is ignored")
        self._check_frame(request.pose)
        return _PassedOn(request.pose)

    def _accepted(self, ticket: GoalTicket) -> None:
        sent = self._client.send_goal_async(request_to(ticket.prepared.pose), partial(self._on_feedback, ticket))
        sent.add_done_callback(partial(self._on_answer, ticket))

    def _on_answer(self, ticket: GoalTicket, sent: Future) -> None:
        passed, handle = ticket.prepared, sent.result()
        if not handle.accepted:
            message = "navigate_to_goal rejected it; the log says why"
            self._finish(ticket, Outcome.ABORTED, NavigateToGoal.Result.GOAL_REJECTED, message)
        elif passed.canceled:
            handle.cancel_goal_async()
        else:
            passed.handle = handle
            handle.get_result_async().add_done_callback(partial(self._on_result, ticket))

    def _on_feedback(self, ticket: GoalTicket, message: Any) -> None:
        assert nav2 is not None
        feedback, given = nav2.NavigateToPose.Feedback(), message.feedback
        for name in ("current_pose", "navigation_time", "estimated_time_remaining", "number_of_recoveries"):
            setattr(feedback, name, getattr(given, name))
        feedback.distance_remaining = given.distance_remaining
        ticket.send_feedback(feedback)

    def _on_result(self, ticket: GoalTicket, answered: Future) -> None:
        answer = answered.result()
        outcome = OUTCOMES.get(answer.status, Outcome.ABORTED)
        if outcome is Outcome.CANCELED:  # not by this client, which has its result by now
            outcome = Outcome.ABORTED
        self._finish(ticket, outcome, int(answer.result.error_code), answer.result.error_msg)

    def _canceled(self, ticket: GoalTicket) -> Any:
        passed = ticket.prepared
        passed.canceled = True
        if passed.handle is not None:
            passed.handle.cancel_goal_async()
        return self._result(Code.NONE, "canceled by the client")

    def _finish(self, ticket: GoalTicket, outcome: Outcome, code: int, message: str) -> None:
        assert self._server is not None
        self._server.finish(ticket, outcome, self._result(code, message))

    def _result(self, code: int, message: str) -> Any:
        """Codes are those of NavigateToGoal, apart from Nav2's own; releases before Kilted have no text."""
        assert nav2 is not None
        result = nav2.NavigateToPose.Result()
        for name, value in (("error_code", int(code)), ("error_msg", message)):
            if hasattr(result, name):
                setattr(result, name, value)
        return result


def request_to(pose: PoseStamped) -> NavigateToGoal.Goal:
    """The same goal for navigate_to_goal."""
    return NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose))
