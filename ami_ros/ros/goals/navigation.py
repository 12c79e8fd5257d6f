"""The planner's actions: navigate_to_goal, and goals from Nav2 and RViz that are passed on to it."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from types import ModuleType
from typing import Any

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal
from ami_ros.core.commands import STILL
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.planning.types import Code
from ami_ros.ros.goals.action_server import GoalFrames, GoalTicket, Outcome, SimpleActionServer
from ami_ros.ros.goals.clients import SentGoal
from ami_ros.ros.messages.goals import Frames, feedback_message, result_message
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE, REQUESTS
from ami_ros.ros.planner_topics import PlannerTopics
from ami_ros.runtime.goal_execution import GoalExecution
from ami_ros.runtime.planner import Percepts

# The action navigate_to_goal: what is accepted, what clients are told, and that the robot stands when a goal ends.


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


# Goals from Nav2 and RViz: the topic goal_pose, and where nav2_msgs is installed navigate_to_pose and
# navigate_through_poses.
#
# They are passed on to navigate_to_goal of the same node, one pose after the other, as any client's, so the newest
# goal wins whoever sent it.

try:
    nav2: ModuleType | None = importlib.import_module("nav2_msgs.action")
except ImportError:  # it comes with Nav2, not with the ROS wheels
    nav2 = None


class PoseGoals:
    """Passes poses on. All is called on the executor's threads.

    Args:
        node: the planner, which offers navigate_to_goal.
        frames: puts them into a frame that goals may be in.
        prefix: of the names of Nav2's actions.
    """

    def __init__(self, node: AmiNode[Any], frames: GoalFrames, prefix: str = "") -> None:
        self._frames = frames
        self._client = ActionClient(
            node, NavigateToGoal, "navigate_to_goal",
            goal_service_qos_profile=REQUESTS, result_service_qos_profile=REQUESTS, cancel_service_qos_profile=REQUESTS,
        )  # fmt: skip
        node.subscribe(PoseStamped, "goal_pose", self._on_pose, RELIABLE)
        self._actions: list[_Nav2Action] = []
        if nav2 is not None:
            kinds = {"navigate_to_pose": "NavigateToPose", "navigate_through_poses": "NavigateThroughPoses"}
            self._actions = [
                _Nav2Action(node, self._client, f"{prefix}{name}", getattr(nav2, kind), frames)
                for name, kind in kinds.items()
                if hasattr(nav2, kind)
            ]

    def destroy(self) -> None:
        """Takes all of them off the graph."""
        for action in self._actions:
            action.destroy()
        self._client.destroy()

    def _on_pose(self, pose: PoseStamped) -> None:
        self._client.send_goal_async(request_to(self._frames.resolve(pose)))


class _PassedOn:
    """Poses that are passed on one by one, the first in the list first."""

    def __init__(self, poses: list[PoseStamped]) -> None:
        self.poses = poses
        self.leg: SentGoal | None = None  # the first of them at navigate_to_goal
        self.recoveries = 0  # of legs that are over


class _Nav2Action:
    """One of Nav2's actions, whose poses become goals of navigate_to_goal."""

    def __init__(self, node: AmiNode[Any], client: ActionClient, name: str, kind: Any, frames: GoalFrames) -> None:
        self._node, self._client, self._name, self._type, self._frames = node, client, name, kind, frames
        self._server = SimpleActionServer(
            node,
            kind,
            name,
            check=self._check,
            rejected=lambda error: node.get_logger().warning(f"{name}: rejected: {error}"),
            preempted=lambda ticket: self._result(Code.PREEMPTED, "a newer goal took its place"),
            canceled=self._canceled,
            accepted=self._send,
        )
        self.destroy = self._server.destroy

    def _check(self, request: Any) -> _PassedOn:
        if not self._node.is_active:
            raise AmiError("the planner is not active; activate it", Code.DEACTIVATED)
        if request.behavior_tree:
            self._node.get_logger().warning(f"{self._name}: there are no behaviour trees here; the field is ignored")
        poses, most = [request.pose] if hasattr(request, "pose") else request.poses, 1000
        poses = list(getattr(poses, "goals", poses))  # since Kilted a nav_msgs/Goals
        if not 0 < len(poses) <= most:
            raise AmiError(f"{len(poses)} poses; send 1 to {most}", Code.INVALID_GOAL)
        return _PassedOn([self._frames.resolve(pose) for pose in poses])

    def _send(self, ticket: GoalTicket) -> None:
        goal = request_to(ticket.prepared.poses[0])
        ticket.prepared.leg = SentGoal(self._client, goal, partial(self._hear, ticket), partial(self._ended, ticket))

    def _hear(self, ticket: GoalTicket, given: NavigateToGoal.Feedback) -> None:
        passed, feedback = ticket.prepared, self._type.Feedback()
        for name in ("current_pose", "navigation_time", "estimated_time_remaining", "distance_remaining"):
            setattr(feedback, name, getattr(given, name))
        # From each pose straight to the next [m]; those of different frames are not apart.
        for a, b in pairwise(passed.poses):
            if a.header.frame_id == b.header.frame_id:
                start, stop = a.pose.position, b.pose.position
                feedback.distance_remaining += math.hypot(stop.x - start.x, stop.y - start.y)
        feedback.number_of_recoveries = passed.recoveries + given.number_of_recoveries
        if hasattr(feedback, "number_of_poses_remaining"):
            feedback.number_of_poses_remaining = len(passed.poses)
        ticket.send_feedback(feedback)

    def _ended(self, ticket: GoalTicket, answer: Any) -> None:
        """A leg has; answer None: it was not accepted."""
        passed, outcome = ticket.prepared, Outcome.ABORTED  # also of a leg that somebody else has canceled
        if answer is None:
            code, message = NavigateToGoal.Result.GOAL_REJECTED, "navigate_to_goal rejected it; the log says why"
        else:
            code, message = answer.result.error_code, answer.result.error_msg
            if answer.status == GoalStatus.STATUS_SUCCEEDED:
                outcome = Outcome.SUCCEEDED
        if outcome is Outcome.SUCCEEDED and len(passed.poses) > 1 and ticket.is_open:
            passed.poses.pop(0)
            passed.recoveries += answer.result.number_of_recoveries
            self._send(ticket)
        else:
            self._server.finish(ticket, outcome, self._result(code, message))

    def _canceled(self, ticket: GoalTicket) -> Any:
        if ticket.prepared.leg is not None:
            ticket.prepared.leg.cancel()
        return self._result(Code.NONE, "canceled by the client")

    def _result(self, code: int, message: str) -> Any:
        """Codes are those of NavigateToGoal, apart from Nav2's own; releases before Kilted have no text."""
        result = self._type.Result()
        for name, value in (("error_code", int(code)), ("error_msg", message)):
            if hasattr(result, name):
                setattr(result, name, value)
        return result


def request_to(pose: PoseStamped) -> NavigateToGoal.Goal:
    """The same goal for navigate_to_goal."""
    return NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose))
