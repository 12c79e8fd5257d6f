"""Clients that wait for nobody: goals for the planner, routes of memory, and results of goals whose server died."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.srv import FindRoute
from ami_ros.behaviour.task import Leg
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.messages.memory import request_to_message, route_from_response
from ami_ros.ros.node.health import STEADY
from ami_ros.runtime.mission import LegOutcome
from ami_ros.runtime.part import Answered

# Sends the planner one goal at a time, and reports when it ended or the planner fell silent.


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


# Carries questions for routes to memory.

FORGOTTEN = 60.0  # [s] of steady time after which an answer is not waited for any more


class RouteClient:
    """A client of memory's ~/find_route. It never blocks, and may be called from any thread.

    Args:
        node: its owner, spun by whichever thread.
        frame: of the memory.
        encoder_id: of the latents in questions and answers.
    """

    def __init__(self, node: Node, frame: str, encoder_id: Callable[[], str]) -> None:
        self._node, self._frame, self._encoder_id = node, frame, encoder_id
        self._client = node.create_client(FindRoute, "memory/find_route")
        self._open: deque[tuple[float, Future]] = deque()

    def ask(self, request: RouteRequest, answered: Answered) -> bool:
        """See `parts.part.Bus.ask`."""
        if not self._client.service_is_ready():
            return False
        now, encoder_id = time.monotonic(), self._encoder_id()
        while self._open and now - self._open[0][0] > FORGOTTEN:
            self._client.remove_pending_request(self._open.popleft()[1])
        future = self._client.call_async(request_to_message(request, encoder_id, self._frame))
        self._open.append((now, future))
        future.add_done_callback(lambda done: answered(route_from_response(done.result(), encoder_id)))
        return True

    def destroy(self) -> None:
        """Takes the client off the graph."""
        self._node.destroy_client(self._client)


# The result of a goal, also where its action server died: ROS 2 by itself then lets its client wait for ever.
#
# The request for the result went to a process that is gone. A server that was started in its place does not know the
# goal, but says so, with STATUS_UNKNOWN, to whoever asks it; so this asks again and again.

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
