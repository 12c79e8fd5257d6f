"""Asks memory for several routes at once, without waiting."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rclpy.node import Node
from rclpy.task import Future

from ami_interfaces.srv import FindRoute
from ami_ros.errors import AmiError
from ami_ros.memory.codes import Code
from ami_ros.memory.types import GoalQuery, Route
from ami_ros.ros.memory_messages import query_to_message, route_from_response


class RouteSurvey:
    """A client of memory's ~/find_route for a node that must not block.

    Args:
        node: its owner.
        service: its name.
        frame: of the memory.
        timeout: for all answers together [s] of steady time.
    """

    def __init__(self, node: Node, service: str, frame: str, timeout: float) -> None:
        self._node, self._frame, self._timeout = node, frame, timeout
        self._client = node.create_client(FindRoute, service)
        self._futures: list[Future] = []
        self._encoder_id, self._asked = "", 0.0

    @property
    def pending(self) -> bool:
        """Something was asked, and `answers` was not yet taken."""
        return bool(self._futures)

    def ask(self, queries: Sequence[GoalQuery], encoder_id: str) -> None:
        """Sends the questions; `encoder_id` is of latents in questions and answers."""
        self._encoder_id, self._asked = encoder_id, time.monotonic()
        requests = [FindRoute.Request(goal=query_to_message(query, encoder_id, self._frame)) for query in queries]
        self._futures = [self._client.call_async(request) for request in requests]

    def answers(self) -> list[Route | AmiError] | None:
        """All answers, once; None as long as some may still come."""
        late = time.monotonic() - self._asked > self._timeout
        if not (late or all(future.done() for future in self._futures)):
            return None
        found = [self._answer(future) for future in self._futures]
        self._futures = []
        return found

    def forget(self) -> None:
        """Nobody wants the answers any more."""
        for future in self._futures:
            self._client.remove_pending_request(future)
        self._futures = []

    def destroy(self) -> None:
        """Takes the client off the graph."""
        self._node.destroy_client(self._client)

    def _answer(self, future: Future) -> Route | AmiError:
        if not future.done():
            self._client.remove_pending_request(future)
            return AmiError(f"memory did not answer within {self._timeout} s", Code.UNKNOWN)
        return route_from_response(future.result(), self._encoder_id)
