"""Messages of memory to its plain values and back, and letters between robots that share theirs."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, PoseStamped
from numpy.typing import NDArray
from rclpy.qos import QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy
from std_msgs.msg import Header

from ami_interfaces.msg import GoalView, KeepAway, NavigationGoal, PlaceGraph, SharedMemory
from ami_interfaces.msg import Location as LocationMessage
from ami_interfaces.msg import Place as PlaceMessage
from ami_interfaces.srv import FindRoute
from ami_ros.core.commands import pack, unpack
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.memory.sharing.letters import Kind, Letter, packed, unpacked
from ami_ros.memory.types import Code, GoalQuery, Location, Place, Places, Route, SearchState
from ami_ros.planning.types import RouteRequest
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.conversions import Record
from ami_ros.runtime.part import Known

_LOCATION = Record(
    Location, LocationMessage, localised="localised", confidence="confidence", entropy="entropy", pose="pose",
    odom_pose="odometry", place_id="place_id",
)  # fmt: skip
_PLACE = Record(
    Place, PlaceMessage, id="id", label="label", created="created", last_seen="last_seen", visit_count="visits",
    note="note", surprise="surprise", keep_away="keep_away",
)  # fmt: skip


def location_to_message(location: Location, header: Header, encoder_id: str) -> LocationMessage:
    """`header`: stamp of the latent, frame of the memory."""
    return _LOCATION.to_message(location, header=header, encoder_id=encoder_id)


def location_from_message(message: LocationMessage) -> Location:
    """Raises AmiError on a pose that is none."""
    return _LOCATION.from_message(message, stamp=conversions.stamp_of(message))


def place_to_message(place: Place, encoder_id: str, frame: str, with_latent: bool) -> PlaceMessage:
    """`frame`: of the memory."""
    header = Header(stamp=conversions.seconds_to_stamp(place.last_seen), frame_id=frame)
    message = _PLACE.to_message(
        place,
        encoder_id=encoder_id,
        pose=PoseStamped(header=header, pose=conversions.pose_to_message(place.pose)),
        similarity=float(place.similarity),
        distance=float(place.distance),
    )
    if with_latent:
        if place.covariance is not None:
            message.covariance = np.asarray(place.covariance, np.float32).ravel()
        if place.commands is not None:
            message.commands = conversions.floats_of(pack(place.commands))
        message.latent = conversions.latent_to_message(place.latent, header, encoder_id)
    if place.thumbnail:
        message.thumbnail = conversions.compressed_message(place.thumbnail, "jpeg")
    return message


def place_from_message(message: PlaceMessage, encoder_id: str) -> Place:
    """A place with its latent."""
    covariance = np.array(message.covariance, np.float32).reshape(3, 3)
    return _PLACE.from_message(
        message,
        pose=conversions.pose_from_message(message.pose.pose),
        latent=conversions.latent_from_message(message.latent, encoder_id, Code.ENCODER_MISMATCH),
        covariance=covariance if covariance.any() else None,
        commands=unpack(message.commands),
    )


def query_to_message(query: GoalQuery, encoder_id: str, frame: str) -> NavigationGoal:
    """`frame`: of the memory."""
    header = Header(frame_id=frame)
    if query.latent is not None:
        latents = [conversions.latent_to_message(v.latent, header, encoder_id, v.picture) for v in query.views]
        others = [GoalView(turn=v.turn, latent=x) for v, x in zip(query.more, latents[1:], strict=True)]
        return NavigationGoal(type=NavigationGoal.TYPE_LATENT, latent=latents[0], views=others)
    if query.pose is not None:
        pose = PoseStamped(header=header, pose=conversions.pose_to_message(query.pose))
        return NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose)
    return NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_id=query.place_id, place_label=query.label)


def query_from_message(
    goal: NavigationGoal, encoder_id: str, latent_dim: int, frame: str, picture_code: int = 0
) -> GoalQuery:
    """Raises AmiError on a goal that memory cannot search; it has latents of `encoder_id` and length `latent_dim`, and
    codes of pictures of length `picture_code`."""
    if goal.type == NavigationGoal.TYPE_LATENT:
        expected = encoder_id, Code.ENCODER_MISMATCH, latent_dim, picture_code
        first, *more = conversions.views_from_message(goal, *expected)
        return GoalQuery(latent=first.latent, picture=first.picture, more=tuple(more))
    if goal.type == NavigationGoal.TYPE_POSE:
        if goal.pose.header.frame_id != frame:
            raise AmiError(f"goal is in frame '{goal.pose.header.frame_id}', memory's is '{frame}'", Code.INVALID_INPUT)
        return GoalQuery(pose=conversions.pose_from_message(goal.pose.pose))
    if goal.type == NavigationGoal.TYPE_PLACE and (goal.place_id or goal.place_label):
        return GoalQuery(place_id=goal.place_id, label=goal.place_label)
    raise AmiError(
        f"memory cannot search a goal of type {goal.type}; give a latent, a place or a pose", Code.INVALID_INPUT
    )


def request_to_message(request: RouteRequest, encoder_id: str, frame: str) -> FindRoute.Request:
    """`encoder_id`: of latents; `frame`: of the memory."""
    query = request.goal
    return FindRoute.Request(
        goal=query_to_message(query, encoder_id, frame),
        hypothesis=request.hypothesis,
        reach=query.search.reach,
        # As many as FindRoute.srv holds, the newest.
        looked_from=[Point(x=x, y=y) for x, y in query.search.looked_from[-1000:].tolist()],
        avoid_edges=[place for edge in request.avoid_edges for place in edge],
    )


def search_from_message(request: FindRoute.Request) -> SearchState:
    """How far a search has come. Raises AmiError on points that lie on no map, or a reach that is no length."""
    points = np.array([(point.x, point.y) for point in request.looked_from]).reshape(-1, 2)
    if not (np.abs(points) < conversions.FARTHEST).all():
        raise AmiError("memory: looked_from must be finite points in metres", Code.INVALID_INPUT)
    if not request.reach >= 0.0:
        raise AmiError("memory: reach must be a length in metres", Code.INVALID_INPUT)
    return SearchState(points, request.reach)


_ROUTE = Record(Route, FindRoute.Response, length="length", goal_pose="goal_pose", goal_confidence="goal_confidence")


def fill_route(response: FindRoute.Response, route: Route, encoder_id: str, frame: str) -> None:
    """Writes `route` into the answer of ~/find_route."""
    response.places = [place_to_message(place, encoder_id, frame, with_latent=True) for place in route.places]
    _ROUTE.fill(response, route)


def route_from_response(response: FindRoute.Response, encoder_id: str) -> Route | AmiError:
    """The route in an answer of ~/find_route, or the error: its own, or that of places of another encoder."""
    if not response.success:
        return AmiError(response.error_msg, response.error_code)
    try:
        places = [place_from_message(place, encoder_id) for place in response.places]
    except AmiError as error:
        return error
    return _ROUTE.from_message(response, places=places)


def edges_from_message(pairs: list[int]) -> list[tuple[int, int]]:
    """Place ids in pairs, as FindRoute has them."""
    if len(pairs) % 2:
        raise AmiError("avoid_edges must hold pairs of place ids", Code.INVALID_INPUT)
    ids = [int(place) for place in pairs]
    most = 2**63 - 1  # SQLite's integers are signed
    if any(place > most for place in ids):
        raise AmiError(f"avoid_edges holds an id that no place can have: more than {most}", Code.INVALID_INPUT)
    return list(zip(ids[::2], ids[1::2], strict=True))


def service_code(response_type: Any, error: AmiError, default: str = "UNKNOWN") -> int:
    """The code of `error` in the numbering of a service: memory's constants have the same names and another base.

    Args:
        response_type: of the service.
        error: as the core or a conversion raised it.
        default: name of the code of an error that has none.
    """
    if error.code in list(Code):
        default = Code(error.code).name
    elif error.code:
        return error.code
    return int(getattr(response_type, default, response_type.UNKNOWN))


def keep_away_to_message(circles: Array, header: Header) -> KeepAway:
    """Circles (n, 3): x, y, radius [m] in the frame of `header`."""
    x, y, radius = (conversions.floats_of(column) for column in np.asarray(circles).reshape(-1, 3).T)
    return KeepAway(header=header, x=x, y=y, radius=radius)


def keep_away_from_message(message: KeepAway) -> Array:
    """Circles (n, 3): x, y, radius [m]. Raises AmiError on numbers that make no sense, or on more circles than a gate
    that has 50 ms has time for."""
    most = 10_000
    if not len(message.x) == len(message.y) == len(message.radius):
        raise AmiError("keep_away has lists of different lengths")
    if len(message.x) > most:
        raise AmiError(f"keep_away has {len(message.x)} circles; at most {most} are usable")
    circles = np.column_stack([message.x, message.y, message.radius]).astype(np.float64)
    if not np.isfinite(circles).all() or (circles[:, 2] < 0.0).any():
        raise AmiError("keep_away has a circle that is not finite")
    return circles


def graph_to_message(places: Places, edges: NDArray[np.void], header: Header, encoder_id: str) -> PlaceGraph:
    """`edges`: of the places, with the fields of `WAYS`; those that were never driven are left out."""
    ways, order = edges[edges["traversals"] > 0], np.argsort(places.ids, kind="stable")
    start, stop = (order[np.searchsorted(places.ids, ways[end], sorter=order)].tolist() for end in ("start", "stop"))
    return PlaceGraph(
        header=header,
        encoder_id=encoder_id,
        ids=array.array("Q", map(int, places.ids)),
        x=conversions.floats_of(places.poses[:, 0]),
        y=conversions.floats_of(places.poses[:, 1]),
        yaw=conversions.floats_of(places.poses[:, 2]),
        way_start=array.array("I", start),
        way_stop=array.array("I", stop),
        way_traversals=array.array("I", ways["traversals"].tolist()),
        way_failures=array.array("I", ways["failures"].tolist()),
        way_duration=conversions.floats_of(ways["duration"]),
    )


def known_from_message(message: PlaceGraph) -> Known:
    """Where all places are, and their ids."""
    poses = np.column_stack([message.x, message.y, message.yaw]).astype(np.float64)
    return Known(poses, np.array(message.ids, np.int64))


TOPIC = "/memory_sharing"  # of letters between robots: the same for all, whatever their namespaces
# One that is away holds nobody up: the oldest letters go.
LETTERS = QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=64, reliability=QoSReliabilityPolicy.RELIABLE)
_LETTER = Record(Letter, SharedMemory, site="site", robot="robot", to="to", stamp="stamp")


def letter_to_message(letter: Letter) -> SharedMemory:
    """As it is published."""
    return _LETTER.to_message(letter, kind=int(letter.kind), content=packed(letter.content))


def letter_from_message(message: SharedMemory) -> Letter:
    """What `letter_to_message` made. Raises AmiError where its content or kind is none."""
    try:
        kind, content = Kind(message.kind), unpacked(bytes(message.content))
    except (AmiError, ValueError) as error:
        raise AmiError(f"robot '{message.robot}': {error}") from error
    return _LETTER.from_message(message, kind=kind, content=content)
