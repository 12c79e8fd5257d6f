"""The demo's own ROS node: it sends goals, and watches. It alone sees the ground truth, for evaluation."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Pose2D, PoseStamped, TwistStamped
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
from ami_ros.app.telemetry import STARTING, Observed, Telemetry, TruthLog
from ami_ros.errors import AmiError
from ami_ros.evaluation.control import ControlRecord
from ami_ros.geometry import Array
from ami_ros.parts.supervision import Code, Verdict
from ami_ros.ros.goals.result_watch import ResultWatch
from ami_ros.ros.messages.conversions import (
    command_from_message,
    pose_from_message,
    seconds_to_duration,
    stamp_to_seconds,
)
from ami_ros.ros.node.executor import LeanExecutor
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR

STATES = {
    value: name
    for name in ("IDLE", "PLANNING", "CONTROLLING", "RECOVERING", "STOPPING", "FAULT")
    for value in (getattr(PlannerState, name),)
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
    """

    def __init__(self, context: Context) -> None:
        self.control = ControlRecord()
        self.observed = Observed()
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
        subscribe = self.node.create_subscription
        subscribe(PoseStamped, "ground_truth", self._on_truth, SENSOR)
        subscribe(UInt32, "simulator/contacts", self._on_contacts, RELIABLE)
        subscribe(TwistStamped, "cmd_vel", self._on_command, RELIABLE)
        subscribe(TwistStamped, "cmd_vel_raw", self._on_planned, RELIABLE)
        subscribe(PlannerState, "planner/state", self._on_state, RELIABLE)
        subscribe(Location, "location", self._on_location, RELIABLE)
        subscribe(DiagnosticStatus, "supervisor/state", self._on_stack, RELIABLE)
        subscribe(String, "planner/decision", self._on_decision, RELIABLE)
        subscribe(MarkerArray, "places", self._on_places, LATCHED, raw=True)

    @property
    def telemetry(self) -> Telemetry:
        """The newest of everything."""
        return self.observed.telemetry

    @property
    def truth(self) -> TruthLog:
        """Where the robot truly was."""
        return self.observed.truth

    def doubled(self, names: Iterable[str]) -> list[str]:
        """Those of `names` that more than one node has, as happens when another stack runs in this domain."""
        there = Counter(self.node.get_node_names())
        return [name for name in names if there[name] > 1]

    def missing(self) -> list[str]:
        """What a goal needs and is not there yet, in people's words."""
        telemetry = self.telemetry
        needed = {
            "simulator": telemetry.truth is not None and self._photograph.service_is_ready(),
            "planner": telemetry.state != STARTING and self._action.server_is_ready(),
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

    def _on_contacts(self, message: UInt32) -> None:
        self.telemetry.contacts = message.data

    def _on_command(self, message: TwistStamped) -> None:
        self.telemetry.command = command_from_message(message)

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

    def _on_decision(self, message: String) -> None:
        self.telemetry.decision = message.data

    def _on_places(self, serialised: bytes) -> None:
        self._places = serialised


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
