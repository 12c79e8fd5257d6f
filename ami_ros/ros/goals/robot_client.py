"""A client for people and programs: sends a running stack goals and missions, says how it goes, and how it ended.

It does not matter who started the stack: `./ami drive`, `ros2 launch`, or a test.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header
from std_srvs.srv import Trigger

from ami_interfaces.action import NavigateToGoal, RunMission
from ami_interfaces.msg import GoalView, NavigationGoal
from ami_interfaces.srv import RecallPlaces
from ami_ros.behaviour.area import FARTHEST, Corners
from ami_ros.core.errors import AmiError
from ami_ros.core.images import image_of
from ami_ros.core.signals import HeldSignals
from ami_ros.ros.messages.conversions import (
    MOST_VIEWS,
    compressed_message,
    polygon_message,
    pose_to_message,
    seconds_to_duration,
)
from ami_ros.ros.node.qos import LATCHED
from ami_ros.ros.start.graph import enclave_arguments
from ami_ros.safety.output import STOPPED

SILENCE = 10.0  # [s] without feedback, which comes some times a second, after which whoever had the goal is gone
HOME = "home"


class End(IntEnum):
    """How a drive ended, as an exit code; 2 is for what could not be asked at all."""

    REACHED = 0
    FAILED = 1  # given up: the message says why
    REJECTED = 3  # not accepted
    TIMEOUT = 4  # not within the time that was given
    LOST = 5  # whoever drove died, or was started again
    CANCELED = 130  # by Ctrl-C, or by somebody else's goal


@dataclass(frozen=True)
class Outcome:
    """What came of a goal or a mission; `code` is of its action, 0 where all is well."""

    end: End
    message: str
    code: int = 0
    result: Any = None


Tell = Callable[[Any], None]  # takes the feedback of an action


class RobotClient:
    """Talks to one robot's stack. Everything is called from one thread, and waits; Ctrl-C cancels what is under way.

    Args:
        namespace: of the robot.
        domain: ROS domain; None: that of the environment.
        patience: [s] that an answer to a request may take; half as long that to a cancel.
    """

    def __init__(self, namespace: str = "", domain: int | None = None, patience: float = 10.0) -> None:
        self._context, self._patience = Context(), patience
        rclpy.init(
            args=enclave_arguments("operator"), context=self._context, domain_id=domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )  # fmt: skip  # else Ctrl-C ends the context, and nothing could be cancelled
        name = f"ami_client_{os.getpid()}"
        self.node = Node(
            name, context=self._context, namespace=namespace, enable_rosout=False, start_parameter_services=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._clients: list[ActionClient] = []
        self._signals = HeldSignals()

    def __enter__(self) -> RobotClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Takes it off the graph."""
        for client in self._clients:
            client.destroy()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    # What the robot is to do

    def goal(self, text: str) -> NavigationGoal:
        """The goal that `text` names: a picture's file, folder/ with pictures from one place, x,y or x,y,yaw in the map
        [m, rad], home, or a place's label.

        Home is the place of that label, else where the memory began.

        Raises:
            AmiError: it is a file that is no picture, or a folder without them.
        """
        text = text.strip()
        file = Path(text).expanduser()
        if file.is_file():
            return picture_goal(file)
        if file.is_dir() and "/" in text:  # else it is a place of that name
            return panorama_goal(file)
        if (pose := pose_of(text)) is not None:
            return pose_goal(pose)
        if text == HOME and not self._is_labelled(HOME):
            return pose_goal(np.zeros(3))
        if "." in text or "/" in text:
            raise AmiError(f"goal {text}: no such file; name a picture, a place, {HOME}, or x,y,yaw in the map")
        return NavigationGoal(type=NavigationGoal.TYPE_PLACE, place_label=text)

    def go(self, text: str, timeout: float, tell: Tell | None = None) -> Outcome:
        """Drives to what `text` names, see `goal`, within `timeout` [s].

        Raises:
            AmiError: nobody is there who could, or `text` names no goal.
        """
        goal = NavigateToGoal.Goal(goal=self.goal(text), time_allowance=seconds_to_duration(timeout))
        if (pose := pose_of(text)) is not None and len(pose) == 2:
            goal.angle_tolerance = math.pi
        return self.send(NavigateToGoal, "navigate_to_goal", goal, tell)

    def explore(self, seconds: float, tell: Tell | None = None, area: Corners = ()) -> Outcome:
        """Explores for so long, 0: as long as there is something new, and comes back; it keeps to an area [m]."""
        allowance = seconds_to_duration(seconds)
        goal = RunMission.Goal(
            kind=RunMission.Goal.EXPLORE, time_allowance=allowance, area=polygon_message(area, Header(frame_id="map"))
        )
        return self.send(RunMission, "run_mission", goal, tell)

    def patrol(self, goals: list[str], rounds: int, wait: float = 1.0, tell: Tell | None = None) -> Outcome:
        """Visits goals in order, `rounds` times, and stays `wait` [s] at each."""
        mission = RunMission.Goal(kind=RunMission.Goal.VISIT_IN_ORDER)
        mission.goals = [self.goal(text) for text in goals] * rounds
        mission.waits = [float(wait)] * len(mission.goals)
        return self.send(RunMission, "run_mission", mission, tell)

    def stop(self) -> bool:
        """Cancels whatever goal or mission is under way, whoever sent it; False where nobody is there."""
        found = False
        for action in ("run_mission", "navigate_to_goal"):
            client = self.node.create_client(CancelGoal, f"{action}/_action/cancel_goal")
            if client.wait_for_service(2.0 if not found else 0.5):
                found = self._wait(client.call_async(CancelGoal.Request())) is not None or found
        return found

    def hold(self, release: bool = False) -> None:
        """An emergency stop, which holds until it is released.

        Raises:
            AmiError: the safety gate is not there, or did not do it.
        """
        self.call(Trigger, "safety/release" if release else "safety/emergency_stop", Trigger.Request())

    # How it is done

    def send(self, kind: Any, name: str, goal: Any, tell: Tell | None = None) -> Outcome:
        """Sends an action's goal and waits for its end.

        Raises:
            AmiError: no node offers the action.
        """
        with self._signals.held():
            client = ActionClient(self.node, kind, name)
            self._clients.append(client)
            deadline = time.monotonic() + self._patience
            while not client.server_is_ready():
                if time.monotonic() > deadline:
                    raise AmiError(self._nobody(name))
                self._spin(0.1)
            if self._is_stopped():
                held = "an emergency stop holds, and nothing moves the robot; end it with ./ami stop --release"
                return Outcome(End.REJECTED, held, NavigateToGoal.Result.GOAL_REJECTED)
            return self._drive(client, name, goal, tell)

    def _drive(self, client: ActionClient, name: str, goal: Any, tell: Tell | None) -> Outcome:
        """Waits for the end of a goal; whatever ends this, ends that."""
        heard = time.monotonic()

        def hear(message: Any) -> None:
            nonlocal heard
            heard = time.monotonic()
            if tell is not None:
                tell(message.feedback)

        sent, handle = client.send_goal_async(goal, hear), None
        try:
            handle = self._wait(sent)
            if handle is None:
                return Outcome(End.LOST, f"{name} did not answer: is its node still alive?")
            if not handle.accepted:
                words = "not accepted; the log of the stack says why"
                return Outcome(End.REJECTED, words, NavigateToGoal.Result.GOAL_REJECTED)
            ended = handle.get_result_async()
            while not ended.done():
                self._spin(0.2)
                if time.monotonic() - heard > SILENCE:
                    return Outcome(End.LOST, "nothing is heard any more: its node died, or was started again")
            return outcome_of(ended.result())
        except BaseException as stop:  # Ctrl-C, or a signal that ends this process: the robot must not drive on
            # It may be under way although no answer has come, once it is accepted.
            handle = self._wait(sent, self._patience / 2) if handle is None else handle
            if handle is not None and handle.accepted:
                self._wait(handle.cancel_goal_async(), self._patience / 2)
            if not isinstance(stop, KeyboardInterrupt):
                raise
            return Outcome(End.CANCELED, "cancelled; the robot stands")

    def call(self, kind: Any, name: str, request: Any) -> Any:
        """Calls a service of the stack.

        Raises:
            AmiError: it is not there, does not answer, or refused.
        """
        client = self.node.create_client(kind, name)
        if not client.wait_for_service(self._patience):
            raise AmiError(self._nobody(name))
        response = self._wait(client.call_async(request))
        if response is None or not response.success:
            why = "did not answer" if response is None else getattr(response, "error_msg", "") or response.message
            raise AmiError(f"{name}: {why}")
        return response

    def _wait(self, future: Any, patience: float | None = None) -> Any:
        deadline = time.monotonic() + (self._patience if patience is None else patience)
        while not future.done() and time.monotonic() < deadline:
            self._spin(0.1)
        return future.result() if future.done() else None

    def _spin(self, seconds: float) -> None:
        """Handles what comes first within some seconds, then a signal if one came."""
        self._executor.spin_once(timeout_sec=seconds)
        self._signals.act()

    def _is_stopped(self) -> bool:
        """Whether the gate says so. A goal would end as stuck, and memory would take open ways for blocked."""
        said: list[DiagnosticStatus] = []
        listening = self.node.create_subscription(DiagnosticStatus, "safety/status", said.append, LATCHED)
        deadline = time.monotonic() + 1.0  # [s] that the gate's newest word may take to come; it is latched
        while not said and time.monotonic() < deadline:
            self._spin(0.05)
        self.node.destroy_subscription(listening)
        return bool(said) and said[-1].message == STOPPED

    def _is_labelled(self, label: str) -> bool:
        client = self.node.create_client(RecallPlaces, "memory/recall")
        if not client.wait_for_service(2.0):
            return False
        answer = self._wait(client.call_async(RecallPlaces.Request(label=label, max_results=1)))
        return answer is not None and answer.success and len(answer.places) > 0

    def _nobody(self, name: str) -> str:
        domain, space = self._context.get_domain_id(), self.node.get_namespace()
        where = f"ROS domain {domain}" + (f", namespace {space}" if space != "/" else "")
        return f"nobody offers {name} in {where}: start the stack there, with ./ami drive or ros2 launch"


def outcome_of(answer: Any) -> Outcome:
    """What an action's answer means."""
    result, status = answer.result, answer.status
    code, message = int(result.error_code), result.error_msg
    if status == GoalStatus.STATUS_SUCCEEDED:
        return Outcome(End.REACHED, message or "reached", code, result)
    if status == GoalStatus.STATUS_CANCELED or code in (NavigateToGoal.Result.PREEMPTED, RunMission.Result.TAKEN_OVER):
        return Outcome(End.CANCELED, message or "cancelled", code, result)
    if status == GoalStatus.STATUS_UNKNOWN:
        return Outcome(End.LOST, "its node was started again and knows nothing of it", code, result)
    over = code in (NavigateToGoal.Result.TIMEOUT, RunMission.Result.TIMEOUT)
    return Outcome(End.TIMEOUT if over else End.FAILED, message or f"code {code}", code, result)


def pose_of(text: str) -> np.ndarray | None:
    """Two or three numbers with commas between, as they are; None where it is something else. Raises AmiError: one is
    beyond any building."""
    parts, number = text.split(","), r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*"
    if len(parts) not in (2, 3) or not all(re.fullmatch(number, part) for part in parts):
        return None
    pose = np.array([float(part) for part in parts])
    if not np.all(np.abs(pose) <= FARTHEST):
        raise AmiError(f"goal {text}: a number is beyond {FARTHEST:g}; positions are in metres, headings in radians")
    return pose


def pose_goal(pose: np.ndarray, frame: str = "map") -> NavigationGoal:
    """A pose (2,) or (3,) in a frame."""
    full = np.append(pose, 0.0)[:3]
    return NavigationGoal(
        type=NavigationGoal.TYPE_POSE, pose=PoseStamped(header=Header(frame_id=frame), pose=pose_to_message(full))
    )


def picture_goal(file: Path) -> NavigationGoal:
    """Where the picture in a file was taken. Raises AmiError: it is none."""
    return NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=_picture(file))


def panorama_goal(folder: Path) -> NavigationGoal:
    """Where the pictures in a folder were taken. Each is named by how far the robot had turned to the left [degrees],
    as 0.jpg, 60.jpg and 300.jpg.

    Raises:
        AmiError: one is no picture, 0 is not among them, or they are too many.
    """
    files = dict[float, Path]()
    for file in sorted(folder.iterdir()):
        try:
            files[float(file.stem)] = file
        except ValueError:  # named by something else
            continue
    files = {turn: file for turn, file in files.items() if math.isfinite(turn)}
    if 0.0 not in files:
        raise AmiError(f"goal {folder}: no picture is named 0, as 0.jpg; name each by its turn to the left in degrees")
    first = picture_goal(files.pop(0.0))
    if len(files) > MOST_VIEWS:
        raise AmiError(f"goal {folder}: {len(files) + 1} pictures; at most {MOST_VIEWS + 1} are compared")
    first.views = [GoalView(turn=math.radians(turn), image=_picture(file)) for turn, file in sorted(files.items())]
    return first


def _picture(file: Path) -> CompressedImage:
    picture = compressed_message(file.read_bytes(), "")
    try:
        image_of(picture)
    except AmiError as error:
        raise AmiError(f"goal {file}: {error}") from error
    return picture
