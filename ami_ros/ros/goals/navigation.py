"""The action navigate_to_goal: what is accepted, what clients are told, and that the robot stands when a goal ends."""

from __future__ import annotations

import math
from collections.abc import Callable

from ami_interfaces.action import NavigateToGoal
from ami_ros.agent.goal_execution import GoalExecution
from ami_ros.agent.percepts import Percepts
from ami_ros.commands import STILL
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.planning.codes import Code
from ami_ros.ros.goals.action_server import GoalTicket, Outcome, SimpleActionServer
from ami_ros.ros.messages.goals import Frames, feedback_message, result_message
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.planner_topics import PlannerTopics


class NavigationGoals:
    """The current goal, as a `GoalExecution`, and its client. May be called from any thread.

    Args:
        node: the planner.
        topics: where the last zero of a goal goes.
        percepts: know where the robot is.
        prepare: makes a request a GoalExecution, or raises AmiError with a code to reject it.
        frames: of poses in results and feedback: that of the goal, if it is a pose in the map, else that of odometry.
    """

    def __init__(
        self,
        node: AmiNode,
        topics: PlannerTopics,
        percepts: Percepts,
        prepare: Callable[[NavigateToGoal.Goal], GoalExecution],
        frames: Frames,
    ) -> None:
        self._node, self._topics, self._percepts, self._prepare, self._frames = node, topics, percepts, prepare, frames
        self.last_error = (Code.NONE, "")
        self._server = SimpleActionServer(
            node,
            NavigateToGoal,
            "navigate_to_goal",
            check=self._check,
            rejected=self._rejected,
            preempted=lambda ticket: self._result(ticket, Code.PREEMPTED, "a newer goal took its place"),
            canceled=self._canceled,
        )

    @property
    def current(self) -> GoalTicket | None:
        """The goal to pursue; its `prepared` is a GoalExecution."""
        return self._server.current

    def succeed(self, ticket: GoalTicket, message: str) -> None:
        """The goal is reached."""
        self._finish(ticket, Outcome.SUCCEEDED, Code.NONE, message)

    def abort(self, ticket: GoalTicket, code: Code, message: str) -> None:
        """The goal is given up."""
        self._finish(ticket, Outcome.ABORTED, code, message)

    def abort_current(self, code: Code, message: str) -> None:
        """Whatever is under way is given up."""
        ticket = self.current
        if ticket is not None:
            self.abort(ticket, code, message)

    def send_feedback(self, ticket: GoalTicket, now: float) -> None:
        """Sends the client feedback."""
        goal, (pose, frame) = ticket.prepared.goal, self._here(ticket.prepared)
        same = frame == (self._frames.map if goal.in_map else self._frames.odom)
        straight = math.nan
        if goal.pose is not None and pose is not None and same:
            straight = math.hypot(*(goal.pose - pose)[:2])
        rate, z_score = self._topics.rate, self._percepts.z_score
        ticket.send_feedback(feedback_message(ticket.prepared, now, pose, frame, rate, z_score, straight))

    def _here(self, execution: GoalExecution) -> tuple[Array | None, str]:
        """Where the robot is, and in which frame."""
        percepts = self._percepts
        if execution.goal.in_map and (pose := percepts.pose_in_map) is not None:
            return pose, self._frames.map
        return percepts.odometry.pose, self._frames.odom

    def destroy(self) -> None:
        """Takes the action off the graph."""
        self._server.destroy()

    def _check(self, request: NavigateToGoal.Goal) -> GoalExecution:
        if not self._node.is_active:
            raise AmiError("goal: the planner is not active; activate it", Code.DEACTIVATED)
        execution = self._prepare(request)
        self.last_error = (Code.NONE, "")
        return execution

    def _rejected(self, error: AmiError) -> None:
        self.last_error = (Code(error.code) if error.code in list(Code) else Code.INVALID_GOAL, str(error))
        self._node.get_logger().warning(f"rejected ({error.code}): {error}")

    def _canceled(self, ticket: GoalTicket) -> NavigateToGoal.Result:
        self._topics.command(STILL)
        return self._result(ticket, Code.NONE, "canceled by the client")

    def _finish(self, ticket: GoalTicket, outcome: Outcome, code: Code, message: str) -> None:
        if self._server.finish(ticket, outcome, self._result(ticket, code, message)):
            self.last_error = (code, message if code else "")
            self._topics.command(STILL)
            self._topics.say(message)

    def _result(self, ticket: GoalTicket, code: Code, message: str) -> NavigateToGoal.Result:
        return result_message(ticket.prepared, code, message, self._node.now(), *self._here(ticket.prepared))
