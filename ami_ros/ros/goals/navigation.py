"""The action navigate_to_goal: what is accepted, what clients are told, and that the robot stands when a goal ends."""

from __future__ import annotations

import math
from collections.abc import Callable

from ami_interfaces.action import NavigateToGoal
from ami_ros.commands import STILL
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.parts.goal_execution import GoalExecution
from ami_ros.parts.percepts import Percepts
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
        prepare: makes a request a GoalExecution, or raises AmiError with a code to reject it.
        frames: of poses in results and feedback: that of the goal, if it is a pose in the map, else that of odometry.
    """

    def __init__(
        self,
        node: AmiNode,
        topics: PlannerTopics,
        prepare: Callable[[NavigateToGoal.Goal], GoalExecution],
        frames: Frames,
    ) -> None:
        self._node, self._topics, self._prepare, self._frames = node, topics, prepare, frames
        self.percepts = Percepts()  # where the robot is
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
    def current(self) -> GoalExecution | None:
        """The goal to pursue."""
        ticket = self._server.current
        return None if ticket is None else ticket.prepared

    def finish(self, execution: GoalExecution, succeeded: bool, code: Code, message: str) -> None:
        """The goal is reached, or given up; one that has ended before is left alone."""
        ticket, outcome = self._server.current, Outcome.SUCCEEDED if succeeded else Outcome.ABORTED
        code = Code.NONE if succeeded else code
        if ticket is None or ticket.prepared is not execution:
            return
        if self._server.finish(ticket, outcome, self._result(ticket, code, message)):
            self.last_error = (code, message if code else "")
            self._topics.command(STILL)
            self._topics.say(message)

    def abort_current(self, code: Code, message: str) -> None:
        """Whatever is under way is given up."""
        if (execution := self.current) is not None:
            self.finish(execution, False, code, message)

    def progress(self, execution: GoalExecution, now: float) -> None:
        """Sends the client feedback."""
        ticket = self._server.current
        if ticket is None or ticket.prepared is not execution:
            return
        goal, (pose, frame) = execution.goal, self._here(execution)
        same = frame == (self._frames.map if goal.in_map else self._frames.odom)
        straight = math.nan
        if goal.pose is not None and pose is not None and same:
            straight = math.hypot(*(goal.pose - pose)[:2])
        rate, z_score = self._topics.rate, self.percepts.z_score
        ticket.send_feedback(feedback_message(execution, now, pose, frame, rate, z_score, straight))

    def destroy(self) -> None:
        """Takes the action off the graph."""
        self._server.destroy()

    def _check(self, request: NavigateToGoal.Goal) -> GoalExecution:
        if not self._node.is_active:
            raise AmiError("goal: the planner is not active; activate it", Code.DEACTIVATED)
        execution = self._prepare(request)
        if (before := self.current) is not None:
            execution.take_over(before)
        self.last_error = (Code.NONE, "")
        return execution

    def _rejected(self, error: AmiError) -> None:
        self.last_error = (Code(error.code) if error.code in list(Code) else Code.INVALID_GOAL, str(error))
        self._node.get_logger().warning(f"rejected ({error.code}): {error}")

    def _canceled(self, ticket: GoalTicket) -> NavigateToGoal.Result:
        self._topics.command(STILL)
        self._topics.say("cancelled; the robot stands")
        return self._result(ticket, Code.NONE, "canceled by the client")

    def _here(self, execution: GoalExecution) -> tuple[Array | None, str]:
        """Where the robot is, and in which frame."""
        if execution.goal.in_map and (pose := self.percepts.pose_in_map) is not None:
            return pose, self._frames.map
        return self.percepts.odometry.pose, self._frames.odom

    def _result(self, ticket: GoalTicket, code: Code, message: str) -> NavigateToGoal.Result:
        return result_message(ticket.prepared, code, message, self._node.now(), *self._here(ticket.prepared))
