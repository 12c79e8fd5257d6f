"""Carries questions for routes to memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from rclpy.node import Node
from rclpy.task import Future

from ami_interfaces.srv import FindRoute
from ami_ros.parts.part import Answered
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.messages.memory import request_to_message, route_from_response

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
