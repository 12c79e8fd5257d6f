"""The stack around a kinematic robot, in this process: real nodes, real topics, a model that is exactly right."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Pose2D, PoseStamped, TwistStamped
from nav_msgs.msg import Odometry
from numpy.typing import NDArray
from rclpy.action import ActionClient
from sensor_msgs.msg import Image

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal, PlannerState
from ami_interfaces.srv import Photograph
from ami_ros.ros import models
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE, SENSOR
from ami_ros.ros.nodes.loopback import LoopbackNode
from ami_ros.ros.nodes.memory import MemoryNode
from ami_ros.ros.nodes.mission import MissionNode
from ami_ros.ros.nodes.perception import PerceptionNode
from ami_ros.ros.nodes.planner import PlannerNode
from ami_ros.ros.nodes.safety import SafetyNode
from ami_ros.ros.nodes.world_model import WorldModelNode
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.torch_model import LoadedModel, load_model
from harness.exact_model import IMAGE_SIZE, ExactModel
from harness.ros import RosPeer
from harness.safety_node import Bench

SLOW = 0.5  # real-time factor: a loaded machine keeps up
PATIENT = {f"patience__{name}": 5.0 for name in ("observation_timeout", "plan_timeout", "silence_timeout")}
START = (1.2, 1.2, 0.3)
NODES: dict[str, Callable[..., AmiNode[Any]]] = {
    "safety": SafetyNode,
    "perception": PerceptionNode,
    "world_model": WorldModelNode,
    "memory": MemoryNode,
    "planner": PlannerNode,
    "mission": MissionNode,
}


class Stack:
    """Robot, nodes, and a peer that sees everything; images and odometry pass relays, where a test can spoil them."""

    def __init__(self, ros: RosPeer, model: Path) -> None:
        self.ros, self.model = ros, model
        self.robot: dict[str, Any] = {}  # parameters of the robot beside the usual
        self.relay: Callable[[Image], list[Image]] = lambda image: [image]
        self.relay_odometry: Callable[[Odometry], list[Odometry]] = lambda odometry: [odometry]
        self.nodes: dict[str, AmiNode[Any]] = {}
        self.commands = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
        self.planned = ros.collect(TwistStamped, "cmd_vel_raw", RELIABLE)
        self.states = ros.collect(PlannerState, "planner/state", RELIABLE)
        self.truth = ros.collect(PoseStamped, "ground_truth", SENSOR)
        self._images = ros.node.create_publisher(Image, "image", 5)
        ros.node.create_subscription(Image, "camera", self._pass_on, SENSOR)
        self._odometry = ros.node.create_publisher(Odometry, "odom", 5)
        ros.node.create_subscription(Odometry, "wheels", self._pass_odometry_on, SENSOR)
        self.client = ActionClient(ros.node, NavigateToGoal, "navigate_to_goal")

    def _pass_on(self, image: Image) -> None:
        for message in self.relay(copy.copy(image)):
            self._images.publish(message)

    def _pass_odometry_on(self, odometry: Odometry) -> None:
        for message in self.relay_odometry(odometry):
            self._odometry.publish(message)

    def add(self, name: str, namespace: str = "", **parameters: Any) -> Any:
        """Starts a node; dots in the names of parameters are double underscores."""
        values: dict[str, Any] = {"use_sim_time": True, **parameters}
        if name not in ("safety", "loopback", "mission"):
            values.setdefault("model", str(self.model))
        make = NODES.get(name, LoopbackNode)
        remap = ["--ros-args", "-r", "image:=camera", "-r", "odom:=wheels"] if name == "loopback" else None
        if namespace:
            remap = ["--ros-args", "-r", f"__ns:={namespace}"]
        self.nodes[name] = self.ros.make(make, remap, **values)
        self.nodes[name].start()
        return self.nodes[name]

    def start(self, *names: str, use_memory: bool = False, **planner: Any) -> None:
        """Starts nodes, then the robot, and waits until both sides are there."""
        for name in names:
            options = {"navigator__use_memory": use_memory, **PATIENT, **planner} if name == "planner" else {}
            self.add(name, **options)
        usual: dict[str, Any] = {"start_pose": list(START), "image_size": IMAGE_SIZE}
        self.add("loopback", use_sim_time=False, world="empty", noise_scale=0.0, **usual | self.robot)
        self.ros.spin_until(lambda: self.truth and self.commands, what="robot and gate")
        if "planner" in names:
            self.ros.spin_until(self.client.server_is_ready, 60.0, "the planner's action")
            self.ros.spin_until(lambda: self.states and np.isfinite(self.states[-1].observation_age), what="percepts")

    def picture_goal(self, pose: tuple[float, float, float]) -> NavigateToGoal.Goal:
        """The goal to go where the picture of `pose` is taken."""
        x, y, yaw = pose
        answer = self.ros.call(Photograph, "loopback/photograph", Photograph.Request(pose=Pose2D(x=x, y=y, theta=yaw)))
        assert answer.success
        return NavigateToGoal.Goal(goal=NavigationGoal(type=NavigationGoal.TYPE_IMAGE, image=answer.image))

    def send(self, goal: NavigateToGoal.Goal, feedback: Callable[[Any], None] | None = None) -> Any:
        """Sends a goal and returns its handle."""
        sent = self.client.send_goal_async(goal, feedback)
        self.ros.spin_until(sent.done, what="answer to the goal")
        return sent.result()

    def result(self, handle: Any, deadline: float = 120.0) -> tuple[int, NavigateToGoal.Result]:
        """Status and result of a goal."""
        future = handle.get_result_async()
        self.ros.spin_until(future.done, deadline, lambda: f"result; last state {self.states[-1:]}")
        return future.result().status, future.result().result

    def drive_off(self, pose: tuple[float, float, float] = (3.0, 2.8, 0.0)) -> Any:
        """Sends a goal, and returns its handle once the robot moves."""
        handle = self.send(self.picture_goal(pose))
        assert handle.accepted
        self.ros.spin_until(lambda: self.moves, what="the robot's moving")
        return handle

    @property
    def moves(self) -> bool:
        """The newest command that reached the robot is not zero."""
        twist = self.commands[-1].twist
        return bool(twist.linear.x or twist.linear.y or twist.angular.z)

    @property
    def state(self) -> PlannerState:
        """The planner's newest state."""
        return self.states[-1]

    @property
    def pose(self) -> NDArray[np.float64]:
        """Where the robot truly is."""
        return pose_from_message(self.truth[-1].pose)

    def close(self) -> None:
        """Stops the nodes."""
        for node in self.nodes.values():
            node.stop()  # all, before the peer destroys the first
        self.client.destroy()


def stand_for(folder: Path, model: ExactModel, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, empty, that nodes of this process take for that of `model`."""
    empty = folder.with_name(f"{folder.name}_exact")
    empty.mkdir(exist_ok=True)
    exact = LoadedModel(model, "exact", "0" * 64)
    arrays = replace(exact, model=on_arrays(model))
    loaded = {models._load_arrays: arrays, load_model: exact}
    for load, found in loaded.items():
        monkeypatch.setitem(models._loaded, (load, empty.resolve()), ([], found))
    return empty


@pytest.fixture
def stack(ros: RosPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """See `Stack`."""
    stack = Stack(ros, stand_for(tmp_path, ExactModel(), monkeypatch))
    yield stack
    stack.close()


@pytest.fixture(scope="module")
def shared_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The same for all tests of a module, which leave it as they found it; the first of them starts it.

    Tests of that module with a `stack` of their own stand before them: both would be on the same topics.
    """
    ros = RosPeer()
    with pytest.MonkeyPatch.context() as patch:
        stack = Stack(ros, stand_for(tmp_path_factory.mktemp("shared"), ExactModel(), patch))
        yield stack
        stack.close()
        ros.close()


@pytest.fixture
def bench(ros: RosPeer) -> Callable[..., Bench]:
    """A safety gate of its own, by parameters."""
    return lambda **parameters: Bench(ros, **parameters)
