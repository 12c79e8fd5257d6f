"""Robots and tools of others: prefixed frames, best-effort topics, compressed pictures, Nav2's commander."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Odometry
from nav_msgs.msg import Path as Plan
from rclpy.action import ActionClient
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from ami_ros.core.geometry import compose, relative
from ami_ros.core.images import image_of
from ami_ros.core.installation import share
from ami_ros.core.robots.derived import node_parameters
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.messages.conversions import pose_from_message, pose_to_message
from ami_ros.ros.node.qos import RELIABLE, SENSOR
from harness import Children

from .conftest import PATIENT

COMMANDER = "nav2_simple_commander"


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Parameters with "__" between the names of groups, as `Stack.add` takes them; empty lists are left out."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{above}__{name}" if above else name
        found |= flat(value, key) if isinstance(value, dict) else {key: value} if value not in ((), []) else {}
    return found


def poses_ahead(stack: Any, odometry: Odometry, frame: str) -> list[PoseStamped]:
    """Two poses in odometry's frame, of two spots that are free in the world."""
    here = pose_from_message(odometry.pose.pose)
    spots = [np.array([1.7, 1.35, 0.4]), np.array([2.2, 1.7, 0.6])]
    found = [compose(here, relative(stack.pose, spot)) for spot in spots]
    return [PoseStamped(header=Header(frame_id=frame), pose=pose_to_message(pose)) for pose in found]


def test_a_robot_with_prefixed_frames_best_effort_topics_and_compressed_pictures_drives_through_poses(
    stack: Any, tmp_path: Path
) -> None:
    """All at once, and by Nav2's action: its poses are in the robot's own odom frame."""
    described = yaml.safe_load(share("config", "robots/ami_bot.yaml").read_text())
    described["frames"] = {name: f"robot1/{frame}" for name, frame in described["frames"].items()}
    described["sensors"][0] |= {"type": "compressed", "frame": "robot1/camera"}
    file = tmp_path / "robot1.yaml"
    file.write_text(yaml.safe_dump(described))
    parameters = node_parameters(load_robot(str(file)))
    stack.ros.node.destroy_publisher(stack._images)  # in one participant a topic has one type
    for name in ("safety", "perception"):
        stack.add(name, **flat(parameters[name]))
    stack.add("planner", **flat(parameters["planner"]) | PATIENT | {"navigator__use_memory": False})
    pictures = stack.ros.node.create_publisher(CompressedImage, "image", SENSOR)
    wheels = stack.ros.node.create_publisher(Odometry, "odom", SENSOR)
    heard: list[Odometry] = []

    def compress(image: Image) -> list[Image]:
        data = cv2.imencode(".png", image_of(image)[..., ::-1])[1].tobytes()
        pictures.publish(CompressedImage(header=image.header, format="rgb8; png compressed bgr8", data=data))
        return []

    def pass_on(odometry: Odometry) -> list[Odometry]:
        heard.append(odometry)
        wheels.publish(odometry)
        return []

    stack.relay, stack.relay_odometry = compress, pass_on
    stack.robot = {"robot": str(file)}
    stack.start()
    stack.ros.spin_until(lambda: stack.states and np.isfinite(stack.states[-1].observation_age), what="percepts")
    assert heard[-1].header.frame_id == "robot1/odom" and heard[-1].child_frame_id == "robot1/base_link"
    plans = stack.ros.collect(Plan, "plan", RELIABLE)
    kind = importlib.import_module("nav2_msgs.action").NavigateThroughPoses
    client = ActionClient(stack.ros.node, kind, "navigate_through_poses")
    stack.ros.spin_until(client.server_is_ready, what="Nav2's action")
    request, poses = kind.Goal(), poses_ahead(stack, heard[-1], "robot1/odom")
    request.poses = poses if isinstance(request.poses, list) else type(request.poses)(goals=poses)
    told: list[Any] = []
    sent = client.send_goal_async(request, lambda message: told.append(message.feedback))
    stack.ros.spin_until(sent.done, what="the answer")
    done = sent.result().get_result_async()
    stack.ros.spin_until(done.done, 120.0, "the end")
    client.destroy()
    assert done.result().status == GoalStatus.STATUS_SUCCEEDED, done.result().result
    assert np.hypot(*(stack.pose - [2.2, 1.7, 0.0])[:2]) < 0.3
    assert {plan.header.frame_id for plan in plans} == {"robot1/odom"}
    assert {feedback.number_of_poses_remaining for feedback in told} == {2, 1}
    assert {command.header.frame_id for command in stack.commands} == {"robot1/base_link"}


PROGRAM = """
import sys
import rclpy
from geometry_msgs.msg import PoseStamped
from nav2_msgs.action import NavigateThroughPoses
from nav2_simple_commander.robot_navigator import BasicNavigator, TaskResult
rclpy.init()
robot = BasicNavigator()
robot.waitUntilNav2Active(navigator="planner", localizer="perception")
poses = []
for text in sys.argv[1:]:
    pose = PoseStamped()
    pose.header.frame_id = "odom"
    at, turn = pose.pose.position, pose.pose.orientation
    at.x, at.y, turn.z, turn.w = map(float, text.split(","))
    poses.append(pose)

def ended(accepted):
    assert accepted
    while not robot.isTaskComplete():
        feedback = robot.getFeedback()
        if feedback:
            assert feedback.distance_remaining >= 0.0
    return robot.getResult()

assert ended(robot.goToPose(poses[0])) is TaskResult.SUCCEEDED
wanted = NavigateThroughPoses.Goal().poses  # since Kilted not a list
through = poses if isinstance(wanted, list) else type(wanted)(goals=poses)
assert ended(robot.goThroughPoses(through)) is TaskResult.SUCCEEDED
accepted = robot.goToPose(poses[0])
while not robot.getFeedback():
    robot.isTaskComplete()
robot.cancelTask()
assert ended(accepted) is TaskResult.CANCELED
print("all is well")
"""


@pytest.mark.skipif(find_spec(COMMANDER) is None, reason=f"{COMMANDER} comes with an apt ROS")
def test_nav2_s_commander_drives_and_cancels(stack: Any, children: Children) -> None:
    heard: list[Odometry] = []

    def pass_on(odometry: Odometry) -> list[Odometry]:
        heard.append(odometry)
        return [odometry]

    stack.relay_odometry = pass_on
    stack.start("safety", "perception", "planner")
    words = []
    for pose in poses_ahead(stack, heard[-1], "odom"):
        at, turn = pose.pose.position, pose.pose.orientation
        words.append(f"{at.x},{at.y},{turn.z},{turn.w}")
    child = children.python("-c", PROGRAM, *words)
    stack.ros.spin_until(lambda: child.code is not None, 240.0, child.output)
    assert child.code == 0 and "all is well" in child.output(), child.output()
    stack.ros.spin_until(lambda: not stack.moves, what="standing, after the goal was cancelled")
