"""What memory offers beside its ports: services about places and files, `initialpose`, and the map for the tools of
others."""

from __future__ import annotations

import array
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseWithCovarianceStamped
from nav_msgs.msg import OccupancyGrid
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from ami_interfaces.srv import FindRoute, ForgetPlaces, MemoryFile, MemoryStatistics, RecallPlaces, RememberPlace
from ami_ros.core.background import Slices
from ami_ros.core.errors import AmiError
from ami_ros.core.images import Image
from ami_ros.memory.files import named_file
from ami_ros.memory.occupancy_map import OccupancyMap, Seen, drawing, read_map
from ami_ros.memory.place_memory import TOLD
from ami_ros.memory.types import MAX_RESULTS, Location, PlaceQuery, Statistics
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages import memory as memory_messages
from ami_ros.ros.messages.conversions import Record
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.runtime.memory import MemoryPart
from ami_ros.runtime.part import Said
from ami_ros.world_model.perception import Perception

_STATISTICS = Record(
    Statistics, MemoryStatistics.Response, num_places="places", num_ways="ways", num_blocked="blocked",
    num_labels="labels", num_episodes="episodes", num_visits="visits", first="first", last="last", size="size",
)  # fmt: skip


class MemoryServices:
    """Memory's services: routes, recall by description, labelling and forgetting of places, and files.

    Each locks memory, and has its own codes for memory's errors.

    Args:
        node: whose services they are.
        part: has the memory, and the lock that keeps services and observation apart.
        encoder_id: of the latents.
        frame: of the memory.
        decode: makes an array of a picture.
        folder: of the files; None: there is none.
    """

    def __init__(
        self,
        node: AmiNode,
        part: MemoryPart,
        encoder_id: str,
        frame: str,
        decode: Callable[[CompressedImage], Image],
        folder: Path | None,
    ) -> None:
        self._node, self._part, self._memory = node, part, part.memory
        self._encoder_id, self._frame, self._decode, self._folder = encoder_id, frame, decode, folder
        self._latent_dim = part.memory.map.latent_dim
        self._perception = Perception(part.memory.map.index.model)
        asks: dict[str, tuple[Any, Callable[[Any, Any], None]]] = {
            "~/find_route": (FindRoute, self._find_route),
            "~/recall": (RecallPlaces, self._recall),
            "~/statistics": (MemoryStatistics, self._count),
        }
        writes: dict[str, tuple[Any, Callable[[Any, Any], None]]] = {
            "~/remember": (RememberPlace, self._remember),
            "~/forget": (ForgetPlaces, self._forget),
            "~/save": (MemoryFile, self._save),
            "~/load": (MemoryFile, self._load),
            "~/merge": (MemoryFile, self._merge),
        }
        for services, default in ((asks, "INVALID_INPUT"), (writes, "WRITE_FAILED")):
            for name, (service, answer) in services.items():
                node.offer(service, name, partial(self._answer, service.Response, answer, default))

    def _answer(self, kind: Any, answer: Callable[[Any, Any], None], default: str, request: Any, response: Any) -> None:
        """`default`: name of the service's code for errors that have none."""
        try:
            with self._part.lock:
                answer(request, response)
        except AmiError as error:
            raise AmiError(str(error), memory_messages.service_code(kind, error, default)) from error

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
        window, centre = (-np.inf, np.inf), None
        if request.use_window:
            window = conversions.stamp_to_seconds(request.since), conversions.stamp_to_seconds(request.until)
        if request.use_pose:
            if (frame := request.pose.header.frame_id) != self._frame:
                raise AmiError(f"recall: pose must be in '{self._frame}', found '{frame}'")
            centre = conversions.pose_from_message(request.pose.pose)
        query = PlaceQuery(
            label=request.label,
            latent=self._likeness(request),
            pose=centre,
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

    def _remember(self, request: RememberPlace.Request, response: RememberPlace.Response) -> None:
        response.id = self._memory.remember(
            request.label, request.note, request.overwrite, request.place_id, request.keep_away
        )

    def _forget(self, request: ForgetPlaces.Request, response: ForgetPlaces.Response) -> None:
        if request.all and (request.ids or request.labels):
            raise AmiError("forget: give `all`, or ids and labels, not both", ForgetPlaces.Response.INVALID_INPUT)
        response.num_forgotten = self._memory.forget(list(request.ids), list(request.labels), request.all)

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
        _STATISTICS.fill(response, counts)
        response.persistent = store.path is not None
        response.warning = str(store.error) if store.error else store.notice


def said_from_message(message: PoseWithCovarianceStamped, frame: str) -> Said:
    """Where the robot is said to be, in `frame`, that of the memory, and how far off [m], [rad] it may be by the
    covariance; TOLD, where that says nothing. Raises AmiError if it is in another frame."""
    found = message.header.frame_id.lstrip("/")
    if found != frame:
        raise AmiError(f"initialpose is in frame '{found}'; say it in '{frame}', as RViz's fixed frame")
    pose = conversions.pose_from_message(message.pose.pose)
    variances = np.asarray(message.pose.covariance, np.float64).reshape(6, 6).diagonal()[[0, 1, 5]]
    if not np.isfinite(variances).all() or not (variances > 0).all():
        return Said(pose, *TOLD)
    three_sigmas = 3.0 * np.sqrt([max(variances[:2]), variances[2]])
    least, most = (0.2, 0.1), (2.0, math.pi)  # [m], [rad] that are looked through, whatever the covariance says
    return Said(pose, *np.clip(three_sigmas, least, most).tolist())


@dataclass(frozen=True)
class MapConfig:
    """How maps are drawn beside the robot's work: a large one takes long."""

    period: float = 3.0  # [s] between the beginnings of two maps, at least
    tick: float = 0.1  # [s] between two slices of drawing one
    slice: float = 0.01  # [s] of such a slice
    places: int = 16  # that are drawn at once


try:
    from map_msgs.msg import OccupancyGridUpdate
except ImportError:  # the ROS wheels do not have it
    OccupancyGridUpdate = None


class MapTopics:
    """Publishes where the robot is, what it has seen and where it must not go, as the tools of others expect it.

    Args:
        node: that they are of.
        part: has the memory, and the lock that whoever asks it holds.
        frame: of the memory.
        keep_out: a map in that frame, of whose occupied cells the robot has to keep out; None: of none.
        config: how maps are drawn.

    Raises:
        AmiError: `keep_out` cannot be read.
    """

    def __init__(
        self, node: AmiNode[Any], part: MemoryPart, frame: str, keep_out: Path | None, config: MapConfig | None = None
    ) -> None:
        self._node, self._memory, self._lock, self._frame = node, part.memory, part.lock, frame
        self._config = config or MapConfig()
        self._pose = node.publisher(PoseWithCovarianceStamped, "pose", RELIABLE)
        self._map = node.publisher(OccupancyGrid, "map", LATCHED)
        self._updates = None if OccupancyGridUpdate is None else node.publisher(OccupancyGridUpdate, "map_updates")
        self._mask = node.publisher(OccupancyGrid, "keep_out_mask", LATCHED)
        self._keep_out = None if keep_out is None else read_map(keep_out.expanduser())
        self._drawn = -1  # revision of the memory
        self._sent: OccupancyMap | None = None
        self._work: Slices[OccupancyMap | None] | None = None  # a map that is being drawn
        self._begun = -math.inf  # [s] steady time, when that was begun
        self._listeners = 0  # to maps
        self._is_heard_anew = False  # by somebody who has not been sent a map since
        self._patched = False  # an update was sent since the last map
        node.every(self._config.tick, self._draw, STEADY)

    def located(self, location: Location, header: Header) -> None:
        """Says where the robot is, once memory knows; `header` is of the memory's frame."""
        if location.localised:
            self._pose.publish(pose_message(location, header))

    def show_keep_out(self) -> None:
        """Says where the robot must not go, if it was told."""
        if self._keep_out is not None:
            header = conversions.header_at(self._node.get_clock().now().to_msg(), self._frame)
            self._mask.publish(grid_message(self._keep_out, header))

    def _draw(self) -> None:
        """Some of a new map, where the old one is out of date and somebody looks.

        What changed is enough where all who have the map hear updates, as RViz does, and nobody is new.
        """
        listeners = self._map.get_subscription_count()
        self._is_heard_anew |= listeners > self._listeners
        self._listeners = listeners
        if self._work is None and not self._begin():
            return
        until = time.perf_counter() + self._config.slice
        while self._work is not None and time.perf_counter() < until:
            try:
                next(self._work)
            except StopIteration as end:
                self._work = None
                if end.value is not None:
                    self._send(end.value)

    def _begin(self) -> bool:
        """Begins a new map, if it is time for one."""
        if not self._listeners or time.monotonic() - self._begun < self._config.period:
            return False
        if self._is_heard_anew and self._patched:
            self._drawn = -1  # the map that the new one was given lacks what changed since
        with self._lock:
            if self._memory.map.revision == self._drawn:
                return False
            self._drawn, ids = self._memory.map.revision, self._memory.map.index.ids.tolist()
        self._begun, self._work = time.monotonic(), drawing(partial(self._seen, ids))
        return True

    def _seen(self, ids: list[int]) -> Iterator[Seen]:
        """What was seen around places, some at a time: whoever holds the lock keeps the robot from finding itself."""
        count = self._config.places
        for first in range(0, len(ids), count):
            with self._lock:
                part = self._memory.submaps(ids[first : first + count])
            yield part

    def _send(self, drawn: OccupancyMap) -> None:
        hears = self._updates is not None and self._updates.get_subscription_count() >= self._listeners
        header = conversions.header_at(self._node.get_clock().now().to_msg(), self._frame)
        changed = changed_cells(self._sent, drawn) if hears and not self._is_heard_anew else None
        if changed is None:
            self._map.publish(grid_message(drawn, header))
            self._patched = self._is_heard_anew = False
        elif changed[2] and self._updates is not None:
            self._updates.publish(update_message(drawn, changed, header))
            self._patched = True
        self._sent = drawn


def changed_cells(before: OccupancyMap | None, drawn: OccupancyMap) -> tuple[int, int, int, int] | None:
    """Column, row, width and height of what is new, 0 where nothing is; None: the maps do not lie on each other."""
    if before is None or before.cells.shape != drawn.cells.shape:
        return None
    if (before.resolution, before.yaw) != (drawn.resolution, drawn.yaw) or (before.origin != drawn.origin).any():
        return None
    rows, columns = np.nonzero(before.cells != drawn.cells)
    if not len(rows):
        return 0, 0, 0, 0
    (left, right), (low, high) = ((int(v.min()), int(v.max()) + 1) for v in (columns, rows))
    return left, low, right - left, high - low


def update_message(drawn: OccupancyMap, changed: tuple[int, int, int, int], header: Header) -> Any:
    """The cells `changed`, see `changed_cells`."""
    x, y, width, height = changed
    cells = np.ascontiguousarray(drawn.cells[y : y + height, x : x + width])
    data = array.array("b", cells.tobytes())
    return OccupancyGridUpdate(header=header, x=x, y=y, width=width, height=height, data=data)


def pose_message(location: Location, header: Header) -> PoseWithCovarianceStamped:
    """A belief, with the variance of a normal distribution that has so much of its mass so near."""
    share = min(max(location.confidence, 0.01), 0.999)
    within = 0.5  # [m], [rad] of the pose: the mass that `Location.confidence` is
    variance = within**2 / (-2.0 * math.log(1.0 - share))
    message = PoseWithCovarianceStamped(header=header)
    message.pose.pose = conversions.pose_to_message(location.pose)
    covariance = np.zeros((6, 6))
    covariance[[0, 1, 5], [0, 1, 5]] = variance
    message.pose.covariance = covariance.ravel()
    return message


def grid_message(drawn: OccupancyMap, header: Header) -> OccupancyGrid:
    """A map; `header` is of the memory's frame."""
    message = OccupancyGrid(header=header)
    message.info.map_load_time = header.stamp
    message.info.resolution = float(drawn.resolution)
    message.info.height, message.info.width = drawn.cells.shape
    message.info.origin = conversions.pose_to_message(np.array([*drawn.origin, drawn.yaw]))
    message.data = array.array("b", drawn.cells.tobytes())
    return message
