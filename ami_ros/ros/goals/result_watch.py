"""The result of a goal, also where its action server died: ROS 2 by itself then lets its client wait for ever.

The request for the result went to a process that is gone. A server that was started in its place does not know the
goal, but says so, with STATUS_UNKNOWN, to whoever asks it; so this asks again and again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

from ami_interfaces.action import NavigateToGoal
from ami_ros.ros.node.health import STEADY

PERIOD = 2.0  # [s] between two questions
LOST = "the planner that had this goal is gone: it died, or was started again; send the goal again"


class ResultWatch:
    """Waits for the result of an accepted goal of navigate_to_goal. All is called on the executor's one thread.

    Args:
        node: that the client is of.
        client: that sent the goal.
        handle: of the goal.
        ended: called once, with the goal's status and result; STATUS_UNKNOWN and UNKNOWN of one whose planner is gone.
    """

    def __init__(self, node: Node, client: ActionClient, handle: Any, ended: Callable[[int, Any], None]) -> None:
        self._node, self._client, self._handle, self._tell = node, client, handle, ended
        self._over = False
        self._ask()
        self._timer = node.create_timer(PERIOD, self._look, clock=STEADY)

    def close(self) -> None:
        """Nothing more is heard of the goal."""
        if not self._over:
            self._over = True
            self._node.destroy_timer(self._timer)

    def _look(self) -> None:
        if self._over:
            return
        if self._client.server_is_ready():
            self._ask()
        else:
            self._end(GoalStatus.STATUS_UNKNOWN, NavigateToGoal.Result())

    def _ask(self) -> None:
        self._handle.get_result_async().add_done_callback(self._answered)

    def _answered(self, future: Future) -> None:
        answer = future.result()
        if answer is not None:  # None of one that was given up when the client was destroyed
            self._end(answer.status, answer.result)

    def _end(self, status: int, result: Any) -> None:
        if self._over:
            return
        self.close()
        if status == GoalStatus.STATUS_UNKNOWN:
            result.error_code, result.error_msg = NavigateToGoal.Result.UNKNOWN, LOST
        self._tell(status, result)
