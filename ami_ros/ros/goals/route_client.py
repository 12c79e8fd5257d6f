"""Asks memory for routes, without waiting for its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from rclpy.node import Node
from rclpy.task import Future

from ami_interfaces.srv import FindRoute
from ami_ros.errors import AmiError
from ami_ros.places.codes import Code
from ami_ros.places.types import Route
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.messages.memory import request_to_message, route_from_response


class RouteClient:
    """A client of memory's ~/find_route. No method blocks, and each may be called from any thread.

    Args:
        node: its owner, spun by whichever thread.
        service: its name.
        frame: of the memory.
        timeout: for all answers together [s] of steady time.
    """

    def __init__(self, node: Node, service: str, frame: str, timeout: float) -> None:
        self._node, self._frame, self.timeout = node, frame, timeout
        self._client = node.create_client(FindRoute, service)
        self._lock = threading.Lock()
        self._unsent: list[FindRoute.Request] = []  # until the service is there
        self._futures: list[Future] = []
        self._encoder_id, self._count, self._asked = "", 0, 0.0

    @property
    def pending(self) -> bool:
        """Something was asked, and `poll` has not yet given the answers."""
        return self._count > 0

    def ask(self, requests: Sequence[RouteRequest], encoder_id: str) -> None:
        """Asks in place of what was asked before; `encoder_id` is of latents in questions and answers."""
        messages = [request_to_message(request, encoder_id, self._frame) for request in requests]
        with self._lock:
            self._forget()
            self._unsent, self._count = messages, len(messages)
            self._encoder_id, self._asked = encoder_id, time.monotonic()
            self._send()

    def poll(self) -> list[Route | AmiError] | None:
        """All answers in the order of the requests, once; None while some may still come, and where nothing was asked.

        An answer that did not come in time is an AmiError with `Code.NO_ANSWER`.
        """
        with self._lock:
            if not self._count:
                return None
            self._send()
            late = time.monotonic() - self._asked > self.timeout
            if not late and (self._unsent or not all(future.done() for future in self._futures)):
                return None
            answers = [self._answer(future) for future in self._futures] + [self._silence() for _ in self._unsent]
            self._forget()
            return answers

    def forget(self) -> None:
        """Drops the question; its answers are ignored."""
        with self._lock:
            self._forget()

    def destroy(self) -> None:
        """Takes the client off the graph."""
        self._node.destroy_client(self._client)

    def _send(self) -> None:
        if self._unsent and self._client.service_is_ready():
            self._futures = [self._client.call_async(request) for request in self._unsent]
            self._unsent = []

    def _forget(self) -> None:
        for future in self._futures:
            self._client.remove_pending_request(future)
        self._futures, self._unsent, self._count = [], [], 0

    def _answer(self, future: Future) -> Route | AmiError:
        return route_from_response(future.result(), self._encoder_id) if future.done() else self._silence()

    def _silence(self) -> AmiError:
        reason = f"memory did not answer within {self.timeout} s"
        if self._unsent:
            reason = f"no node offers {self._client.srv_name}; start memory, or set use_memory to false"
        return AmiError(reason, Code.NO_ANSWER)
