"""The demo's own ROS node: it sends goals, and watches. It alone sees the ground truth, for evaluation."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Pose2D, PoseStamped, TwistStamped
from numpy.typing import NDArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import String, UInt32
from visualization_msgs.msg import Marker, MarkerArray

from ami_interfaces.action import NavigateToGoal, RunMission
from ami_interfaces.msg import Location, NavigationGoal, PlannerState
from ami_interfaces.srv import Photograph, PlaceRobot
from ami_ros.bench.timing import ControlRecord
from ami_ros.bench.trials import SampledGoal
from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, believed_at, compose, inverse, register
from ami_ros.ros.goals.clients import ResultWatch
from ami_ros.ros.messages.conversions import (
    command_from_message,
    pose_from_message,
    seconds_to_duration,
    stamp_to_seconds,
)
from ami_ros.ros.node.executor import LeanExecutor
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.runtime.supervision import Code, Verdict


class TruthLog:
    """The newest true poses, found again by their stamp. Written by one thread, read by others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._log: deque[tuple[float, Array]] = deque(maxlen=2000)  # a drive at 10 Hz is shorter

    def append(self, stamp: float, pose: Array) -> None:
        """Adds a true pose (3,) at `stamp` [s]; time that was turned back begins a new log."""
        with self._lock:
            if self._log and stamp < self._log[-1][0]:
                self._log.clear()
            self._log.append((stamp, pose))

    def since(self, stamp: float) -> tuple[Array, Array]:
        """Stamps (n,) and poses (n, 3) from `stamp` on."""
        with self._lock:
            found = [entry for entry in self._log if entry[0] >= stamp]
        return np.array([s for s, _ in found]), np.array([p for _, p in found]).reshape(-1, 3)

    def at(self, stamp: float, tolerance: float = 0.1) -> Array | None:
        """The true pose (3,) nearest in time, None if none is within `tolerance` [s]."""
        with self._lock:
            nearest = min(self._log, key=lambda entry: abs(entry[0] - stamp), default=None)
        return None if nearest is None or abs(nearest[0] - stamp) > tolerance else nearest[1]


class Frames:
    """Where the frames that the robot believes in lie in the world; nobody tells the robot."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pairs: deque[tuple[Array, Array]] = deque(maxlen=2000)  # believed, true
        self.odom: Array | None = None  # pose (3,) of odom in the world

    def add(self, truth: Array, odometry: Array, believed: Array | None) -> None:
        """One moment: true pose, pose in odom, and pose in the memory's frame (None: not localised)."""
        self.odom = compose(truth, inverse(odometry))
        if believed is not None:
            with self._lock:
                self._pairs.append((believed, truth))

    def memory(self) -> Array | None:
        """The pose (3,) of the memory's frame in the world; None before the robot was localised."""
        return register(*self._beliefs())

    def believed(self, pose: Array) -> Array | None:
        """Where the true `pose` (3,) is in the memory's frame; None likewise."""
        return believed_at(pose, *self._beliefs())

    def _beliefs(self) -> tuple[Array, Array]:
        with self._lock:
            pairs = list(self._pairs)
        return np.array([b for b, _ in pairs]).reshape(-1, 3), np.array([t for _, t in pairs]).reshape(-1, 3)


@dataclass(frozen=True)
class Leg:
    """The drive that is under way, for those who watch it."""

    index: int
    goal: SampledGoal
    began: float  # on the robot's clock [s]
    allowance: float  # [s] that the robot has


@dataclass
class Telemetry:
    """The newest of everything. Written by the thread that serves ROS; each field is replaced as a whole."""

    time: float = 0.0  # of the robot's clock [s]
    truth: Array | None = None  # (3,) in the world
    contacts: int = 0
    confidence: float | None = None
    state: str = "starting"  # the planner has told none
    observation_age: float | None = None  # [s]
    decision: str = ""
    stack: Verdict | None = None  # the supervisor's word
    command: Command | None = None
    places: Array = field(default_factory=lambda: np.zeros((0, 2)))  # in the memory's frame [m]
    edges: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2, 2)))  # their ends, likewise


@dataclass(frozen=True)
class Observed:
    """All that is known since the stack was started."""

    telemetry: Telemetry = field(default_factory=Telemetry)
    truth: TruthLog = field(default_factory=TruthLog)
    frames: Frames = field(default_factory=Frames)


STATES = {
    getattr(PlannerState, name): name for name in ("IDLE", "PLANNING", "CONTROLLING", "RECOVERING", "STOPPING", "FAULT")
}
STATUS = {
    GoalStatus.STATUS_SUCCEEDED: "succeeded",
    GoalStatus.STATUS_ABORTED: "aborted",
    GoalStatus.STATUS_CANCELED: "canceled",
    GoalStatus.STATUS_UNKNOWN: "lost with its planner",
}


@dataclass
class GoalRun:
    """A goal or mission on its way; `done` is set when `status` and `result` are final."""

    done: threading.Event
    accepted: float | None = None  # on the robot's clock [s]
    ended: float | None = None
    status: str = "no answer"
    result: Any = None
    handle: Any = None


class DemoClient:
    """Serves its node on a thread of its own; everything else may be called from the main thread.

    Args:
        context: an initialised context.

    Attributes:
        control: gets every command of the planner while a goal is driven to, and the age of the image behind it.
        telemetry: the newest of everything.
        truth: where the robot truly was.
    """

    def __init__(self, context: Context) -> None:
        self.control = ControlRecord()
        self.observed = Observed()
        self.telemetry, self.truth = self.observed.telemetry, self.observed.truth
        self._places: bytes | None = None  # as they came, until somebody asks
        self._run: GoalRun | None = None
        self.node = Node("demo_client", context=context)
        self._executor = LeanExecutor(context=context)
        self._executor.add_node(self.node)
        self._action = ActionClient(self.node, NavigateToGoal, "navigate_to_goal")
        self._missions = ActionClient(self.node, RunMission, "run_mission")
        self._photograph = self.node.create_client(Photograph, "simulator/photograph")
        self._pace = self.node.create_client(SetParameters, "simulator/set_parameters")
        self._place_robot = self.node.create_client(PlaceRobot, "simulator/place_robot")
        self._subscribe()
        self._thread = threading.Thread(target=self._executor.spin, name="demo client", daemon=True)
        self._thread.start()

    def _subscribe(self) -> None:
        subscribe, know = self.node.create_subscription, partial(setattr, self.telemetry)
        subscribe(PoseStamped, "ground_truth", self._on_truth, SENSOR)
        subscribe(UInt32, "simulator/contacts", lambda m: know("contacts", m.data), RELIABLE)
        subscribe(TwistStamped, "cmd_vel", lambda m: know("command", command_from_message(m)), RELIABLE)
        subscribe(TwistStamped, "cmd_vel_raw", self._on_planned, RELIABLE)
        subscribe(PlannerState, "planner/state", self._on_state, RELIABLE)
        subscribe(Location, "location", self._on_location, RELIABLE)
        subscribe(DiagnosticStatus, "supervisor/state", self._on_stack, RELIABLE)
        subscribe(String, "planner/decision", lambda m: know("decision", m.data), RELIABLE)
        subscribe(MarkerArray, "places", lambda serialised: setattr(self, "_places", serialised), LATCHED, raw=True)

    def doubled(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that more than one node has, as happens when another stack runs in this domain."""
        there = Counter(self.node.get_node_names())
        return [name for name in names if there[name] > 1]

    def missing(self) -> list[str]:
        """What a goal needs and is not there yet, in people's words."""
        telemetry = self.telemetry
        needed = {
            "simulator": telemetry.truth is not None and self._photograph.service_is_ready(),
            "planner": telemetry.state != "starting" and self._action.server_is_ready(),
            "memory": telemetry.confidence is not None,
            "commands": telemetry.command is not None,
            "supervisor": telemetry.stack is not None and telemetry.stack.code is Code.NONE,
        }
        return [name for name, there in needed.items() if not there]

    def read_places(self) -> None:
        """Brings the telemetry's places and ways up to date.

        Only when asked: to take thousands of points apart holds up commands that come meanwhile, whose times count.
        """
        serialised, self._places = self._places, None
        if serialised is None:
            return
        for marker in deserialize_message(serialised, MarkerArray).markers:
            points = np.array([(p.x, p.y) for p in marker.points]).reshape(-1, 2)
            if marker.type == Marker.LINE_LIST:
                self.telemetry.edges = points.reshape(-1, 2, 2)
            elif marker.type in (Marker.POINTS, Marker.SPHERE_LIST):
                self.telemetry.places = points

    def photograph(self, pose: Array) -> CompressedImage:
        """The picture that the robot's camera would take at `pose` (3,) in the world."""
        request = Photograph.Request(pose=Pose2D(x=float(pose[0]), y=float(pose[1]), theta=float(pose[2])))
        return self._call(self._photograph, request).image

    def place_robot(self, pose: Array) -> None:
        """Puts the robot at rest at `pose` (3,) in the world."""
        request = PlaceRobot.Request(pose=Pose2D(x=float(pose[0]), y=float(pose[1]), theta=float(pose[2])))
        self._call(self._place_robot, request)

    def set_pace(self, factor: float) -> None:
        """Sets the simulated seconds in a second; nobody waits for that."""
        value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=factor)
        self._pace.call_async(SetParameters.Request(parameters=[Parameter(name="real_time_factor", value=value)]))

    def send(self, wanted: NavigationGoal, allowance: float) -> GoalRun:
        """Sends a goal that may take `allowance` [s] of the robot's time."""
        goal = NavigateToGoal.Goal(goal=wanted, time_allowance=seconds_to_duration(allowance))
        self._run = self._begin(self._action, goal)
        return self._run

    def explore(self, allowance: float) -> GoalRun:
        """Lets the robot explore for `allowance` [s] of its time, and come back."""
        goal = RunMission.Goal(kind=RunMission.Goal.EXPLORE, time_allowance=seconds_to_duration(allowance))
        return self._begin(self._missions, goal)

    def _begin(self, client: ActionClient, goal: Any) -> GoalRun:
        run = GoalRun(threading.Event())

        def set_out() -> None:
            client.send_goal_async(goal).add_done_callback(lambda f: self._on_answer(run, client, f))

        # On the thread that serves the node: rclpy's action client notes a request only after it was sent, without a
        # lock, and an answer that another thread takes in between is lost.
        self._executor.create_task(set_out)
        return run

    def end(self, run: GoalRun, patience: float = 3.0) -> None:
        """Cancels a goal that has not ended, and waits for that for at most `patience` [s]; then it counts as ended."""
        if run.handle is not None and not run.done.is_set():
            run.handle.cancel_goal_async()
            run.done.wait(patience)
        if not run.done.is_set():
            run.done.set()
            self.control.end()

    def close(self) -> None:
        """Ends the thread and the node."""
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(2.0)
        self._action.destroy()
        self._missions.destroy()
        self.node.destroy_node()

    def _call(self, client: Any, request: Any, patience: float = 20.0) -> Any:
        future, done = client.call_async(request), threading.Event()
        future.add_done_callback(lambda _: done.set())
        if not done.wait(patience):
            raise AmiError(f"no answer from {client.srv_name} within {patience:.0f} s: is the simulator still alive?")
        response = future.result()
        if not response.success:
            raise AmiError(f"{client.srv_name}: {response.error_msg}")
        return response

    def _on_answer(self, run: GoalRun, client: ActionClient, future: Any) -> None:
        run.handle = future.result()
        if run.done.is_set() and run.handle.accepted:  # too late
            run.handle.cancel_goal_async()
        elif not run.handle.accepted:
            run.status, run.ended = "rejected", self.telemetry.time
            run.done.set()
        else:
            run.accepted = self.telemetry.time
            ResultWatch(self.node, client, run.handle, partial(self._on_result, run))

    def _on_result(self, run: GoalRun, status: int, result: Any) -> None:
        if run.done.is_set():  # too late
            return
        self.control.end()
        run.ended, run.result = self.telemetry.time, result
        run.status = STATUS.get(status, "no answer")
        run.done.set()

    def _is_driving(self) -> bool:
        run = self._run
        return run is not None and run.accepted is not None and not run.done.is_set()

    def _on_truth(self, message: PoseStamped) -> None:
        stamp, pose = stamp_to_seconds(message.header.stamp), pose_from_message(message.pose)
        self.truth.append(stamp, pose)
        self.telemetry.time, self.telemetry.truth = stamp, pose

    def _on_planned(self, message: TwistStamped) -> None:
        if self._is_driving():
            self.control.command(stamp_to_seconds(message.header.stamp), time.monotonic())

    def _on_state(self, message: PlannerState) -> None:
        telemetry = self.telemetry
        telemetry.state = STATES.get(message.state, str(message.state))
        telemetry.observation_age = _finite(message.observation_age)
        if message.state == PlannerState.CONTROLLING and self._is_driving() and telemetry.observation_age is not None:
            self.control.observation(stamp_to_seconds(message.header.stamp), telemetry.observation_age)

    def _on_location(self, message: Location) -> None:
        self.telemetry.confidence = _finite(message.confidence)
        truth = self.truth.at(stamp_to_seconds(message.header.stamp))
        if truth is not None:
            believed = pose_from_message(message.pose) if message.localised else None
            self.observed.frames.add(truth, pose_from_message(message.odom_pose), believed)

    def _on_stack(self, message: DiagnosticStatus) -> None:
        codes = [value.value for value in message.values if value.key == "code"]
        self.telemetry.stack = Verdict(Code[codes[0]], message.message)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
