"""A goal of the demo on its way, and exploring."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node

from ami_interfaces.action import RunMission
from ami_ros.ros.messages.conversions import seconds_to_duration
from ami_ros.ros.node.executor import LeanExecutor

STATUS = {
    GoalStatus.STATUS_SUCCEEDED: "succeeded",
    GoalStatus.STATUS_ABORTED: "aborted",
    GoalStatus.STATUS_CANCELED: "canceled",
    GoalStatus.STATUS_UNKNOWN: "lost with its planner",
}


@dataclass
class GoalRun:
    """A goal on its way; `done` is set when `status` and `result` are final."""

    done: threading.Event
    accepted: float | None = None  # on the robot's clock [s]
    ended: float | None = None
    status: str = "no answer"
    result: Any = None
    handle: Any = None


class Explorer:
    """Sends the robot exploring, as a mission.

    Args:
        node: to make the client of.
        executor: that serves it.
    """

    def __init__(self, node: Node, executor: LeanExecutor) -> None:
        self._executor, self._action = executor, ActionClient(node, RunMission, "run_mission")

    def send(self, allowance: float) -> GoalRun:
        """Lets the robot explore for `allowance` [s] of its time, and come back."""
        goal = RunMission.Goal(kind=RunMission.Goal.EXPLORE, time_allowance=seconds_to_duration(allowance))
        run = GoalRun(threading.Event())

        def ended(future: Any) -> None:
            answer = future.result()
            if answer is not None:  # None of one that was given up when the client was destroyed
                run.status, run.result = STATUS.get(answer.status, "no answer"), answer.result
            run.done.set()

        def answered(future: Any) -> None:
            run.handle = future.result()
            if run.handle.accepted:
                run.handle.get_result_async().add_done_callback(ended)
            else:
                run.status = "rejected"
                run.done.set()

        self._executor.create_task(lambda: self._action.send_goal_async(goal).add_done_callback(answered))
        return run

    def destroy(self) -> None:
        """Ends the client."""
        self._action.destroy()
