"""The action run_mission on the kinematic robot: real nodes, real topics."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from rclpy.action import ActionClient
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from ami_interfaces.action import RunMission
from ami_interfaces.msg import NavigationGoal
from ami_ros.behaviour.mission_file import MissionFile
from ami_ros.core.errors import AmiError
from ami_ros.ros.messages.conversions import header_at, pose_to_message
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.ros.start.graph import ProcessSpec
from ami_ros.ros.start.processes import ProcessKeeper

Request, Result = RunMission.Goal, RunMission.Result
PATIENT = {"planner_silence": 60.0}
SLACK = {f"patience__{name}": 20.0 for name in ("observation_timeout", "plan_timeout", "silence_timeout")}


def pose_goal(x: float, y: float, yaw: float = 0.0, frame: str = "odom") -> NavigationGoal:
    pose = PoseStamped(header=header_at(0.0, frame), pose=pose_to_message(np.array([x, y, yaw])))
    return NavigationGoal(type=NavigationGoal.TYPE_POSE, pose=pose)


class Client:
    """Sends missions."""

    def __init__(self, stack: Any, action: str = "run_mission") -> None:
        self.stack = stack
        self.client = ActionClient(stack.ros.node, RunMission, action)
        self.feedback: list[Any] = []
        self.said = stack.ros.collect(String, "mission/decision", RELIABLE)
        stack.ros.spin_until(self.client.server_is_ready, 60.0, "the action run_mission")

    def send(self, request: RunMission.Goal) -> Any:
        sent = self.client.send_goal_async(request, lambda message: self.feedback.append(message.feedback))
        self.stack.ros.spin_until(sent.done, what="answer to the mission")
        return sent.result()

    def result(self, handle: Any) -> tuple[int, RunMission.Result]:
        future = handle.get_result_async()
        self.stack.ros.spin_until(future.done, 240.0, lambda: f"result; last feedback {self.feedback[-1:]}")
        return future.result().status, future.result().result

    def spin_until_goal(self, index: int, deadline: float = 120.0) -> None:
        """Waits until the mission says that it is at goal `index`; its first word may come after the robot moves."""

        def reached() -> bool:
            return bool(self.feedback) and self.feedback[-1].index == index

        self.stack.ros.spin_until(reached, deadline, lambda: f"goal {index}; last feedback {self.feedback[-1:]}")

    def drive_off(self, request: RunMission.Goal) -> Any:
        handle = self.send(request)
        assert handle.accepted
        self.stack.ros.spin_until(lambda: self.stack.moves, 60.0, "the robot's moving")
        return handle


@pytest.fixture
def client(stack: Any, tmp_path: Path) -> Any:
    """A mission node beside the others, and its client."""
    stack.start("safety", "perception", "planner")
    stack.add("mission", mission_file=str(tmp_path / "mission"), **PATIENT)
    made = Client(stack)
    yield made
    made.client.destroy()


def ahead(stack: Any, metres: float) -> NavigationGoal:
    """A pose in odom straight ahead of where the robot stands at its start, headed as it is."""
    x, y, yaw = stack.nodes["planner"].part.percepts.odometry.pose
    return pose_goal(x + metres * np.cos(yaw), y + metres * np.sin(yaw), yaw)


def test_goals_are_reached_in_order_and_nothing_is_left(stack: Any, client: Client, tmp_path: Path) -> None:
    picture = stack.picture_goal((2.2, 1.6, 0.4)).goal
    handle = client.send(Request(goals=[ahead(stack, 0.6), picture], waits=[0.4, 0.0]))
    status, result = client.result(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED and result.error_code == Result.NONE, result.error_msg
    assert result.reached == 2 and list(result.order) == [0, 1] and list(result.goal_codes) == [0, 0]
    assert {f.index for f in client.feedback} == {-1, 0, 1} and client.feedback[0].remaining == 2
    assert any("goal 2 of 2" in said.data for said in client.said)
    stack.ros.spin_until(lambda: not stack.moves, what="standing still")
    assert np.hypot(*(stack.pose[:2] - [2.2, 1.6])) < 0.3
    assert not (tmp_path / "mission").exists()


def test_cancel_stops_the_robot_and_ends_the_mission_for_good(stack: Any, client: Client, tmp_path: Path) -> None:
    handle = client.drive_off(Request(goals=[ahead(stack, 1.5)]))
    assert (tmp_path / "mission").exists()
    words = [stack.ros.collect(String, f"{node}/decision", LATCHED) for node in ("planner", "mission")]
    canceling = handle.cancel_goal_async()
    stack.ros.spin_until(canceling.done)
    status, result = client.result(handle)
    assert status == GoalStatus.STATUS_CANCELED and result.error_code == Result.CANCELED
    stack.ros.spin_until(lambda: not stack.moves, what="standing still")
    stack.ros.spin_until(lambda: all(said and "cancelled" in said[-1].data for said in words), what="both to say so")
    assert not (tmp_path / "mission").exists()
    assert not client.send(Request(kind=Request.RESUME)).accepted


def test_newer_mission_takes_the_place_of_the_older(stack: Any, client: Client) -> None:
    older = client.drive_off(Request(goals=[ahead(stack, 1.5)]))
    newer = client.send(Request(goals=[ahead(stack, 0.4)]))
    assert client.result(older)[1].error_code == Result.PREEMPTED
    status, result = client.result(newer)
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg


def test_mission_goes_on_after_its_own_restart_and_after_the_planners(
    stack: Any, client: Client, tmp_path: Path
) -> None:
    goals = [ahead(stack, 0.3), ahead(stack, 1.2)]
    handle = client.drive_off(Request(goals=goals))
    client.spin_until_goal(1)
    node = stack.nodes.pop("mission")
    node.trigger_deactivate()
    assert client.result(handle)[1].error_code == Result.DEACTIVATED
    node.stop()
    stack.nodes.pop("planner").stop()
    stack.ros.spin_until(lambda: not stack.moves, what="standing still")
    stack.add("mission", mission_file=str(tmp_path / "mission"), **PATIENT)
    stack.add("planner", navigator__use_memory=False, **SLACK)
    again = client.send(Request(kind=Request.RESUME))
    assert again.accepted
    status, result = client.result(again)
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert result.reached == 2 and result.tries[0] == 1, "the first goal was driven to again"


def test_an_emergency_stop_leaves_the_mission_to_be_resumed_once_it_is_released(
    stack: Any, client: Client, tmp_path: Path
) -> None:
    handle = client.drive_off(Request(goals=[ahead(stack, 1.0)]))
    button = stack.ros.node.create_publisher(Bool, "emergency_stop", RELIABLE)
    stack.ros.spin_until(lambda: button.get_subscription_count(), what="the gate to listen")
    button.publish(Bool(data=True))
    status, result = client.result(handle)
    assert status == GoalStatus.STATUS_ABORTED and result.error_code == Result.EMERGENCY_STOP
    assert "release" in result.error_msg and result.tries[0] == 0
    assert MissionFile(tmp_path / "mission").age() == np.inf  # a node that is started again does not go on by itself
    assert client.result(client.send(Request(kind=Request.RESUME)))[1].error_code == Result.EMERGENCY_STOP
    assert stack.ros.call(Trigger, "safety/release", Trigger.Request()).success
    status, result = client.result(client.send(Request(kind=Request.RESUME)))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg


def test_a_goal_that_somebody_else_sends_ends_the_mission(stack: Any, client: Client) -> None:
    handle = client.drive_off(Request(goals=[ahead(stack, 1.5)]))
    stack.send(stack.picture_goal((1.4, 1.4, 0.3)))
    status, result = client.result(handle)
    assert status == GoalStatus.STATUS_ABORTED and result.error_code == Result.TAKEN_OVER


BAD: dict[str, Callable[[], RunMission.Goal]] = {
    "no goals": lambda: Request(),
    "unknown kind": lambda: Request(kind=9, goals=[pose_goal(0.0, 0.0)]),
    "unknown frame": lambda: Request(goals=[pose_goal(0.0, 0.0, frame="moon")]),
    "pose that is none": lambda: Request(goals=[pose_goal(float("nan"), 0.0)]),
    "goal without type": lambda: Request(goals=[NavigationGoal()]),
    "picture that is none": lambda: Request(
        goals=[NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=CompressedImage(format="jpeg", data=b"no"))]
    ),
    "place without name": lambda: Request(goals=[NavigationGoal(type=NavigationGoal.TYPE_PLACE)]),
    "waits of others": lambda: Request(goals=[pose_goal(0.0, 0.0)], waits=[1.0, 2.0]),
    "wait that is none": lambda: Request(goals=[pose_goal(0.0, 0.0)], waits=[float("nan")]),
    "nothing to resume": lambda: Request(kind=Request.RESUME),
}


def test_bad_missions_are_rejected_and_the_robot_stands(stack: Any) -> None:
    stack.add("mission")
    client = Client(stack)
    for name, request in BAD.items():
        assert not client.send(request()).accepted, name
    client.client.destroy()


@pytest.mark.parametrize("content", ["{}", json.dumps({"format": "shopping list"}), "\x00"])
def test_node_does_not_start_on_a_file_that_is_no_mission(stack: Any, tmp_path: Path, content: str) -> None:
    (tmp_path / "mission").write_text(content)
    with pytest.raises(AmiError, match="not a mission of ami_ros"):
        stack.add("mission", mission_file=str(tmp_path / "mission"))


@pytest.mark.parametrize("age", [1e9, -30.0], ids=["old", "from the future: the clock was set back"])
def test_a_mission_whose_age_forbids_it_waits_until_it_is_asked_for(stack: Any, tmp_path: Path, age: float) -> None:
    goal = {"kind": "pose", "pose": [1.0, 1.0, 0.0]}
    mission = {"plan": {"goals": [goal]}, "progress": {"records": [{}]}}
    content = {"format": "ami_ros mission", "version": 1, "saved": time.time() - age, "mission": mission}
    (tmp_path / "mission").write_text(json.dumps(content))
    # In a namespace of its own: a planner that another test has killed may be heard of for a while yet.
    node = stack.add("mission", "/alone", mission_file=str(tmp_path / "mission"))
    client = Client(stack, "/alone/run_mission")
    assert node.runner.task is None
    assert client.send(Request(kind=Request.RESUME)).accepted
    stack.ros.spin_until(
        lambda: any(f.message == "waiting for the planner" for f in client.feedback), 60.0, lambda: str(client.feedback)
    )
    client.client.destroy()


def test_exploring_learns_the_room_and_comes_back(stack: Any) -> None:
    stack.start("safety", "perception", "memory", "planner", use_memory=True)
    stack.add("mission", **PATIENT)
    client, start = Client(stack), stack.pose
    request = Request(kind=Request.EXPLORE)
    request.time_allowance.sec = 10
    status, result = client.result(client.send(request))
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert len(stack.nodes["memory"].memory) > 2 and np.hypot(*(stack.pose[:2] - start[:2])) < 0.4
    assert any(f.phase == RunMission.Feedback.RETURNING for f in client.feedback)
    client.client.destroy()


@pytest.mark.fault("any process is killed")
def test_mission_survives_that_its_node_is_killed(stack: Any, tmp_path: Path) -> None:
    stack.start("safety", "perception", "planner", **SLACK)
    start, file = stack.pose, tmp_path / "mission"
    parameters = {"use_sim_time": True, "mission_file": str(file), **PATIENT}
    spec = ProcessSpec("mission", {"mission": parameters}, (), {}, "", "info", respawn=True)
    with ProcessKeeper([spec], tmp_path) as keeper:
        client = Client(stack)
        client.drive_off(RunMission.Goal(goals=[ahead(stack, 0.3), ahead(stack, 1.2)]))
        client.spin_until_goal(1, 300.0)
        assert file.exists()
        said = len(client.said)
        os.kill(keeper.pids()["mission"], signal.SIGKILL)
        stack.ros.spin_until(lambda: len(client.said) > said, 120.0, "a word of the node that was started again")
        stack.ros.spin_until(lambda: not file.exists(), 300.0, lambda: f"the end; said {client.said[-1:]}")
        assert keeper.processes["mission"].respawns == 1
    assert not any("goal 1 of 2" in message.data for message in client.said[said:]), "it began anew"
    stack.ros.spin_until(lambda: not stack.moves, what="standing still")
    goal = start[:2] + 1.2 * np.array([np.cos(start[2]), np.sin(start[2])])
    assert np.hypot(*(stack.pose[:2] - goal)) < 0.3
    client.client.destroy()
