"""What is heard of a robot and its stack during a trial: the recording, and figures of rates, latencies and events."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import UInt32

from ami_interfaces.msg import Location, PlannerState, Surprise
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_thumbnail, image_of
from ami_ros.core.robots.derived import recorded_topics
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.robots.sensors import CameraSensor, DepthSensor, LaserSensor, OdometrySensor
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.ros.recorder import Recorder, message_class
from ami_ros.ros.start.domain import domain_in_environment

KINDS = {
    CameraSensor: "sensor_msgs/msg/Image",
    DepthSensor: "sensor_msgs/msg/Image",
    LaserSensor: "sensor_msgs/msg/LaserScan",
    OdometrySensor: "nav_msgs/msg/Odometry",
}
STEP = 0.1  # [m] between two points of a path that are kept
SIDE = 640  # [px], longer side of pictures that are kept


class TrialWatch:
    """Records and watches from `__enter__` to `__exit__`, on a thread of its own.

    Args:
        bag: folder of the recording.
        robot: whose topics are recorded.
        namespace: of them.
        sim_time: stamps are those of /clock.
    """

    def __init__(self, bag: Path, robot: RobotDescription, namespace: str, sim_time: bool) -> None:
        self._lock = threading.Lock()
        self._image: Any = None
        self._location: Location | None = None
        self._contacts, self._told = 0, 0
        self._gate = ""
        self._forget()
        self._context = Context()
        rclpy.init(args=[], context=self._context, domain_id=domain_in_environment(),
                   signal_handler_options=SignalHandlerOptions.NO)  # fmt: skip
        overrides = [Parameter("use_sim_time", value=sim_time)]
        self.node = Node("ami_trial", context=self._context, namespace=namespace, enable_rosout=False,
                         parameter_overrides=overrides)  # fmt: skip
        self._recorder = Recorder(self.node, bag, recorded_topics(robot))
        self._subscribe(robot)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._thread = threading.Thread(target=self._executor.spin, name="trial", daemon=True)
        self._began = self.node.get_clock().now().nanoseconds

    def _subscribe(self, robot: RobotDescription) -> None:
        subscribe = self.node.create_subscription
        for sensor in robot.sensors:
            kind = next((name for of, name in KINDS.items() if isinstance(sensor, of)), "")
            kind = "sensor_msgs/msg/CompressedImage" if sensor.topic.endswith("compressed") else kind
            if kind:
                hear = self._hearing(sensor.topic, isinstance(sensor, CameraSensor))
                subscribe(message_class(kind), sensor.topic, hear, SENSOR)
        subscribe(Location, "location", self._on_location, SENSOR)
        subscribe(PlannerState, "planner/state", self._on_planner, SENSOR)
        subscribe(Surprise, "surprise", self._on_surprise, SENSOR)
        for bumper in ("contacts", "simulator/contacts"):  # of the robot's driver, or of the simulator
            subscribe(UInt32, bumper, self._on_contacts, RELIABLE)
        subscribe(DiagnosticStatus, "safety/status", self._on_gate, LATCHED)

    def _hearing(self, topic: str, is_picture: bool) -> Any:
        def hear(message: Any) -> None:
            now = self.node.get_clock().now().nanoseconds * 1e-9
            stamp = message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec
            with self._lock:
                self._ages[topic].append(now - stamp)
                self._arrivals[topic].append(now)
                if is_picture:
                    self._image = message

        return hear

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._executor.shutdown()  # first: whoever spins must not meet what is destroyed
        self._thread.join(5.0)
        self._recorder.close()
        self.node.destroy_node()
        self._context.try_shutdown()

    def picture(self) -> bytes | None:
        """What the camera saw last, as JPEG; None: nothing, or nothing that can be decoded."""
        with self._lock:
            message = self._image
        try:
            return None if message is None else encode_thumbnail(image_of(message), SIDE)
        except AmiError:
            return None

    def pose(self) -> tuple[float, float, float] | None:
        """Where the robot believes to be in its map [m, m, rad]."""
        with self._lock:
            location = self._location
        if location is None or not location.localised:
            return None
        x, y, yaw = pose_from_message(location.pose)
        return float(x), float(y), float(yaw)

    def figures(self) -> dict[str, Any]:
        """Of what was heard since the last call."""
        with self._lock:
            rates = {name: _rate(times) for name, times in self._arrivals.items()}
            late = {name: round(float(np.percentile(ages, 95)), 4) for name, ages in self._ages.items()}
            usual = {name: round(float(np.median(ages)), 4) for name, ages in self._ages.items()}
            found = {
                "rate_hz": rates, "age_median_s": usual, "age_p95_s": late, "contacts": self._contacts - self._told,
                "surprises": self._surprises, "largest_surprise": self._largest, "gate": dict(self._corrections),
                "recorded_mb": round(self._recorder.megabytes, 1), "path": self._path,
            }  # fmt: skip
            if self._planner:
                rates_of, ages_of = np.array(self._planner).T
                found["planner_rate_median_hz"] = round(float(np.median(rates_of)), 2)
                found["planner_observation_age_p95_s"] = round(float(np.nanpercentile(ages_of, 95)), 4)
            if self._recorder.stopped:
                found["recording"] = self._recorder.stopped
            self._told = self._contacts
            self._forget()
        return found

    def _forget(self) -> None:
        self._ages: dict[str, list[float]] = defaultdict(list)  # [s] of stamps, when they arrived
        self._arrivals: dict[str, list[float]] = defaultdict(list)  # [s]
        self._path: list[list[float]] = []  # x, y [m] in the map
        self._planner: list[tuple[float, float]] = []  # loop rate [Hz] and age of what it planned with [s]
        self._surprises, self._largest = 0, 0.0
        self._corrections: Counter[str] = Counter()  # what the gate said, how often
        self._was_alarmed = False

    def _on_location(self, message: Location) -> None:
        with self._lock:
            self._location = message
            if message.localised:
                x, y, _ = pose_from_message(message.pose)
                if not self._path or np.hypot(x - self._path[-1][0], y - self._path[-1][1]) > STEP:
                    self._path.append([round(float(x), 2), round(float(y), 2)])

    def _on_planner(self, message: PlannerState) -> None:
        if message.state == PlannerState.CONTROLLING:
            with self._lock:
                self._planner.append((message.loop_rate, message.observation_age))

    def _on_surprise(self, message: Surprise) -> None:
        with self._lock:
            self._surprises += message.alarm and not self._was_alarmed
            self._was_alarmed = message.alarm
            if np.isfinite(message.z_score):
                self._largest = max(self._largest, round(float(message.z_score), 2))

    def _on_contacts(self, message: UInt32) -> None:
        with self._lock:
            self._contacts = int(message.data)

    def _on_gate(self, message: DiagnosticStatus) -> None:
        with self._lock:
            if message.message and message.message != self._gate:
                self._corrections[message.message[:120]] += 1
            self._gate = message.message


def _rate(times: list[float]) -> float | None:
    """[Hz]; None of too few."""
    span = times[-1] - times[0] if len(times) > 2 else 0.0
    return round((len(times) - 1) / span, 2) if span > 0 else None
