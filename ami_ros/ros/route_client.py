"""Asks memory for a route, from a worker thread."""

from __future__ import annotations

import threading

from rclpy.node import Node

from ami_interfaces.srv import FindRoute
from ami_ros.errors import AmiError
from ami_ros.memory.codes import Code
from ami_ros.memory.types import Route
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.memory_messages import query_to_message, route_from_response


class RouteClient:
    """A client of the memory node's ~/find_route.

    Args:
        node: spun by another thread than the one that calls `find`.
        service: its name.
        encoder_id: of the latents.
        frame: of the memory.
        timeout: how long to wait for an answer [s].
    """

    def __init__(self, node: Node, service: str, encoder_id: str, frame: str, timeout: float) -> None:
        self._node, self._encoder_id, self._frame, self._timeout = node, encoder_id, frame, timeout
        self._client = node.create_client(FindRoute, service)

    def find(self, wanted: RouteRequest) -> Route | AmiError:
        """The route, or the error that says why there is none."""
        if not self._client.wait_for_service(self._timeout):
            return AmiError(
                f"no node offers {self._client.srv_name}; start memory, or set use_memory to false", Code.NOT_ACTIVE
            )
        request = FindRoute.Request(
            goal=query_to_message(wanted.goal, self._encoder_id, self._frame),
            hypothesis=wanted.hypothesis,
            avoid_edges=[place for edge in wanted.avoid_edges for place in edge],
        )
        answered = threading.Event()
        future = self._client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        if not answered.wait(self._timeout):
            self._client.remove_pending_request(future)
            return AmiError(f"memory did not answer within {self._timeout} s", Code.UNKNOWN)
        return route_from_response(future.result(), self._encoder_id)

    def destroy(self) -> None:
        """Takes the client off the graph."""
        self._node.destroy_client(self._client)
