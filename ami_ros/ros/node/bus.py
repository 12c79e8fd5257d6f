"""ROS as the bus of one part: its ports are topics of the node, its worker a thread, its questions services."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from rclpy.qos import QoSProfile
from rclpy.timer import Timer
from std_msgs.msg import Header

from ami_interfaces.msg import Latent
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.messages.conversions import things_from_message
from ami_ros.ros.messages.memory import keep_away_from_message, known_from_message, location_from_message
from ami_ros.ros.node.health import STEADY, Health
from ami_ros.ros.node.lifecycle import AmiNode, ConfigT
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.runtime.part import Answered, Job, Motion, Part, Port, Quality, Question
from ami_ros.runtime.perception import LatentFrame
from ami_ros.safety.output import SafetyOutput
from ami_ros.world_model.spec import ModelSpec

# What the streams between parts are in ROS: message types, qualities of service, and values from messages.
#
# What depends on a node's own parameters (its camera, the type of commands, the model whose latents it takes) the node
# says itself.

Read = Callable[[Any], Any]  # a message -> its value; None: it says nothing to this part


READS: Mapping[str, Read] = {
    "odom": lambda message: Motion(*conversions.odometry_from_message(message)),
    "scan": range_sensors.scan_from_message,  # in the scanner's own frame
    "battery_state": lambda message: message.percentage,
    "location": location_from_message,
    "moving_things": things_from_message,
    "place_graph": known_from_message,
    "keep_away": keep_away_from_message,
    "attention": lambda message: message.data,
    "safety/status": lambda message: SafetyOutput(0.0, 0.0, message.message),  # what it sends is not in it
}


def latents_of(encoder_id: str, spec: ModelSpec) -> Read:
    """Reads latents of one model, and refuses those of others."""

    def read(message: Latent) -> LatentFrame:
        latent = conversions.latent_from_message(message, encoder_id, length=spec.latent_dim)
        picture = conversions.picture_from_message(message, spec.picture_code)
        return LatentFrame(conversions.stamp_of(message), latent, picture)

    return read


def surprise_of(encoder_id: Callable[[], str]) -> Read:
    """Reads surprise of one model; what another was surprised by says nothing."""
    return lambda message: conversions.reading_from_message(message) if message.encoder_id == encoder_id() else None


def commands_of(width: int) -> Read:
    """Reads commands of so many numbers."""
    return lambda message: conversions.command_from_message(message, width)


T = TypeVar("T")


class Worker(Generic[T]):
    """Runs `task` on the newest item submitted, on a thread of its own.

    A piece of work that has not begun when the next is submitted is dropped. The thread is a daemon, so that a
    model that hangs cannot keep the process alive.

    Args:
        name: of the thread.
        task: the work; everything it raises goes to `on_error`, and the thread goes on.
        on_error: called on the worker thread.
        between: a short piece of other work, done again and again while no item waits, from the first item on; False:
            there is none until after the next item.
    """

    def __init__(
        self,
        name: str,
        task: Callable[[T], None],
        on_error: Callable[[Exception], None],
        between: Callable[[], bool] = lambda: False,
    ) -> None:
        self._task, self._on_error, self._between = task, on_error, between
        self._changed = threading.Condition()
        self._waiting: list[T] = []
        self._busy_since: float | None = None
        self._durations: deque[float] = deque(maxlen=200)  # of the newest items [s]
        self.dropped = 0  # items that newer ones replaced
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: T) -> None:
        """Leaves `item` for the worker, in place of one that waits there."""
        with self._changed:
            self.dropped += len(self._waiting)
            self._waiting = [item]
            self._changed.notify()

    def clear(self) -> None:
        """Takes back an item that waits."""
        with self._changed:
            self._waiting = []

    def busy_for(self) -> float:
        """Steady time [s] that the current item has taken so far; 0 when idle."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def tell(self, health: Health) -> None:
        """Adds to the figures of a node how long it takes, and what it leaves out."""

        def percentile(share: float) -> str:
            took = sorted(self._durations.copy())
            return f"{1e3 * took[min(int(share * len(took)), len(took) - 1)]:.1f}" if took else ""

        health.figure("inference p50 (ms)", lambda: percentile(0.5))
        health.figure("inference p99 (ms)", lambda: percentile(0.99))
        health.figure("dropped", lambda: str(self.dropped))

    def close(self, timeout: float = 1.0) -> bool:
        """Ends the thread; False if its work does not end within `timeout` [s] (it is then left behind)."""
        with self._changed:
            self._closed, self._waiting = True, []
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        more = False  # to do between items
        while True:
            with self._changed:
                self._busy_since = None
                pause = 0.005 if more else None  # [s] in which those get a lock who wait for one that `between` takes
                self._changed.wait_for(lambda: self._waiting or self._closed, pause)
                if self._closed:
                    return
                items, self._waiting = self._waiting, []
                self._busy_since = time.monotonic()
            began = time.monotonic()
            try:
                for item in items:
                    self._task(item)
                    self._durations.append(time.monotonic() - began)
                more = bool(items) or self._between()
            except Exception as error:  # nothing that a model raises may end the worker
                more = False
                if not self._closed:  # after that, its node is gone
                    self._on_error(error)


# What is not here passes within a process only.
TYPES = {
    "image": "sensor_msgs/msg/Image",
    "scan": "sensor_msgs/msg/LaserScan",
    "depth": "sensor_msgs/msg/Image",
    "odom": "nav_msgs/msg/Odometry",
    "battery_state": "sensor_msgs/msg/BatteryState",
    "cmd_vel": "geometry_msgs/msg/TwistStamped",
    "cmd_vel_raw": "geometry_msgs/msg/TwistStamped",
    "latent": "ami_interfaces/msg/Latent",
    "surprise": "ami_interfaces/msg/Surprise",
    "location": "ami_interfaces/msg/Location",
    "place_graph": "ami_interfaces/msg/PlaceGraph",
    "moving_things": "ami_interfaces/msg/MovingThings",
    "keep_away": "ami_interfaces/msg/KeepAway",
    "adaptation": "ami_interfaces/msg/Adaptation",
    "attention": "std_msgs/msg/Bool",
    "initialpose": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "emergency_stop": "std_msgs/msg/Bool",
    "safety/status": "diagnostic_msgs/msg/DiagnosticStatus",
}


QUALITIES: Mapping[Quality, QoSProfile] = {"newest": SENSOR, "every": RELIABLE, "latched": LATCHED}
Send = Callable[[float, Any], None]  # publishes a value of that stamp [s]
Ask = Callable[[Any, Answered], bool]


class RosBus:
    """See `runtime.part.Bus`. Make the part with it, then `join` them; `close` it in the node's cleanup.

    Args:
        node: the part's.
    """

    def __init__(self, node: AmiNode[Any]) -> None:
        self._node = node
        self._sends: Mapping[str, Send] = {}
        self._asks: Mapping[str, Ask] = {}
        self._worker: Worker[Job] | None = None
        self._soon: deque[Callable[[], None]] = deque()
        self._guard = node.create_guard_condition(self._call_soon)
        self._watched: dict[str, list[Send]] = {}
        self._headers: deque[tuple[float, Header]] = deque(maxlen=32)  # until what was made of their message is sent

    def join(
        self,
        part: Part,
        sends: Mapping[str, Send],
        reads: Mapping[str, Read] | None = None,
        asks: Mapping[str, Ask] | None = None,
        without: Collection[str] = (),
        types: Mapping[str, Any] | None = None,
        frames: Mapping[str, str] | None = None,
        headers: Collection[str] = (),
        profiles: Mapping[str, Sequence[QoSProfile]] | None = None,
    ) -> None:
        """Subscribes to what the part takes, and lets it work.

        Args:
            part: that was made with this bus.
            sends: by the names of ports; what is not there nobody gets.
            reads: likewise, where `READS` is not enough.
            asks: carry questions, by their names.
            without: ports that this node needs not hear.
            types: of messages, where they are not those of `TYPES`.
            frames: that the messages of a port should have.
            headers: ports whose headers are kept, for `header`.
            profiles: qualities of service of ports that hear publishers of any of them.
        """
        node, self._sends, self._asks = self._node, sends, asks or {}
        if part.works:
            self._worker = Worker(part.name, self._work, part.failed, part.between)
            self._worker.tell(node.health)
        for port in part.takes:
            if port.name in without:
                continue
            read = (reads or {}).get(port.name) or READS[port.name]
            take = partial(self._take, part.handler(port), read, port.name in headers)
            kind = (types or {}).get(port.name) or conversions.message_class(TYPES[port.name])
            heard = (profiles or {}).get(port.name) or [QUALITIES[port.quality]]
            frame = (frames or {}).get(port.name, "")
            node.subscribe(kind, port.name, take, heard, always=LATCHED in heard, frame=frame)

    def close(self) -> None:
        """Ends the worker."""
        if self._worker is not None:
            self._worker.close()
        self._node.destroy_guard_condition(self._guard)

    def header(self, stamp: float, frame: str | None = None) -> Header:
        """The header of the message of `stamp` [s]: exact, where seconds are rounded; in another `frame` if given."""
        found = next((header for at, header in reversed(self._headers) if at == stamp), None)
        if found is None:
            return conversions.header_at(stamp, frame or "")
        return found if frame is None else Header(stamp=found.stamp, frame_id=frame)

    def watch(self, port: Port, take: Send) -> None:
        """Calls `take(stamp, value)` with what the part gives there, too."""
        self._watched.setdefault(port.name, []).append(take)

    # What a part asks for

    def now(self) -> float:
        return self._node.now()

    def steady(self) -> float:
        return time.monotonic()

    def give(self, port: Port, stamp: float, value: Any) -> None:
        if (send := self._sends.get(port.name)) is not None:
            send(stamp, value)
        for take in self._watched.get(port.name, ()):
            take(stamp, value)

    def work(self, job: Job) -> None:
        assert self._worker is not None, "join it first"
        self._worker.submit(job)

    def forget_work(self) -> None:
        if self._worker is not None:
            self._worker.clear()

    def busy_for(self) -> float:
        return 0.0 if self._worker is None else self._worker.busy_for()

    def soon(self, call: Callable[[], None]) -> None:
        self._soon.append(call)
        self._guard.trigger()

    def every(self, period: float, call: Callable[[], None], steady: bool = False) -> RosTimer:
        return RosTimer(self._node.every(period, call, STEADY if steady else None))

    def ask(self, question: Question, request: Any, answered: Answered) -> bool:
        return self._asks[question.name](request, answered)

    def report(self, kind: str, text: str, severe: bool = False) -> None:
        (self._node.health.error if severe else self._node.health.warn)(kind, text)

    def say(self, text: str) -> None:
        self._node.get_logger().info(text)

    # What happens to it

    def _take(self, handle: Send, read: Read, keep: bool, message: Any) -> None:
        value, header = read(message), getattr(message, "header", None)
        if value is None:
            return
        stamp = self.now() if header is None else conversions.stamp_to_seconds(header.stamp)
        if keep and header is not None:
            self._headers.append((stamp, header))
        handle(stamp, value)

    def _work(self, job: Job) -> None:
        finish = job()
        if finish is not None and self._node.is_active:
            finish()

    def _call_soon(self) -> None:
        while self._soon:
            call = self._soon.popleft()
            if self._node.is_active:
                self._node.survive(getattr(call, "__name__", "call").strip("_"), call)


class PartNode(AmiNode[ConfigT]):
    """A node that is one part on ROS; `configure` makes its `_bus` and its `part`."""

    part: Any
    _bus: RosBus

    def cleanup(self) -> None:
        if hasattr(self, "_bus"):
            self._bus.close()
            del self._bus

    def reconfigure(self, before: ConfigT) -> None:
        self.part.tune(self.config)

    def time_jumped(self) -> None:
        if hasattr(self, "_bus"):
            self.part.restart()


class RosTimer:
    """See `runtime.part.Timer`."""

    def __init__(self, timer: Timer) -> None:
        self.timer = timer

    def reset(self) -> None:
        self.timer.reset()

    def set_period(self, seconds: float) -> None:
        self.timer.timer_period_ns = round(1e9 * seconds)
