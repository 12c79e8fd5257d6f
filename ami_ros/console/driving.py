"""How the console drives the robot: by hand through the safety gate, or with one goal or mission at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from action_msgs.srv import CancelGoal
from geometry_msgs.msg import Twist, TwistStamped
from rclpy.action import ActionClient
from rclpy.node import Node

from ami_interfaces.action import NavigateToGoal, RunMission
from ami_ros.console.desk import DeadMan
from ami_ros.console.scene import Mission, Scene
from ami_ros.core.commands import STILL, Command
from ami_ros.core.errors import AmiError
from ami_ros.ros.goals.robot_client import SILENCE, outcome_of
from ami_ros.ros.messages.conversions import seconds_to_duration, twist_message
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.qos import RELIABLE


class Hand:
    """Driving by hand: sends what the dead man's switch lets pass to what the gate judges. All but `nudge` is called on
    the executor's thread.

    The publisher is there only while somebody steers: two publishers of one topic are worth a warning of the gate's.

    Args:
        node: publishes.
        scene: shows it, and says what the planner does.
        begin: called when somebody begins: cancels what is under way.
        tell: gets a line when driving by hand ends because somebody else drives.
    """

    def __init__(self, node: Node, scene: Scene, begin: Callable[[], Any], tell: Callable[[str], None]) -> None:
        self.dead_man = DeadMan()
        self._node, self._scene, self._begin, self._tell = node, scene, begin, tell
        self._publisher: Any = None
        self._timer: Any = None
        self._kind: Any = TwistStamped
        self._since = 0.0

    def nudge(self) -> None:
        """Somebody steers: begins to send, if that is new."""
        if self._publisher is None and self.dead_man.engaged(time.monotonic()):
            self._begin()
            self._since = time.monotonic()
            topic = self._node.resolve_topic_name("cmd_vel_raw")
            types = {info.topic_type for info in self._node.get_subscriptions_info_by_topic(topic)}
            self._kind = Twist if types == {"geometry_msgs/msg/Twist"} else TwistStamped  # what the gate takes
            self._publisher = self._node.create_publisher(self._kind, "cmd_vel_raw", RELIABLE)
            self._timer = self._node.create_timer(self.dead_man.config.period, self._send, clock=STEADY)
            self._scene.by_hand = True

    def end(self) -> None:
        """Sends zero, and nothing more."""
        self.dead_man.drop()
        if self._publisher is not None:
            self._publish(STILL)
            self._node.destroy_timer(self._timer)
            self._node.destroy_publisher(self._publisher)
            self._publisher = self._timer = None
            self._scene.by_hand = False

    def _send(self) -> None:
        now = time.monotonic()
        if self._scene.planner_state == "controlling" and now - self._since > self.dead_man.config.grace:
            self._tell("driving by hand ends: somebody sent the robot a goal")
            self.end()
        elif (command := self.dead_man.output(now)) is None:
            self.end()
        else:
            self._publish(command)

    def _publish(self, command: Command) -> None:
        twist = twist_message(command)
        # Without a stamp its age counts from when it comes: the page's clock, and the robot's, are others.
        self._publisher.publish(TwistStamped(twist=twist) if self._kind is TwistStamped else twist)


@dataclass
class Errand:
    """A goal or a mission that was asked for."""

    words: str  # what it is, for people
    action: str  # its name
    goal: Any  # of the action
    allowance: float  # [s]; 0: no limit
    corners: list[list[float]] = field(default_factory=list)  # of the area that it keeps to [m] in the map
    began: float = 0.0  # steady time [s]
    heard: float = 0.0  # likewise, of the newest feedback
    handle: Any = None


class Errands:
    """One errand at a time: sent, watched, cancelled, paused and gone on with. All is called on the executor's thread.

    Args:
        node: that the clients are of.
        scene: is told what is under way.
        tell: gets a line when one has ended.
    """

    def __init__(self, node: Node, scene: Scene, tell: Callable[[str], None]) -> None:
        self._scene, self._tell = scene, tell
        actions = {"navigate_to_goal": NavigateToGoal, "run_mission": RunMission}
        self.clients = {name: ActionClient(node, kind, name) for name, kind in actions.items()}
        # A mission is cancelled before the goal that it has sent.
        self._cancels = [node.create_client(CancelGoal, f"{name}/_action/cancel_goal") for name in reversed(actions)]
        self._current: Errand | None = None
        self._paused: Errand | None = None

    def send(self, errand: Errand, answer: Future[Any]) -> None:
        """Begins an errand in place of another; `answer` gets words when it is accepted, or why it is not."""
        client = self.clients[errand.action]
        if not client.server_is_ready():
            raise AmiError(f"nobody offers {errand.action}: is the stack running, in this ROS domain and namespace?")
        errand.goal.time_allowance = seconds_to_duration(errand.allowance)
        errand.began = errand.heard = time.monotonic()
        self._set(errand)
        self._pause(None)
        if errand.action == "run_mission":
            self._scene.mission = Mission(allowance=errand.allowance)
        sent = client.send_goal_async(errand.goal, lambda message: setattr(errand, "heard", time.monotonic()))
        sent.add_done_callback(lambda future: self._accepted(errand, future.result(), answer))

    def cancel(self) -> bool:
        """Cancels whatever goal or mission is under way, whoever sent it; False where nobody is there."""
        self._set(None)
        self._pause(None)
        there = [client for client in self._cancels if client.service_is_ready()]
        for client in there:
            client.call_async(CancelGoal.Request())
        return bool(there)

    def pause(self) -> str:
        """Cancels the errand, and keeps what is left of it. Raises AmiError if there is none."""
        errand = self._current
        if errand is None:
            raise AmiError("pause: nothing that was asked for here is under way; Cancel ends what others asked for")
        self.interrupt()
        return f"paused: {errand.words}"

    def interrupt(self) -> None:
        """Cancels whatever goal or mission is under way, and keeps what is left of what was asked for here."""
        errand, mission = self._current, self._scene.mission
        self.cancel()
        if errand is not None:
            self._keep(errand, mission)

    def resume(self, answer: Future[Any]) -> None:
        """Goes on with what was paused. Raises AmiError if nothing was."""
        if self._paused is None:
            raise AmiError("go on: nothing is paused")
        self.send(self._paused, answer)

    def look(self) -> None:
        """Notices an errand of which nothing is heard any more."""
        errand = self._current
        if errand is not None and errand.handle is not None and time.monotonic() - errand.heard > SILENCE:
            self._end(errand, "nothing is heard of it any more: its node died, or was started again")

    def _keep(self, errand: Errand, mission: Mission) -> None:
        if errand.allowance:
            errand.allowance = max(5.0, errand.allowance - (time.monotonic() - errand.began))
        if errand.action == "run_mission" and mission.index > 0 and len(errand.goal.goals):
            errand.goal.goals = errand.goal.goals[mission.index :]
            errand.goal.waits = errand.goal.waits[mission.index :]
        self._pause(errand)

    def _accepted(self, errand: Errand, handle: Any, answer: Future[Any]) -> None:
        if not handle.accepted:
            why = self._scene.planner_words or "the log of the stack says why"
            reply(answer, AmiError(f"{errand.words}: not accepted; {why}"))
            if self._current is errand:
                self._set(None)
            return
        errand.handle, errand.heard = handle, time.monotonic()
        if self._current is not errand:  # cancelled before it was accepted
            handle.cancel_goal_async()
        handle.get_result_async().add_done_callback(lambda ended: self._ended(errand, ended.result()))
        reply(answer, f"accepted: {errand.words}")

    def _ended(self, errand: Errand, result: Any) -> None:
        if result is not None and self._current is errand:
            outcome, mission = outcome_of(result), self._scene.mission
            self._end(errand, outcome.message)
            # A stop of which the desk did not know, as of a button on the robot.
            if outcome.code in (NavigateToGoal.Result.EMERGENCY_STOP, RunMission.Result.EMERGENCY_STOP):
                self._keep(errand, mission)

    def _end(self, errand: Errand, words: str) -> None:
        self._set(None)
        self._tell(f"{errand.words}: {words}")

    def _set(self, errand: Errand | None) -> None:
        self._current, self._scene.doing = errand, errand.words if errand is not None else ""
        if errand is None:
            self._scene.mission = Mission()
        self._scene.documents.put("area", {"corners": errand.corners if errand is not None else []})

    def _pause(self, errand: Errand | None) -> None:
        self._paused, self._scene.paused = errand, errand.words if errand is not None else ""


def reply(answer: Future[Any], value: Any) -> None:
    """Answers once; an exception is raised where somebody waits."""
    if not answer.done():
        answer.set_exception(value) if isinstance(value, Exception) else answer.set_result(value)
