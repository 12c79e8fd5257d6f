"""What the console hears of a stack: the newest message of each topic, taken apart some times a second."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PolygonStamped, PoseStamped, Twist, TwistStamped
from nav_msgs.msg import OccupancyGrid, Odometry, Path
from numpy.typing import NDArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage, Image, LaserScan
from std_msgs.msg import String
from visualization_msgs.msg import Marker, MarkerArray

from ami_interfaces.action import RunMission
from ami_interfaces.msg import Location, MovingThings, PlaceGraph, PlannerState, SharedMemory, Surprise
from ami_ros.behaviour.occupancy import CELL, Grid
from ami_ros.console.kept import shrunk
from ami_ros.console.scene import Mission, Scene, data_url, finite, rounded
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames, mount_of
from ami_ros.core.geometry import Array, compose, inverse, relative
from ami_ros.core.images import Image as Picture
from ami_ros.core.images import encode_jpeg, encode_png, image_of
from ami_ros.core.scan import Scan, scan_points
from ami_ros.memory.sharing.letters import SiteStatus
from ami_ros.memory.types import OWN, key_of
from ami_ros.ros.messages import memory as sharing
from ami_ros.ros.messages.conversions import (
    command_from_message,
    odometry_from_message,
    pose_from_message,
    stamp_to_seconds,
    things_from_message,
)
from ami_ros.ros.messages.memory import location_from_message
from ami_ros.ros.messages.range_sensors import scan_from_message
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.ros.scanner import TF_STATIC, TFMessage
from ami_ros.safety.output import STOPPED


@dataclass(frozen=True)
class ListenerConfig:
    """What is shown of what is heard, and how a map is drawn of what the laser sees."""

    period: float = 0.2  # [s] between two looks at what came
    camera_period: float = 0.4  # [s] between two pictures of the camera
    camera_width: int = 320  # [px]
    beams: int = 240  # of a scan
    zones_period: float = 5.0  # [s] between two looks for outlines that are published
    map_period: float = 2.0  # [s] between two pictures of the map
    turns: float = 0.3  # [rad/s] above which scans are left out: pose and scan are of two moments
    step: float = 0.1  # [m] and [rad] that the robot has moved since the scan before
    leap: float = 0.5  # [m] and [rad] by which odom's frame moves in the map at once, so that the picture moves along


class DrawnMap:
    """Puts the map into a scene: memory's, or else what the laser saw while somebody looked."""

    def __init__(self, scene: Scene, config: ListenerConfig | None = None) -> None:
        self._scene, self._config = scene, config or ListenerConfig()
        self._of_memory = False
        self._grid: Grid | None = None
        self._last: Array | None = None  # where the scan before was drawn in
        self._frame = np.zeros(3)
        self._drawn = 0.0  # steady time [s]

    def of_memory(self, message: OccupancyGrid) -> None:
        """Memory's own map counts from now on."""
        self._of_memory, info = True, message.info
        self._scene.map_frame = message.header.frame_id or "map"
        cells = np.array(message.data, dtype=np.int8).reshape(info.height, info.width)
        self._put(cells, info.resolution, np.array([info.origin.position.x, info.origin.position.y]))

    def of_laser(self, scan: Scan) -> None:
        """What the laser sees now."""
        pose, now = self._scene.pose, time.monotonic()
        turns = self._scene.command[1] if len(self._scene.command) > 1 else 0.0
        if self._of_memory or pose is None or abs(turns) > self._config.turns:
            return
        if self._last is not None and np.abs(relative(self._last, pose)).max() < self._config.step:
            return
        if self._grid is None:
            self._grid, self._frame = Grid(pose), self._scene.odom_in_map
        motion = compose(self._scene.odom_in_map, inverse(self._frame))
        if np.abs(motion).max() > self._config.leap:  # what was drawn stays where it was seen from the robot
            self._grid = moved(self._grid, motion)
        self._frame, self._last = self._scene.odom_in_map, pose
        self._grid.add(pose, scan)
        grid, known = self._grid, np.argwhere(np.abs(self._grid.odds[::4, ::4]) > 0) * 4
        if now - self._drawn <= self._config.map_period or not len(known):
            return
        self._drawn = now  # the part of it that is known, as a map of memory's would be
        low, high = np.maximum(known.min(axis=0) - 8, 0), known.max(axis=0) + 12
        odds = grid.odds[low[0] : high[0], low[1] : high[1]].T
        cells = np.where(odds == 0, -1, np.clip(50 + 120 * odds, 0, 100)).astype(np.int8)
        self._put(cells, CELL, grid.points(low[None])[0] - CELL / 2)

    def _put(self, cells: NDArray[np.int8], resolution: float, origin: Array) -> None:
        """Cells (h, w): per cent that something stands there, -1: not known; the first row has the least y."""
        self._scene.explored = float(((cells >= 0) & (cells < 50)).sum()) * resolution**2
        # Grey says how likely something stands there; the page colours it. Alpha 0: unknown.
        grey = np.where(cells < 0, 0, 255 - 2 * np.clip(cells, 0, 100).astype(np.int16)).astype(np.uint8)[::-1]
        alpha = np.where(cells < 0, 0, 255).astype(np.uint8)[::-1]
        encoded = cv2.imencode(".png", np.dstack([grey, grey, grey, alpha]))[1].tobytes()
        document = {
            "src": data_url(encoded), "origin": rounded(origin), "resolution": float(resolution),
            "size": [cells.shape[1], cells.shape[0]],
        }  # fmt: skip
        self._scene.documents.put("map", document)


def moved(grid: Grid, motion: Array) -> Grid:
    """A grid with all that is in it moved by a pose (3,) of its old frame in the new one."""
    c, s, half, middle = np.cos(motion[2]), np.sin(motion[2]), 0.5 - grid.zero, grid.middle
    back = np.array([[c, s], [-s, c]])  # from the new frame to the old one
    shift = (back @ (middle - motion[:2]) - middle) / CELL + back @ half - half
    # OpenCV has the second index of an array first.
    columns = np.array([[back[1, 1], back[1, 0], shift[1]], [back[0, 1], back[0, 0], shift[0]]])
    found, size = Grid(middle), grid.odds.shape[::-1]
    found.odds = cv2.warpAffine(grid.odds, columns, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    found.zero = grid.zero
    return found


STATES = {
    getattr(PlannerState, name): name.lower()
    for name in ("IDLE", "PLANNING", "CONTROLLING", "RECOVERING", "STOPPING", "FAULT")
}
PHASES = {getattr(RunMission.Feedback, name): name.lower() for name in ("CHOOSING", "DRIVING", "WAITING", "RETURNING")}


@dataclass(frozen=True)
class Heard:
    """A topic that the console listens to."""

    kind: Any  # message type
    qos: QoSProfile
    take: Callable[[Any], object]


class Listener:
    """Fills a scene. All is called on the executor's thread, but for the constructor.

    Nothing is subscribed to while nobody looks, and of a topic of 50 Hz most messages are never taken apart: that is
    what keeps the console cheap. The same handlers take what a bag has.

    Args:
        node: to listen with; None: only `hear` is called.
        scene: gets what was heard.
    """

    def __init__(self, node: Node | None, scene: Scene) -> None:
        self._node: Any = node
        self._scene, self.config = scene, ListenerConfig()
        self._newest: dict[str, bytes] = {}
        self._subscriptions: list[Any] = []
        self._zones: dict[str, Any] = {}
        self._timer: Any = None
        self._due: dict[str, float] = {}
        self._looked = -math.inf
        self._frames, self._base = StaticFrames(), "base_link"
        self._map = DrawnMap(scene, self.config)
        self._site_status = SiteStatus()
        self._places: dict[str, Any] | None = None
        self._view: Any = None  # picture of the camera
        self.ticked: list[Callable[[], None]] = []  # called after each look
        self.topics = self._heard(scene)

    def _heard(self, scene: Scene) -> dict[str, Heard]:
        """What each topic tells of the scene."""
        put = scene.documents.put

        def know(**values: Any) -> None:
            for name, value in values.items():
                setattr(scene, name, value)

        topics = {
            "odom": Heard(Odometry, SENSOR, lambda m: scene.moved(odometry_from_message(m)[0])),
            "location": Heard(Location, RELIABLE, self._location),
            "scan": Heard(LaserScan, SENSOR, self._scan),
            "cmd_vel": Heard(TwistStamped, RELIABLE, lambda m: know(command=command_from_message(m))),
            "planner/state": Heard(PlannerState, RELIABLE, self._state),
            "planner/decision": Heard(String, LATCHED, lambda m: know(decision=m.data)),
            "mission/decision": Heard(String, LATCHED, lambda m: know(mission_words=m.data)),
            "run_mission/_action/feedback": Heard(RunMission.Impl.FeedbackMessage, RELIABLE, self._mission),
            "safety/status": Heard(DiagnosticStatus, LATCHED, self._gate),
            "supervisor/state": Heard(
                DiagnosticStatus, RELIABLE,
                lambda m: know(stack=m.message, stack_well=m.level == DiagnosticStatus.OK),
            ),
            "surprise": Heard(
                Surprise, RELIABLE,
                lambda m: know(surprise=finite(m.z_score), surprise_threshold=finite(m.threshold), alarm=m.alarm),
            ),
            "plan": Heard(
                Path, RELIABLE,
                lambda m: know(plan=points_of(p.pose.position for p in m.poses), plan_at=time.monotonic()),
            ),
            "imagined": Heard(MarkerArray, RELIABLE, self._imagined),
            "goal": Heard(PoseStamped, LATCHED, lambda m: know(goal=pose_from_message(m.pose))),
            "goal_picture/compressed": Heard(
                CompressedImage, LATCHED,
                lambda m: put("goal_picture", {"src": data_url(encode_png(self._small(image_of(m))))}),
            ),
            "moving_things": Heard(MovingThings, RELIABLE, self._people),
            "place_graph": Heard(PlaceGraph, LATCHED, self._graph),
            "places": Heard(MarkerArray, LATCHED, self._labels),
            "map": Heard(OccupancyGrid, LATCHED, self._map.of_memory),
            "footprint": Heard(PolygonStamped, RELIABLE, partial(self._outline, "")),
            "image": Heard(Image, SENSOR, self._image),
            sharing.TOPIC: Heard(SharedMemory, sharing.LETTERS, self._site),
        }  # fmt: skip
        if TFMessage is not None:
            topics["/tf_static"] = Heard(TFMessage, TF_STATIC, self._transforms)
        return topics

    def attend(self, count: int) -> None:
        """So many look: none, and nothing is heard."""
        if count and self._timer is None:
            types = dict(self._node.get_topic_names_and_types())
            for name, heard in self.topics.items():
                published = types.get(self._node.resolve_topic_name(name), [])
                kind = heard.kind  # others may have another type for a topic that may be one of two
                for other, path in ((CompressedImage, "sensor_msgs"), (Twist, "geometry_msgs")):
                    if name in ("image", "cmd_vel") and f"{path}/msg/{other.__name__}" in published:
                        kind = other
                self.topics[name] = Heard(kind, heard.qos, heard.take)
                self._subscriptions.append(self._subscribe(name, kind, heard.qos))
            self._timer = self._node.create_timer(self.config.period, self.look, clock=STEADY)
        elif not count and self._timer is not None:
            self._node.destroy_timer(self._timer)
            for subscription in (*self._subscriptions, *self._zones.values()):
                self._node.destroy_subscription(subscription)
            self._timer, self._subscriptions = None, []
            self._zones.clear()
            self._newest.clear()

    def hear(self, name: str, serialised: bytes) -> None:
        """A message of a topic, as it is on the wire; the newest counts, or where many publish each one."""
        if name in ("/tf_static", sharing.TOPIC):
            self.topics[name].take(deserialize_message(serialised, self.topics[name].kind))
        else:
            self._newest[name] = serialised

    def look(self) -> None:
        """Takes apart what came since the last time; pictures of the camera less often."""
        now = time.monotonic()
        for name in [name for name in self._newest if now >= self._due.get(name, 0.0)]:
            serialised = self._newest.pop(name)
            self._due[name] = now + (self.config.camera_period if name == "image" else 0.0)
            heard = self.topics.get(name) or Heard(PolygonStamped, RELIABLE, partial(self._outline, name))
            try:
                heard.take(deserialize_message(serialised, heard.kind))
            except (AmiError, RuntimeError):
                pass  # no message of that type; the node that it is meant for says so
        if self._subscriptions and now - self._looked > self.config.zones_period:
            self._looked = now
            self._look_for_zones()
        for call in self.ticked:
            call()

    def _subscribe(self, name: str, kind: Any, qos: QoSProfile) -> Any:
        return self._node.create_subscription(kind, name, partial(self.hear, name), qos, raw=True)

    def _look_for_zones(self) -> None:
        """Outlines that the gate publishes beside the footprint."""
        known = {self._node.resolve_topic_name("footprint")}
        space = self._node.get_namespace().rstrip("/") + "/"
        for topic, types in self._node.get_topic_names_and_types():
            if types == ["geometry_msgs/msg/PolygonStamped"] and topic not in known and topic.startswith(space):
                name = topic.removeprefix(space)
                if name not in self._zones:
                    self._zones[name] = self._subscribe(name, PolygonStamped, RELIABLE)

    def _location(self, message: Location) -> None:
        belief = location_from_message(message)
        self._scene.map_frame = message.header.frame_id or "map"
        self._scene.located(belief.pose, belief.odometry, belief.localised, belief.confidence)

    def _scan(self, message: LaserScan) -> None:
        scan = scan_from_message(message)
        frame = message.header.frame_id
        pose = self._frames.pose_of(frame, self._base) if frame != self._base else None
        if pose is not None:
            scan = mount_of(pose, frame).in_base(scan)
        self._map.of_laser(scan)
        points = scan_points(scan, float(message.range_max))
        self._scene.scan = points[:: max(1, math.ceil(len(points) / self.config.beams))]

    def _state(self, message: PlannerState) -> None:
        scene = self._scene
        scene.planner_state = STATES.get(message.state, str(message.state))
        scene.planner_words = message.error_msg if message.state == PlannerState.FAULT else ""
        scene.rate, scene.age, scene.energy = map(finite, (message.loop_rate, message.observation_age, message.energy))
        scene.heard = time.monotonic()
        if message.state == PlannerState.IDLE:
            scene.goal = None
            if (scene.documents.get("goal_picture") or {}).get("src"):  # of a goal that is over
                scene.documents.put("goal_picture", {"src": ""})

    def _mission(self, message: Any) -> None:
        said, before = message.feedback, self._scene.mission
        elapsed = stamp_to_seconds(said.elapsed)
        allowance = before.allowance if elapsed >= before.elapsed else 0.0
        phase = PHASES.get(said.phase, "")
        self._scene.mission = Mission(phase, said.index, said.remaining, elapsed, allowance, time.monotonic())

    def _gate(self, message: DiagnosticStatus) -> None:
        values, scene = {value.key: value.value for value in message.values}, self._scene
        scene.gate_words, scene.gate_level = message.message, int.from_bytes(message.level, "little")
        scene.gate_guarantee, scene.gate_zone = values.get("guarantee", ""), values.get("polygon_name", "")
        scene.stopped = message.message == STOPPED

    def _imagined(self, message: MarkerArray) -> None:
        for marker in message.markers:
            if marker.ns == "others":
                self._scene.others = points_of(marker.points).reshape(-1, 4)

    def _transforms(self, message: Any) -> None:
        for transform in message.transforms:
            self._frames.put_message(transform)

    def _people(self, message: MovingThings) -> None:
        things = things_from_message(message).things
        self._scene.people = [
            [*thing.position.tolist(), *thing.velocity.tolist(), thing.radius, int(thing.kind)] for thing in things
        ]
        self._scene.people_at = time.monotonic()

    def _graph(self, message: PlaceGraph) -> None:
        rows = zip(message.ids, message.x, message.y, message.yaw, strict=True)
        places = [[int(number), *rounded([x, y, yaw])] for number, x, y, yaw in rows]
        ways = zip(message.way_start, message.way_stop, message.way_failures, message.way_traversals, strict=True)
        known: dict[tuple[int, int], tuple[int, int]] = {}  # blocked, how often driven, either way
        for a, b, failures, driven in ways:
            blocked, before = known.get(key := (int(min(a, b)), int(max(a, b))), (0, 0))
            known[key] = max(blocked, int(failures > 0)), before + int(driven)
        self._places = {"places": places, "ways": [[*ends, *said] for ends, said in known.items()]}
        self._put_places()

    def _labels(self, message: MarkerArray) -> None:
        labels = {m.id: m.text for m in message.markers if m.type == Marker.TEXT_VIEW_FACING and m.ns == "labels"}
        if labels != self._scene.labels:
            self._scene.labels = labels
            self._put_places()

    def _site(self, message: SharedMemory) -> None:
        """Another robot says what it knows; rows that go to all on the same topic are not unpacked."""
        if message.kind != SharedMemory.STATE:
            return
        with suppress(AmiError):  # the robots tell of those that make no sense
            self._site_status.take(sharing.letter_from_message(message), time.time())
        known = np.array([number for number, *_ in (self._places or {"places": []})["places"]], np.int64)
        robots = [
            {**row, "here": int((known // OWN == key_of(row["name"])).sum())} for row in self._site_status.table()
        ]
        self._scene.documents.put("site", {"robots": robots})

    def _put_places(self) -> None:
        if self._places is not None:
            labels = {str(key): name for key, name in self._scene.labels.items()}
            self._scene.documents.put("places", {**self._places, "labels": labels})

    def _outline(self, name: str, message: PolygonStamped) -> None:
        self._base = message.header.frame_id or self._base
        self._scene.outlines[name] = [rounded([p.x, p.y]) for p in message.polygon.points]

    def _image(self, message: Image | CompressedImage) -> None:
        picture = image_of(message)
        self._scene.documents.put("camera", {"src": data_url(encode_jpeg(self._small(picture)))})
        self._view = picture

    def _small(self, picture: Picture) -> Picture:
        return shrunk(picture, self.config.camera_width)

    @property
    def view(self) -> bytes:
        """What the camera sees (PNG). Raises AmiError: nothing was seen."""
        if self._view is None:
            raise AmiError("no picture of the camera came yet")
        return encode_png(self._view)


def points_of(points: Iterable[Any]) -> Array:
    """(n, 2) of points of messages."""
    return np.array([(point.x, point.y) for point in points], np.float64).reshape(-1, 2)
