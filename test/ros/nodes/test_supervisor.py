"""The stack as processes, as it is started everywhere: whatever is killed, the robot stands, and all comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import PoseStamped, TwistStamped
from rclpy.action import ActionClient
from std_srvs.srv import Trigger

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal
from ami_ros.core.errors import AmiError
from ami_ros.ros.goals.clients import ResultWatch
from ami_ros.ros.node.health import beat_from_message, beat_to_message
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.start.graph import Arguments, ProcessSpec, processes
from ami_ros.ros.start.processes import ProcessKeeper, ProcessWatch
from ami_ros.runtime.supervision import Beat
from harness.ros import RosPeer
from harness.small_model import save_small_model
from harness.waiting import wait_until

START = 180.0  # [s] for six processes on a busy machine
GATE_REACTION = 10.0  # [s] far more than it takes, for a busy machine
STEADY = 10  # commands in succession that move: half a second of them
ROBOT = {"world": "empty", "image_size": 16, "noise_scale": 0.0, "start_pose": [1.2, 1.2, 0.3]}


@pytest.fixture
def specs(tmp_path: Path) -> dict[str, ProcessSpec]:
    """Robot and stack by name, with a small model that has learned nothing."""
    save_small_model(tmp_path / "model")
    arguments = Arguments(model=str(tmp_path / "model"), use_sim_time=True)
    found = [ProcessSpec("loopback", {"loopback": ROBOT}, (), {}, "", "info"), *processes(arguments, ("stack",))]
    return {each.executable: each for each in found}


def is_motion(command: TwistStamped) -> bool:
    """Whether a command is not zero."""
    return bool(command.twist.linear.x or command.twist.angular.z)


class Running:
    """A stack of processes around a kinematic robot, and one who watches it."""

    def __init__(self, ros: RosPeer, keeper: ProcessKeeper) -> None:
        self.ros, self.keeper = ros, keeper
        self.said = ros.collect(DiagnosticStatus, "supervisor/state", RELIABLE)
        self.commands = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
        self.client = ActionClient(ros.node, NavigateToGoal, "navigate_to_goal")
        self.ends: list[tuple[int, NavigateToGoal.Result]] = []  # of the newest goal: status and result

    @property
    def whole(self) -> bool:
        """Whether the supervisor says that every node is active."""
        self.keeper.check()
        return bool(self.said) and self.said[-1].level == DiagnosticStatus.OK

    @property
    def moves(self) -> bool:
        """Whether the newest command is not zero."""
        return bool(self.commands) and is_motion(self.commands[-1])

    def wait(self) -> None:
        """Until every node is active."""
        self.ros.spin_until(lambda: self.whole, START, lambda: f"{self.said[-1:]}")

    def drive(self) -> None:
        """Sends a goal, and waits until the robot moves."""
        goal = PoseStamped()
        goal.header.frame_id = "odom"
        goal.pose.position.x, goal.pose.position.y, goal.pose.orientation.w = 1.5, 0.8, 1.0
        request = NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=goal))
        self.ros.spin_until(self.client.server_is_ready, what="the planner's action")
        ends: list[tuple[int, NavigateToGoal.Result]] = []  # the goal before this one ends when this one replaces it
        watches: list[ResultWatch] = []  # of an accepted goal: whoever dies before it answers, has not had the goal
        self.ends = ends

        def accepted(sent: Any) -> None:
            watches.append(ResultWatch(self.ros.node, self.client, sent.result(), lambda *end: ends.append(end)))

        self.client.send_goal_async(request).add_done_callback(accepted)
        self.ros.spin_until(lambda: watches, 60.0, lambda: f"an accepted goal: {self.said[-1:]}")
        # The goal before it ends with zeros of its own, which are not those that a test waits for.
        since = len(self.commands)
        driving = lambda: len(self.commands) >= since + STEADY and all(map(is_motion, self.commands[-STEADY:]))  # noqa: E731
        self.ros.spin_until(driving, 60.0, lambda: f"motion: {self.said[-1:]}")

    def kill(self, name: str) -> tuple[float, float]:
        """Kills a process under way. After how long [s] the robot was told to stand, and all were active again."""
        self.drive()
        heard, killed, pid = len(self.said), time.monotonic(), self.keeper.pids()[name]
        os.kill(pid, signal.SIGKILL)
        self.ros.spin_until(lambda: not self.moves, what=f"standing without {name}")
        stood = time.monotonic() - killed
        self.ros.spin_until(lambda: self.keeper.pids()[name] != pid, 60.0, f"another process {name}")
        if name == "supervisor":
            heard = len(self.said)
            self.ros.spin_until(lambda: len(self.said) > heard, 60.0, "a supervisor")
        else:
            missed = lambda: any(m.level != DiagnosticStatus.OK for m in self.said[heard:])  # noqa: E731
            self.ros.spin_until(missed, 60.0, f"a word about {name}")
        # What the supervisor says may come here before the zero that the gate sends when it hears the same.
        self.ros.spin_until(lambda: not self.moves or self.whole, GATE_REACTION, f"standing while {name} is missing")
        self.wait()
        return stood, time.monotonic() - killed


@pytest.fixture
def running(ros: RosPeer, tmp_path: Path, specs: dict[str, ProcessSpec]) -> Iterator[Running]:
    with ProcessKeeper(list(specs.values()), tmp_path) as keeper:
        found = Running(ros, keeper)
        found.wait()
        yield found
        found.client.destroy()


@pytest.mark.fault("any process is killed")
@pytest.mark.fault("the gate hangs")
@pytest.mark.fault("the planner of a goal is killed")
@pytest.mark.timeout(600)
def test_whatever_process_is_killed_the_robot_stands_and_all_comes_back(running: Running, record_property: Any) -> None:
    stack = running.keeper.pids().keys() - {"loopback"}
    running.drive()
    os.kill(running.keeper.pids()["safety"], signal.SIGSTOP)  # a gate that hangs is stood in for
    running.ros.spin_until(lambda: not running.moves, what="standing without a gate")
    os.kill(running.keeper.pids()["safety"], signal.SIGCONT)
    for name in ("safety", "supervisor", "mission", "perception", "world_model", "memory", "planner"):
        stood, back = running.kill(name)
        record_property("figure", f"{name} killed: zero after {stood:.2f} s, all active again after {back:.1f} s")
    running.ros.spin_until(lambda: running.ends, what="the end of a goal whose planner was killed")
    ((status, result),) = running.ends
    assert (status, result.error_code) == (GoalStatus.STATUS_UNKNOWN, NavigateToGoal.Result.UNKNOWN)
    assert {name: running.keeper.processes[name].respawns for name in stack} == dict.fromkeys(stack, 1)


@pytest.mark.timeout(300)
def test_an_emergency_stop_holds_although_the_gate_is_killed_and_ends_when_it_is_released(
    ros: RosPeer, tmp_path: Path
) -> None:
    arguments, sent = Arguments(), ros.collect(TwistStamped, "cmd_vel", RELIABLE)
    said, beats = ros.collect(DiagnosticStatus, "safety/status", RELIABLE), ros.collect(DiagnosticStatus, "heartbeat")
    stopped = lambda: {v.key: v.value for v in beats[-1].values}.get("emergency_stop") == "true"  # noqa: E731
    gates = lambda: {v.value for b in beats if b.name == "safety" for v in b.values if v.key == "pid"}  # noqa: E731
    state = ros.collect(DiagnosticStatus, "supervisor/state", RELIABLE)
    whole = lambda: bool(state) and state[-1].level == DiagnosticStatus.OK  # noqa: E731
    with ProcessKeeper(processes(arguments, ("gate",)), tmp_path) as keeper:
        ros.spin_until(whole, START, "a gate")
        assert ros.call(Trigger, "safety/emergency_stop", Trigger.Request()).success
        ros.spin_until(lambda: beats and beats[-1].name == "safety" and stopped(), what="a word of it")
        os.kill(keeper.pids()["safety"], signal.SIGKILL)
        ros.spin_until(lambda: len(gates()) == 2, 60.0, "a new gate")
        state.clear()
        ros.spin_until(lambda: whole() and beats[-1].name == "safety" and stopped(), 60.0, lambda: f"{state[-1:]}")
        assert not any(message.twist.linear.x for message in sent) and said
        assert ros.call(Trigger, "safety/release", Trigger.Request()).success
        ros.spin_until(lambda: whole() and beats[-1].name == "safety" and not stopped(), what="its release")


def test_a_heartbeat_that_names_somebody_elses_process_does_not_make_the_supervisor_kill_it() -> None:
    watch, bystander = ProcessWatch(), subprocess.Popen(["sleep", "30"])
    try:
        watch.watch(bystander.pid)
        watch.kill(bystander.pid)
        with pytest.raises(subprocess.TimeoutExpired):
            bystander.wait(0.3)
        assert not watch.ended()
    finally:
        watch.close()
        bystander.kill()
        bystander.wait()


def test_a_heartbeat_from_message_a_process_id_that_cannot_be_is_none() -> None:
    message = beat_to_message(Beat("planner", "active", 7))
    assert beat_from_message(message) == Beat("planner", "active", 7)
    for pid in ("9" * 30, "-1", "", "x", "\u0663"):
        message.values[1].value = pid
        assert beat_from_message(message) is None


@pytest.mark.fault("model missing, damaged, of another version")
def test_a_model_that_is_damaged_ends_the_whole_start_in_one_line(
    tmp_path: Path, specs: dict[str, ProcessSpec]
) -> None:
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    specs["supervisor"].parameters["supervisor"]["nodes"] = ["safety", "perception"]
    with ProcessKeeper([specs[name] for name in ("safety", "perception", "supervisor")], tmp_path) as keeper:

        def ended() -> str:
            try:
                keeper.check()
            except AmiError as error:
                return str(error)
            return ""

        text = wait_until(ended, START)
    assert text.startswith(f"perception could not start: model {tmp_path / 'model'}") and "\n" not in text
