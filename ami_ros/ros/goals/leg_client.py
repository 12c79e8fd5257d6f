"""Sends the planner one goal at a time, and reports when it ended or the planner fell silent."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

from ami_interfaces.action import NavigateToGoal
from ami_ros.mission.task import Leg
from ami_ros.parts.task_runner import LegOutcome


class LegClient:
    """A client of navigate_to_goal. All its methods and callbacks are of the executor's one thread.

    Args:
        node: its owner.
        action: name.
        make_goal: a leg, as the planner takes it.
    """

    def __init__(self, node: Node, action: str, make_goal: Callable[[Leg], NavigateToGoal.Goal]) -> None:
        self._client = ActionClient(node, NavigateToGoal, action)
        self._make_goal = make_goal
        self._log = node.get_logger()
        self.leg: Leg | None = None  # under way
        self.outcome: LegOutcome | None = None  # of the leg that ended, until it is taken
        self.distance = math.nan  # what is left of the leg [m]
        self._handle: Any = None
        self._heard = 0.0

    @property
    def ready(self) -> bool:
        """A planner is there."""
        return bool(self._client.server_is_ready())

    @property
    def silence(self) -> float:
        """Steady time [s] without feedback on the current leg; 0 where there is none."""
        return time.monotonic() - self._heard if self.leg is not None else 0.0

    def send(self, leg: Leg) -> None:
        """Sends a leg; at the planner it replaces the current goal."""
        self.leg, self.outcome, self._handle, self.distance = leg, None, None, math.nan
        self._heard = time.monotonic()
        sent = self._client.send_goal_async(self._make_goal(leg), partial(self._on_feedback, leg))
        sent.add_done_callback(partial(self._on_answer, leg))

    def cancel(self) -> None:
        """Cancels the leg; nothing more is heard of it."""
        if self.leg is not None and self._handle is not None:
            self._handle.cancel_goal_async()
        self.leg = self.outcome = self._handle = None

    def take_outcome(self) -> LegOutcome | None:
        """How the leg ended, once."""
        outcome, self.outcome = self.outcome, None
        return outcome

    def destroy(self) -> None:
        """Takes the client off the graph."""
        self._client.destroy()

    def _on_answer(self, leg: Leg, sent: Future) -> None:
        handle = sent.result()
        if leg is not self.leg:  # replaced or canceled before the planner had answered
            if handle.accepted:
                handle.cancel_goal_async()
            return
        self._heard = time.monotonic()
        if not handle.accepted:
            code = NavigateToGoal.Result.GOAL_REJECTED
            self._end(leg, LegOutcome(leg.number, False, code, "the planner rejected the goal; its log says why"))
            return
        self._handle = handle
        handle.get_result_async().add_done_callback(partial(self._on_result, leg))

    def _on_feedback(self, leg: Leg, message: Any) -> None:
        if leg is self.leg:
            self._heard = time.monotonic()
            self.distance = message.feedback.distance_remaining

    def _on_result(self, leg: Leg, answered: Future) -> None:
        answer = answered.result()
        if leg is not self.leg:
            return
        succeeded = answer.status == GoalStatus.STATUS_SUCCEEDED
        code, message = int(answer.result.error_code), str(answer.result.error_msg)
        if answer.status == GoalStatus.STATUS_CANCELED:
            code, message = NavigateToGoal.Result.PREEMPTED, "somebody else canceled the goal"
        self._end(leg, LegOutcome(leg.number, succeeded, code, message))

    def _end(self, leg: Leg, outcome: LegOutcome) -> None:
        self.leg = self._handle = None
        self.outcome = outcome
