"""Memory's services: routes, recall by description, labelling and forgetting of places; and `initialpose`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage

from ami_interfaces.srv import FindRoute, ForgetPlaces, MemoryFile, MemoryStatistics, RecallPlaces, RememberPlace
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.images import Image
from ami_ros.parts.memory import MemoryPart
from ami_ros.parts.ports import Said
from ami_ros.places.files import named_file
from ami_ros.places.types import MAX_RESULTS, PlaceQuery
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages import memory as memory_messages
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.slam.place_memory import TOLD
from ami_ros.world_model.perception import Perception


class LockedServices:
    """Offers services that lock memory, with their own codes for its errors."""

    def __init__(self, node: AmiNode, part: MemoryPart) -> None:
        self._node, self._part, self._memory, self._lock = node, part, part.memory, part.lock

    def offer(
        self, service: Any, name: str, answer: Callable[[Any, Any], None], default: str = "INVALID_INPUT"
    ) -> None:
        """`default`: name of the service's code for errors that have none."""

        def locked(request: Any, response: Any) -> None:
            try:
                with self._lock:
                    answer(request, response)
            except AmiError as error:
                code = memory_messages.service_code(service.Response, error, default)
                raise AmiError(str(error), code) from error

        self._node.offer(service, name, locked)


class MemoryServices(LockedServices):
    """The services that ask about places.

    Args:
        node: whose services they are.
        part: has the memory, and the lock that keeps services and observation apart.
        encoder_id: of the latents.
        frame: of the memory.
        decode: makes an array of a picture.
    """

    def __init__(
        self,
        node: AmiNode,
        part: MemoryPart,
        encoder_id: str,
        frame: str,
        decode: Callable[[CompressedImage], Image],
    ) -> None:
        super().__init__(node, part)
        self._encoder_id, self._frame, self._decode = encoder_id, frame, decode
        self._latent_dim = part.memory.map.latent_dim
        self._perception = Perception(part.memory.map.index.model)
        self.offer(FindRoute, "~/find_route", self._find_route)
        self.offer(RecallPlaces, "~/recall", self._recall)
        self.offer(RememberPlace, "~/remember", self._remember, "WRITE_FAILED")
        self.offer(ForgetPlaces, "~/forget", self._forget, "WRITE_FAILED")

    def _find_route(self, request: FindRoute.Request, response: FindRoute.Response) -> None:
        code = self._perception.spec.picture_code
        query = memory_messages.query_from_message(request.goal, self._encoder_id, self._latent_dim, self._frame, code)
        query = replace(query, search=memory_messages.search_from_message(request))
        edges = memory_messages.edges_from_message(list(request.avoid_edges))
        route = self._part.find_route(RouteRequest(query, request.hypothesis, tuple(edges)))
        memory_messages.fill_route(response, route, self._encoder_id, self._frame)

    def _recall(self, request: RecallPlaces.Request, response: RecallPlaces.Response) -> None:
        if not 1 <= request.max_results <= MAX_RESULTS:
            raise AmiError(f"recall: max_results must be from 1 to {MAX_RESULTS}")
        window = (-np.inf, np.inf)
        if request.use_window:
            window = conversions.stamp_to_seconds(request.since), conversions.stamp_to_seconds(request.until)
        query = PlaceQuery(
            label=request.label,
            latent=self._likeness(request),
            pose=self._centre(request),
            radius=request.radius,
            since=window[0],
            until=window[1],
            surprise=request.min_surprise,
            max_results=request.max_results,
            with_thumbnails=request.with_thumbnails,
            with_experience=request.with_latents,
        )
        found = self._memory.recall(query)
        response.total = min(self._memory.count(query), MAX_RESULTS)
        response.places = [
            memory_messages.place_to_message(place, self._encoder_id, self._frame, request.with_latents)
            for place in found
        ]

    def _likeness(self, request: RecallPlaces.Request) -> NDArray[np.float32] | None:
        """The latent (latent_dim,) to compare places with, given in one of three ways; None: not given."""
        ways = request.use_current, len(request.latent.data) > 0, len(request.image.data) > 0
        if sum(ways) > 1:
            raise AmiError("recall: give one of use_current, latent and image")
        if request.use_current and self._part.latent is None:
            code = RecallPlaces.Response.NO_OBSERVATION
            raise AmiError("recall: no latent received yet; is perception running?", code)
        if request.use_current:
            return self._part.latent
        if len(request.latent.data):
            code = RecallPlaces.Response.ENCODER_MISMATCH
            return conversions.latent_from_message(request.latent, self._encoder_id, code, self._latent_dim)
        if len(request.image.data):
            return self._perception.encode_goal(self._decode(request.image))
        return None

    def _centre(self, request: RecallPlaces.Request) -> Array | None:
        if not request.use_pose:
            return None
        if request.pose.header.frame_id != self._frame:
            raise AmiError(f"recall: pose must be in '{self._frame}', found '{request.pose.header.frame_id}'")
        return conversions.pose_from_message(request.pose.pose)

    def _remember(self, request: RememberPlace.Request, response: RememberPlace.Response) -> None:
        response.id = self._memory.remember(
            request.label, request.note, request.overwrite, request.place_id, request.keep_away
        )

    def _forget(self, request: ForgetPlaces.Request, response: ForgetPlaces.Response) -> None:
        if request.all and (request.ids or request.labels):
            raise AmiError("forget: give `all`, or ids and labels, not both", ForgetPlaces.Response.INVALID_INPUT)
        response.num_forgotten = self._memory.forget(list(request.ids), list(request.labels), request.all)


class MemoryFiles(LockedServices):
    """The services about memory as a whole.

    Args:
        node: whose services they are.
        part: has the memory, and the lock that keeps services and observation apart.
        folder: of the files; None: there is none.
    """

    def __init__(self, node: AmiNode, part: MemoryPart, folder: Path | None) -> None:
        super().__init__(node, part)
        self._folder = folder
        self.offer(MemoryFile, "~/save", self._save, "WRITE_FAILED")
        self.offer(MemoryFile, "~/load", self._load, "WRITE_FAILED")
        self.offer(MemoryFile, "~/merge", self._merge, "WRITE_FAILED")
        self.offer(MemoryStatistics, "~/statistics", self._count)

    def _save(self, request: MemoryFile.Request, response: MemoryFile.Response) -> None:
        response.size = self._memory.save(named_file(self._folder, request.name), request.overwrite)
        response.num_places = len(self._memory)

    def _load(self, request: MemoryFile.Request, response: MemoryFile.Response) -> None:
        self._memory.load(named_file(self._folder, request.name), request.overwrite)
        self._describe(response)

    def _merge(self, request: MemoryFile.Request, response: MemoryFile.Response) -> None:
        merged = self._memory.merge(named_file(self._folder, request.name))
        response.num_added, response.num_joined = merged.added, merged.joined
        self._describe(response)

    def _describe(self, response: MemoryFile.Response) -> None:
        if notice := self._memory.map.store.notice:
            self._node.health.warn("memory file", notice)
        response.num_places, response.size = len(self._memory), self._memory.map.store.size()

    def _count(self, request: MemoryStatistics.Request, response: MemoryStatistics.Response) -> None:
        counts, store = self._memory.statistics(), self._memory.map.store
        response.encoder_id = self._memory.map.encoder_id
        response.num_places, response.num_ways = counts.places, counts.ways
        response.num_blocked, response.num_labels = counts.blocked, counts.labels
        response.num_episodes, response.num_visits = counts.episodes, counts.visits
        response.first = conversions.seconds_to_stamp(counts.first)
        response.last = conversions.seconds_to_stamp(counts.last)
        response.size, response.persistent = counts.size, store.path is not None
        response.warning = str(store.error) if store.error else store.notice


SIGMAS = 3.0  # standard deviations that it may be off
LEAST, MOST = (0.2, 0.1), (2.0, math.pi)  # [m], [rad] that are looked through, whatever the covariance says


def said_from_message(message: PoseWithCovarianceStamped, frame: str) -> Said:
    """Where the robot is said to be, in `frame`, that of the memory. Raises AmiError if it is in another."""
    found = message.header.frame_id.lstrip("/")
    if found != frame:
        raise AmiError(f"initialpose is in frame '{found}'; say it in '{frame}', as RViz's fixed frame")
    return Said(conversions.pose_from_message(message.pose.pose), *_reach(message.pose.covariance))


def _reach(covariance: np.typing.ArrayLike) -> tuple[float, float]:
    """How far off [m], [rad] a pose may be with this covariance (36,); where that says nothing, TOLD."""
    variances = np.asarray(covariance, np.float64).reshape(6, 6).diagonal()[[0, 1, 5]]
    if not np.isfinite(variances).all() or not (variances > 0).all():
        return TOLD
    wanted = SIGMAS * np.sqrt([max(variances[:2]), variances[2]])
    reach, turn = np.clip(wanted, LEAST, MOST)
    return float(reach), float(turn)
