"""What memory answers: the way to a goal, places that fit a description, and the labelling and forgetting of places."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_interfaces.srv import FindRoute, ForgetPlaces, RecallPlaces, RememberPlace
from ami_ros.errors import AmiError
from ami_ros.memory.place_memory import PlaceMemory
from ami_ros.memory.types import PlaceQuery
from ami_ros.ros import conversions, memory_messages
from ami_ros.ros.lifecycle import AmiNode

MAX_RESULTS = 1000


class MemoryServices:
    """The services of the memory node.

    Args:
        node: whose services they are.
        memory: asked while `lock` is held.
        lock: keeps services and observation apart.
        encoder_id: of the latents.
        frame: of the memory.
    """

    def __init__(self, node: AmiNode, memory: PlaceMemory, lock: threading.Lock, encoder_id: str, frame: str) -> None:
        self._node, self._memory, self._lock, self._encoder_id, self._frame = node, memory, lock, encoder_id, frame
        self.latent: NDArray[np.float32] | None = None  # (latent_dim,) the newest
        self._offer(FindRoute, "~/find_route", self._find_route)
        self._offer(RecallPlaces, "~/recall", self._recall)
        self._offer(RememberPlace, "~/remember", self._remember)
        self._offer(ForgetPlaces, "~/forget", self._forget)

    def _offer(self, service: Any, name: str, answer: Callable[[Any, Any], None]) -> None:
        def locked(request: Any, response: Any) -> None:
            try:
                with self._lock:
                    answer(request, response)
            except AmiError as error:
                raise AmiError(str(error), memory_messages.service_code(service.Response, error)) from error

        self._node.offer(service, name, locked)

    def _find_route(self, request: FindRoute.Request, response: FindRoute.Response) -> None:
        query = memory_messages.query_from_message(request.goal, self._encoder_id, self._frame)
        edges = memory_messages.edges_from_message(list(request.avoid_edges))
        route = self._memory.find_route(query, request.hypothesis, edges)
        memory_messages.fill_route(response, route, self._encoder_id, self._frame)

    def _recall(self, request: RecallPlaces.Request, response: RecallPlaces.Response) -> None:
        if request.max_results < 1:
            raise AmiError("recall: max_results must be at least 1", RecallPlaces.Response.INVALID_INPUT)
        latent = self.latent if request.use_current else None
        if not request.use_current and request.latent.data:
            code = RecallPlaces.Response.ENCODER_MISMATCH
            latent = conversions.latent_from_message(request.latent, self._encoder_id, code)
        pose = None
        if request.use_pose:
            if request.pose.header.frame_id not in ("", self._frame):
                raise AmiError(f"recall: pose must be in '{self._frame}'", RecallPlaces.Response.INVALID_INPUT)
            pose = conversions.pose_from_message(request.pose.pose)
        query = PlaceQuery(request.label, latent, pose, request.radius, MAX_RESULTS, request.with_thumbnails)
        found = self._memory.recall(query)
        response.total = len(found)
        response.places = [
            memory_messages.place_to_message(place, self._encoder_id, self._frame, request.with_latents)
            for place in found[: request.max_results]
        ]

    def _remember(self, request: RememberPlace.Request, response: RememberPlace.Response) -> None:
        response.id = self._memory.remember(request.label, request.note, request.overwrite)

    def _forget(self, request: ForgetPlaces.Request, response: ForgetPlaces.Response) -> None:
        if request.all and (request.ids or request.labels):
            raise AmiError("forget: `all` leaves no room for ids and labels", ForgetPlaces.Response.INVALID_INPUT)
        response.num_forgotten = self._memory.forget(list(request.ids), list(request.labels), request.all)
