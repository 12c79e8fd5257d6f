"""What a running system says: listened to for a while, or recorded into a bag as it is on the wire."""

from __future__ import annotations

import math
import re
import shutil
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from nav_msgs.msg import Odometry
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from rclpy.subscription import Subscription

from ami_interfaces.msg import Location, SharedMemory
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, inverse
from ami_ros.core.robots.observation import HEARD, TRANSFORMS, Observation, Topic
from ami_ros.memory.sharing.letters import SiteStatus
from ami_ros.memory.types import map_to_odom
from ami_ros.ros.messages.conversions import message_class, pose_from_message, stamp_of
from ami_ros.ros.messages.memory import LETTERS, TOPIC, letter_from_message, location_from_message
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.qos import SENSOR, TF_STATIC, matching_qos
from ami_ros.world_model.learning.bag_writer import BagWriter, message_types


def listen(
    node: Node, seconds: float, tick: Callable[[float], None] = lambda _: None, look: float = 0.5
) -> Observation:
    """What is heard in `seconds` of steady time; sensors of all kinds that `HEARD` names are listened to.

    Ages are judged on the clock of the system, or where somebody publishes /clock on that.

    Args:
        node: to listen with; nobody else may spin it.
        seconds: see above.
        tick: called now and then with the share of the time that is over.
        look: [s] between two looks for topics that are new.
    """
    seen, heard, looked = Observation(), dict[str, Any](), -math.inf

    def turn(passed: float) -> None:
        nonlocal looked
        if passed - looked > look or passed >= seconds:
            looked = passed
            _look(node, seen, heard)
        tick(min(1.0, passed / seconds))

    _spin(node, seconds, turn)
    return seen


def listen_to_site(node: Node, seconds: float) -> SiteStatus:
    """What robots that share their memories say of themselves in `seconds` of steady time.

    Args:
        node: to listen with; nobody else may spin it.
        seconds: see above.
    """
    status = SiteStatus()

    def take(message: SharedMemory) -> None:
        with suppress(AmiError):  # the robots tell of those that make no sense
            status.take(letter_from_message(message), time.time())

    node.create_subscription(SharedMemory, TOPIC, take, LETTERS)
    _spin(node, seconds, lambda passed: None)
    return status


def _spin(node: Node, seconds: float, turn: Callable[[float], None]) -> None:
    """For `seconds` of steady time; `turn` is called with how many of them have passed."""
    executor, began = SingleThreadedExecutor(context=node.context), time.monotonic()
    executor.add_node(node)
    try:
        while (passed := time.monotonic() - began) < seconds:
            turn(passed)
            executor.spin_once(timeout_sec=0.1)
        turn(passed)
    finally:
        executor.shutdown()


def _look(node: Node, seen: Observation, heard: dict[str, Any]) -> None:
    """Notes who publishes and listens, and subscribes to what is new."""

    def names_of(endpoints: Any) -> tuple[str, ...]:
        others = (end for end in endpoints if end.node_name != node.get_name())
        return tuple(sorted({f"{end.node_namespace.rstrip('/')}/{end.node_name}" for end in others}))

    def take(topic: Topic, message: Any) -> None:
        topic.take(message, node.get_clock().now().nanoseconds * 1e-9)

    for name, types in node.get_topic_names_and_types():
        topic = seen.topics.setdefault(name, Topic(types[0]))
        topic.publishers = names_of(node.get_publishers_info_by_topic(name))
        topic.subscribers = names_of(node.get_subscriptions_info_by_topic(name))
        if name == "/clock" and topic.publishers and not seen.simulated_time:
            seen.simulated_time = True
            node.set_parameters([Parameter("use_sim_time", value=True)])
        static = topic.type == TRANSFORMS
        if name in heard or topic.type not in HEARD or (static and not name.endswith("tf_static")):
            continue
        with suppress(AmiError):  # a type that is not installed here
            handle = seen.take_transforms if static else partial(take, topic)
            kind, qos = message_class(topic.type), TF_STATIC if static else SENSOR
            heard[name] = node.create_subscription(kind, name, handle, qos)


# Where odom and base_link are, by the topics that say so: not everybody who runs ami_ros has the messages of /tf.

Tell = Callable[[float, str, str, Array], None]  # stamp [s], parent frame, child frame, pose (3,) of the child in it


class Frames:
    """Tells of each change.

    Args:
        node: makes the subscriptions; it must be spun.
        names: of map, odom and base.
        tell: is called by the node.
    """

    def __init__(self, node: Node, names: tuple[str, str, str], tell: Tell) -> None:
        self._node, self._names, self._tell = node, names, tell
        self._heard = [
            node.create_subscription(Odometry, "odom", self._odometry, SENSOR),
            node.create_subscription(Location, "location", self._location, SENSOR),
        ]

    def close(self) -> None:
        """Hears no more."""
        for subscription in self._heard:
            self._node.destroy_subscription(subscription)

    def _odometry(self, message: Odometry) -> None:
        self._say(message, 1, lambda: pose_from_message(message.pose.pose))

    def _location(self, message: Location) -> None:
        if message.localised:
            self._say(message, 0, lambda: inverse(map_to_odom(location_from_message(message))))

    def _say(self, message: Odometry | Location, parent: int, pose: Callable[[], Array]) -> None:
        try:
            self._tell(stamp_of(message), self._names[parent], self._names[parent + 1], pose())
        except AmiError as error:
            self._node.get_logger().warning(f"a pose cannot be shown: {error}", throttle_duration_sec=5.0)


# Records topics of a running system into a bag, as they are on the wire.


def message_definitions(type_name: str) -> dict[str, str]:
    """Texts by type name: of `type_name` ("package/msg/Name") and of all that it is made of, ROS 2's own left out.

    Raises:
        AmiError: the package is not installed, or without its .msg files.
    """
    known, found = message_types().fielddefs, dict[str, str]()
    field = re.compile(r"^(?:(?P<package>\w+)/(?:msg/)?)?(?P<name>[A-Z]\w*)(?:\[.*?\])?\s+\w+", re.MULTILINE)
    waiting = [type_name]
    while waiting:
        name = waiting.pop()
        if name in known or name in found:
            continue
        package, _, kind = name.split("/")
        try:
            found[name] = Path(get_package_share_directory(package), "msg", f"{kind}.msg").read_text("utf-8")
        except (PackageNotFoundError, OSError):
            raise AmiError(f"no definition of {name}: install {package}, or leave its topic out") from None
        for part in field.finditer(found[name]):
            waiting.append(f"{part['package'] or package}/msg/{part['name']}")
    return found


@dataclass(frozen=True)
class RecorderLimits:
    """When a recording ends by itself."""

    max_megabytes: float = float("inf")  # of messages, before compression
    max_duration: float = float("inf")  # since the first message [s]
    min_free_megabytes: float = 500.0  # left on the disk
    poll_period: float = 0.5  # [s] between two looks for topics, and at the limits
    flush_period: float = 5.0  # [s]; a killed recorder loses at most this much


class Bag(Protocol):
    """What takes messages; see `BagWriter`."""

    path: Path
    counts: dict[str, int]
    size: int

    def define(self, definitions: Mapping[str, str]) -> None: ...
    def latch(self, topic: str) -> None: ...
    def raw(self, topic: str, type_name: str, time: float, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def close(self) -> None: ...


class Recorder:
    """Records from its construction to `close`. `node` must be spun; topics that appear later are recorded then.

    Args:
        node: makes the subscriptions; relative names are those of its namespace.
        path: folder of the bag to make.
        topics: names, such as `ami_ros.core.robots.derived.recorded_topics`; of "a|b" the first that somebody
            publishes.
        limits: see there.
        bag: takes the messages; None: a new one at `path`.

    Attributes:
        stopped: why it ended by itself, empty while it records.

    Raises:
        AmiError: the bag cannot be made.
    """

    def __init__(
        self,
        node: Node,
        path: Path,
        topics: Sequence[str],
        limits: RecorderLimits | None = None,
        bag: Bag | None = None,
    ) -> None:
        self.stopped = ""
        self._node, self._limits = node, limits or RecorderLimits()
        self._wanted = [[node.resolve_topic_name(name) for name in entry.split("|")] for entry in topics]
        self._subscriptions: dict[str, tuple[Subscription, QoSProfile]] = {}
        self._unrecordable: set[str] = set()
        self._lock = threading.Lock()  # of the bag: callbacks and `close` may be on different threads
        self._begun = self._flushed = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._bag: Bag = BagWriter(path) if bag is None else bag
        self._timer = node.create_timer(self._limits.poll_period, self._poll, clock=STEADY)
        self._poll()

    @property
    def counts(self) -> dict[str, int]:
        """Messages by topic."""
        return dict(self._bag.counts)

    @property
    def megabytes(self) -> float:
        """Recorded so far, before compression."""
        return self._bag.size / 1e6

    @property
    def duration(self) -> float:
        """Since the first message [s]."""
        return time.monotonic() - self._begun if self._bag.size else 0.0

    @property
    def missing(self) -> list[str]:
        """Topics that nobody publishes so far."""
        return ["|".join(names) for names in self._wanted if not any(name in self._subscriptions for name in names)]

    def close(self) -> None:
        """Ends the recording; the bag is complete then. Does nothing the second time."""
        with self._lock:
            if self._timer is None:
                return
            timer, self._timer = self._timer, None
            self._node.destroy_timer(timer)
            for subscription, _ in self._subscriptions.values():
                self._node.destroy_subscription(subscription)
            self._bag.close()

    def _poll(self) -> None:
        """Looks for topics, follows changes of their publishers, and ends the recording at a limit."""
        if self.stopped or self._timer is None:
            return
        types = {name: kinds[0] for name, kinds in self._node.get_topic_names_and_types()}
        for names in self._wanted:
            published = (n for n in names if n in types and self._node.get_publishers_info_by_topic(n))
            name = next((n for n in names if n in self._subscriptions), None) or next(published, None)
            if name is not None and name not in self._unrecordable:
                self._subscribe(name, types.get(name))
        with self._lock:
            self._guard()

    def _subscribe(self, topic: str, type_name: str | None) -> None:
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers or type_name is None:
            return  # gone for now
        qos = matching_qos([info.qos_profile for info in publishers])
        if topic in self._subscriptions:
            subscription, current = self._subscriptions[topic]
            if (qos.reliability, qos.durability) == (current.reliability, current.durability):
                return
            self._node.destroy_subscription(subscription)
        try:
            with self._lock:
                self._bag.define(message_definitions(type_name))
                if qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL:
                    self._bag.latch(topic)
            kind = message_class(type_name)
        except AmiError as error:
            self._unrecordable.add(topic)
            self._node.get_logger().warning(f"{topic} is not recorded: {error}")
            return
        subscription = self._node.create_subscription(
            kind, topic, lambda data: self._write(topic, type_name, data), qos, raw=True
        )
        self._subscriptions[topic] = (subscription, qos)

    def _write(self, topic: str, type_name: str, data: bytes) -> None:
        with self._lock:
            if self._timer is None or self.stopped:
                return
            if not self._bag.size:
                self._begun = time.monotonic()
            try:
                self._bag.raw(topic, type_name, self._node.get_clock().now().nanoseconds * 1e-9, data)
            except AmiError as error:
                self.stopped = f"{error}; what was recorded before is kept"

    def _guard(self) -> None:
        limits, now = self._limits, time.monotonic()
        if self._timer is None or self.stopped:
            return
        free = shutil.disk_usage(self._bag.path).free / 1e6
        if free < limits.min_free_megabytes:
            self.stopped = f"only {free:.0f} MB are free on the disk of {self._bag.path}: make room and record again"
        elif self.megabytes >= limits.max_megabytes:
            self.stopped = f"the maximum size of {limits.max_megabytes:g} MB is reached"
        elif self.duration >= limits.max_duration:
            self.stopped = f"the maximum duration of {limits.max_duration:g} s is reached"
        elif now - self._flushed > limits.flush_period:
            self._flushed = now
            try:
                self._bag.flush()
            except AmiError as error:
                self.stopped = f"{error}; what was recorded before is kept"
