"""What `ami trial` does: a stack on a leash, a recording and a watch beside it, and an operator at the keyboard."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
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
from ami_ros.bench.field_trial import (
    Ended,
    FieldTrial,
    Operator,
    TrialConfig,
    TrialState,
    config_of,
    read_state,
    summary,
    write_report,
)
from ami_ros.cli.options import TrialOptions
from ami_ros.cli.progress import Telling
from ami_ros.core.config import dump_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.images import encode_thumbnail, image_of
from ami_ros.core.processes import end_command, start_command
from ami_ros.core.robots.checkup import examine
from ami_ros.core.robots.derived import recorded_topics
from ami_ros.core.robots.description import RobotDescription, load_robot, robot_values
from ami_ros.core.robots.sensors import CameraSensor, DepthSensor, LaserSensor, OdometrySensor
from ami_ros.ros.goals.robot_client import End, Outcome, RobotClient
from ami_ros.ros.messages.conversions import pose_from_message, stamp_to_seconds
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.ros.recorder import Recorder, listen, message_class
from ami_ros.ros.start.domain import domain_in_environment


def run_trial(settings: TrialOptions) -> int:
    """Leads through the trial, and writes the report whatever happens; see `ami trial`.

    Raises:
        AmiError: no robot is named, the folder cannot be used, or the stack does not come up.
    """
    folder = settings.out.expanduser().resolve()
    state = read_state(folder) if folder.exists() else None
    config = config_of({name: getattr(settings, name) for name in ("goals", "minutes", "leash", "speed", "timeout")})
    if state is None:
        if not settings.robot:
            raise AmiError("trial: name the robot with --robot (./ami doctor --write writes its file)")
        load_robot(settings.robot)  # what is wrong with it shows now
        folder.mkdir(parents=True, exist_ok=True)
        leash = {} if settings.attach else {"leash_m": config.leash, "speed_mps": config.speed}
        state = TrialState(settings.robot, {**asdict(config), **leash, "attached": settings.attach})
    else:
        config = config_of({key: state.settings[key] for key in asdict(config) if key in state.settings})
    robot = LiveRobot(folder, state, config, settings)
    operator = Operator(_typed, _say)
    trial = FieldTrial(folder, state, robot, operator, config)
    try:
        complete = trial.run()
    except KeyboardInterrupt:
        _say("\nstopped; the same command goes on here")
        complete = False
    finally:
        robot.close()
        trial.save()
        page = write_report(folder, state)
    _say(f"{', '.join(f'{key} {value}' for key, value in summary(state).items() if value is not None)}")
    _say(f"the report is {page}; to have it looked at, send the whole folder {folder}")
    return 0 if complete else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _typed() -> str:
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def write_leash(folder: Path, reach: float) -> Path:
    """A map in which the robot must not leave a circle of `reach` [m] around where its memory began."""
    cell, half = 0.05, reach + 1.0  # [m]; a ring of one metre keeps the robot in
    side = 2 * round(half / cell)
    axis = (np.arange(side) + 0.5) * cell - half
    outside = np.hypot(*np.meshgrid(axis, axis)) > reach
    (folder / "leash.pgm").write_bytes(
        b"P5 %d %d 255\n" % (side, side) + np.where(outside, 0, 254).astype("u1").tobytes()
    )
    head = {"image": "leash.pgm", "resolution": cell, "origin": [-half, -half, 0.0], "occupied_thresh": 0.65,
            "free_thresh": 0.25}  # fmt: skip
    file = folder / "leash.yaml"
    file.write_text(dump_yaml(head), "utf-8")
    return file


def write_slow_robot(folder: Path, name: str, speed: float) -> Path:
    """The robot's description with no limit and no plan faster than `speed` [m/s]."""
    values = robot_values(name)
    for part in ("limits", "planned"):
        limits = values.get(part, {})
        slower = {key: min(float(limits[key]), speed) for key in ("linear", "backward", "lateral") if key in limits}
        values[part] = limits | slower
    file = folder / "robot.yaml"
    file.write_text(dump_yaml(values), "utf-8")
    load_robot(file)
    return file


class LiveRobot:
    """The robot in this ROS domain, and the stack that the trial starts on it.

    Args:
        folder: of the trial.
        state: of it; takes the names of bags.
    """

    def __init__(self, folder: Path, state: TrialState, config: TrialConfig, settings: TrialOptions) -> None:
        self.folder, self.state, self.config, self.settings = folder, state, config, settings
        self.described: RobotDescription = load_robot(state.robot)
        self._kept = ExitStack()
        self._client: RobotClient | None = None
        self._watch: TrialWatch | None = None

    def close(self) -> None:
        """The robot stands, the recording is complete, and the stack is gone."""
        self._kept.close()

    def doctor(self) -> list[dict[str, str]]:
        with RobotClient(self.settings.namespace, domain_in_environment()) as client:
            seen = listen(client.node, 6.0, lambda share: None)
        return [asdict(finding) for finding in examine(self.described, seen, self.settings.namespace)]

    def begin(self) -> None:
        number = self.state.sittings
        if not self.settings.attach:
            self._start_stack(self.folder / f"stack_{number}.log")
        bag = f"bag_{number}"
        self._watch = self._kept.enter_context(
            TrialWatch(self.folder / bag, self.described, self.settings.namespace, self.settings.sim_time)
        )
        self.state.bags.append(bag)
        self._client = self._kept.enter_context(RobotClient(self.settings.namespace, domain_in_environment()))
        began = time.monotonic()
        while not self._is_heard() and time.monotonic() - began < 30.0:
            time.sleep(0.1)
        if not self._is_heard():
            _say("no picture came so far, or it does not know where it is; ./ami doctor says what is missing")

    def _is_heard(self) -> bool:
        """Whether a spot can be marked: the camera sees, if there is one, and memory knows where the robot is."""
        return (self.described.camera is None or self.picture() is not None) and self.pose() is not None

    def picture(self) -> bytes | None:
        return self._watch.picture() if self._watch else None

    def pose(self) -> tuple[float, float, float] | None:
        return self._watch.pose() if self._watch else None

    def figures(self) -> dict[str, Any]:
        return self._watch.figures() if self._watch else {}

    def explore(self, seconds: float) -> Ended:
        assert self._client is not None
        return _ended(self._client.explore(seconds, Telling().tell))

    def go(self, goal: str, timeout: float) -> Ended:
        assert self._client is not None
        return _ended(self._client.go(goal, timeout, Telling().tell))

    def _start_stack(self, log: Path) -> None:
        settings = self.settings
        robot = write_slow_robot(self.folder, self.state.robot, self.config.speed)
        command = ["drive", "--robot", str(robot), "--no-console", "--memory", str(self.folder / "trial.memory")]
        command += ["--keep-out", str(write_leash(self.folder, self.config.leash))]
        command += ["--namespace", settings.namespace] if settings.namespace else []
        command += ["--model", settings.model] if settings.model else []
        command += ["--sim-time"] if settings.sim_time else []
        _say(f"starting the stack; its log is {log}")
        process, _ = start_command(command, log, "ready. Remembers", 300.0)
        self._kept.callback(end_command, process)


def _ended(outcome: Outcome) -> Ended:
    if outcome.end is End.CANCELED and not outcome.code:  # Ctrl-C
        raise KeyboardInterrupt
    return Ended(outcome.end is End.REACHED, outcome.message, outcome.code)


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
        kinds = {
            CameraSensor: "sensor_msgs/msg/Image", DepthSensor: "sensor_msgs/msg/Image",
            LaserSensor: "sensor_msgs/msg/LaserScan", OdometrySensor: "nav_msgs/msg/Odometry",
        }  # fmt: skip
        for sensor in robot.sensors:
            kind = next((name for of, name in kinds.items() if isinstance(sensor, of)), "")
            kind = "sensor_msgs/msg/CompressedImage" if sensor.topic.endswith("compressed") else kind
            if kind:
                hear = partial(self._on_sensor, sensor.topic, isinstance(sensor, CameraSensor))
                subscribe(message_class(kind), sensor.topic, hear, SENSOR)
        subscribe(Location, "location", self._on_location, SENSOR)
        subscribe(PlannerState, "planner/state", self._on_planner, SENSOR)
        subscribe(Surprise, "surprise", self._on_surprise, SENSOR)
        for bumper in ("contacts", "simulator/contacts"):  # of the robot's driver, or of the simulator
            subscribe(UInt32, bumper, self._on_contacts, RELIABLE)
        subscribe(DiagnosticStatus, "safety/status", self._on_gate, LATCHED)

    def _on_sensor(self, topic: str, is_picture: bool, message: Any) -> None:
        now = self.node.get_clock().now().nanoseconds * 1e-9
        with self._lock:
            self._ages[topic].append(now - stamp_to_seconds(message.header.stamp))
            self._arrivals[topic].append(now)
            if is_picture:
                self._image = message

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
            return None if message is None else encode_thumbnail(image_of(message), 640)
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
                if not self._path or np.hypot(x - self._path[-1][0], y - self._path[-1][1]) > 0.1:  # [m]
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
