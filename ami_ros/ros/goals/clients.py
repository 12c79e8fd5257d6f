"""Clients that wait for nobody: goals for the planner, routes of memory, and results of goals whose server died."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
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


class SentGoal:
    """A goal of navigate_to_goal on its way to its end. All is called on the executor's one thread.

    Args:
        client: that sends it.
        goal: what is sent.
        feedback: called with each feedback.
        ended: called once with its status and result; with None if it was not accepted.

    Attributes:
        heard: steady time [s] of the last word about it; of being sent, while there was none.
    """

    def __init__(
        self, client: ActionClient, goal: Any, feedback: Callable[[Any], None], ended: Callable[[Any], None]
    ) -> None:
        self._feedback, self._ended = feedback, ended
        self._handle: Any = None  # once it is accepted
        self._left = False
        self.heard = time.monotonic()
        client.send_goal_async(goal, self._hear).add_done_callback(self._answered)

    def leave(self) -> None:
        """Nothing more is heard of it; one that is accepted after this is canceled."""
        self._left = True

    def cancel(self) -> None:
        """The same, and it ends."""
        self._left = True
        if self._handle is not None:
            self._handle.cancel_goal_async()

    def _hear(self, message: Any) -> None:
        if not self._left:
            self.heard = time.monotonic()
            self._feedback(message.feedback)

    def _answered(self, sent: Future) -> None:
        handle = sent.result()
        self.heard = time.monotonic()
        if self._left:
            if handle.accepted:
                handle.cancel_goal_async()
        elif handle.accepted:
            self._handle = handle
            handle.get_result_async().add_done_callback(lambda done: self._tell(done.result()))
        else:
            self._ended(None)

    def _tell(self, answer: Any) -> None:
        if not self._left:
            self._ended(answer)


class LegClient:
    """Sends the planner one goal at a time, and reports when it ended or the planner fell silent.

    Args:
        node: its owner.
        make_goal: a leg, as the planner takes it.
    """

    def __init__(self, node: Node, make_goal: Callable[[Leg], NavigateToGoal.Goal]) -> None:
        self._client = ActionClient(node, NavigateToGoal, "navigate_to_goal")
        self._make_goal = make_goal
        self.leg: Leg | None = None  # under way
        self.outcome: LegOutcome | None = None  # of the leg that ended, until it is taken
        self.distance = math.nan  # what is left of the leg [m]
        self._sent: SentGoal | None = None

    @property
    def ready(self) -> bool:
        """A planner is there."""
        return bool(self._client.server_is_ready())

    @property
    def silence(self) -> float:
        """Steady time [s] without feedback on the current leg; 0 where there is none."""
        return time.monotonic() - self._sent.heard if self._sent is not None else 0.0

    def send(self, leg: Leg) -> None:
        """Sends a leg; at the planner it replaces the current goal."""
        if self._sent is not None:
            self._sent.leave()
        self.leg, self.outcome, self.distance = leg, None, math.nan
        self._sent = SentGoal(self._client, self._make_goal(leg), self._hear, self._ended)

    def cancel(self) -> None:
        """Cancels the leg; nothing more is heard of it."""
        if self._sent is not None:
            self._sent.cancel()
        self.leg = self.outcome = self._sent = None

    def take_outcome(self) -> LegOutcome | None:
        """How the leg ended, once."""
        outcome, self.outcome = self.outcome, None
        return outcome

    def destroy(self) -> None:
        """Takes the client off the graph."""
        self._client.destroy()

    def _hear(self, feedback: Any) -> None:
        self.distance = feedback.distance_remaining

    def _ended(self, answer: Any) -> None:
        leg, codes = self.leg, NavigateToGoal.Result
        assert leg is not None
        succeeded = answer is not None and answer.status == GoalStatus.STATUS_SUCCEEDED
        if answer is None:
            code, message = codes.GOAL_REJECTED, "the planner rejected the goal; its log says why"
        elif answer.status == GoalStatus.STATUS_CANCELED:
            code, message = codes.PREEMPTED, "somebody else canceled the goal"
        else:
            code, message = int(answer.result.error_code), str(answer.result.error_msg)
        self.leg = self._sent = None
        self.outcome = LegOutcome(leg.number, succeeded, code, message)


class RouteClient:
    """A client of memory's ~/find_route. It never blocks, and may be called from any thread.

    Args:
        node: its owner, spun by whichever thread.
        frame: of the memory.
        encoder_id: of the latents in questions and answers.
        forgotten: [s] of steady time after which an answer is not waited for any more.
    """

    def __init__(self, node: Node, frame: str, encoder_id: Callable[[], str], forgotten: float = 60.0) -> None:
        self._node, self._frame, self._encoder_id, self._forgotten = node, frame, encoder_id, forgotten
        self._client = node.create_client(FindRoute, "memory/find_route")
        self._open: deque[tuple[float, Future]] = deque()

    def ask(self, request: RouteRequest, answered: Answered) -> bool:
        """See `runtime.part.Bus.ask`."""
        if not self._client.service_is_ready():
            return False
        now, encoder_id = time.monotonic(), self._encoder_id()
        while self._open and now - self._open[0][0] > self._forgotten:
            self._client.remove_pending_request(self._open.popleft()[1])
        future = self._client.call_async(request_to_message(request, encoder_id, self._frame))
        self._open.append((now, future))
        future.add_done_callback(lambda done: answered(route_from_response(done.result(), encoder_id)))
        return True

    def destroy(self) -> None:
        """Takes the client off the graph."""
        self._node.destroy_client(self._client)


LOST = "the planner that had this goal is gone: it died, or was started again; send the goal again"


class ResultWatch:
    """Waits for the result of an accepted goal of navigate_to_goal, also where its action server died: ROS 2 by itself
    then lets its client wait for ever. All is called on the executor's one thread.

    The request for the result went to a process that is gone. A server that was started in its place does not know the
    goal, but says so, with STATUS_UNKNOWN, to whoever asks it; so this asks again and again.

    Args:
        node: that the client is of.
        client: that sent the goal.
        handle: of the goal.
        ended: called once, with the goal's status and result; STATUS_UNKNOWN and UNKNOWN of one whose planner is gone.
        period: between two questions [s].
    """

    def __init__(
        self, node: Node, client: ActionClient, handle: Any, ended: Callable[[int, Any], None], period: float = 2.0
    ) -> None:
        self._node, self._client, self._handle, self._tell = node, client, handle, ended
        self._over = False
        self._ask()
        self._timer = node.create_timer(period, self._look, clock=STEADY)

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
