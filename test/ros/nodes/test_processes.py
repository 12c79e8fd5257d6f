"""Nodes as processes: their last word to the robot is zero, and mistakes in the set-up are one line and exit code 2."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from geometry_msgs.msg import TwistStamped

from ami_interfaces.msg import PlannerState
from ami_ros.core.errors import AmiError
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.nodes import memory, perception, planner, world_model
from harness.processes import Children
from harness.ros import RosPeer
from harness.safety_node import Surroundings
from harness.small_model import save_small_model

LEARNED = ("perception", "world_model", "memory", "planner")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The folder of a small model that has learned nothing."""
    return save_small_model(tmp_path / "model")


def moves(space: Surroundings) -> None:
    space.ros.spin_until(lambda: space.moves, 60.0, "motion")


def test_ctrl_c_ends_a_node_cleanly_that_still_imports() -> None:
    importing = "import sys; sys.argv = ['node', '--ros-args']; import ami_ros.ros.nodes, os, signal, time"
    ended = subprocess.run(
        [sys.executable, "-c", f"{importing}; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"],
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


KEEPER = """
import os, subprocess, sys, time
child = subprocess.Popen(
    [sys.executable, "-m", "ami_ros.ros.nodes.safety", "--ros-args"],
    env={**os.environ, "AMI_PARENT": str(os.getpid())}, start_new_session=True,
)
print(child.pid, flush=True)
time.sleep(600)
"""


def test_node_ends_with_a_killed_process_that_it_was_told_to_end_with(ros: RosPeer, children: Children) -> None:
    keeper = children.python("-c", KEEPER)
    ros.spin_until(lambda: "safety" in ros.node.get_node_names(), 60.0, keeper.output)
    node = psutil.Process(int(keeper.output().split()[0]))
    keeper.send(signal.SIGKILL)
    psutil.wait_procs([node], timeout=30.0)
    assert not node.is_running()


def test_node_does_not_start_for_a_process_that_is_gone(children: Children) -> None:
    gone = children.python("-c", "")
    gone.wait()
    node = children.start(
        sys.executable, "-m", "ami_ros.ros.nodes.safety", "--ros-args", environment={"AMI_PARENT": str(gone.pid)}
    )
    assert node.wait(60.0) == 0 and node.output() == ""


@pytest.mark.fault("SIGINT or SIGTERM")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_makes_the_gate_send_zero_and_exit_cleanly(
    ros: RosPeer, children: Children, number: signal.Signals
) -> None:
    child = children.node("safety")
    space = Surroundings(ros)
    moves(space)
    child.send(number)
    child.send(number)  # a second one does no harm
    ros.spin_until(lambda: not space.moves, what="zero")
    assert child.wait() == 0 and "Traceback" not in child.output()


PLANNER = """
import time, rclpy
from geometry_msgs.msg import TwistStamped
rclpy.init()
publisher = rclpy.create_node("planner").create_publisher(TwistStamped, "cmd_vel_raw", 5)
message = TwistStamped()
message.twist.linear.x = 0.2
while True:
    publisher.publish(message)
    time.sleep(0.1)
"""


def test_gate_stops_the_robot_when_the_planner_is_killed(ros: RosPeer, children: Children) -> None:
    children.node("safety")
    space = Surroundings(ros, commands=False)
    planner = children.python("-c", PLANNER)
    moves(space)
    planner.send(signal.SIGKILL)
    ros.spin_until(lambda: not space.moves, what="zero")


def run_node(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", f"ami_ros.ros.nodes.{name}", *arguments], capture_output=True, text=True, timeout=120
    )


def assert_one_line(result: subprocess.CompletedProcess[str], words: str) -> None:
    lines = [line for line in result.stderr.splitlines() if "[rcl]" not in line]
    assert result.returncode == 2 and len(lines) == 1 and words in lines[0], result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--ros-args", "-p", "gate.max_linear:=-1.0"], "max_linear must be greater than 0"),
        (["--verbose"], "unknown arguments --verbose"),
        (["--ros-args", "--params-file", "/nowhere.yaml"], "ROS arguments"),
    ],
    ids=["refused", "argument", "file"],
)
def test_mistake_in_the_set_up_is_one_line_and_exit_code_two(arguments: list[str], words: str) -> None:
    assert_one_line(run_node("safety", *arguments), words)


def damage(folder: Path, how: str) -> None:
    weights = folder / "weights.safetensors"
    if how == "missing":
        weights.unlink()
    elif how == "truncated":
        weights.write_bytes(weights.read_bytes()[:-8])
    elif how == "hash":
        weights.write_bytes(weights.read_bytes()[:-1] + b"x")


@pytest.mark.fault("model missing, damaged, of another version")
@pytest.mark.parametrize("how", ["missing", "truncated", "hash"])
def test_node_refuses_damaged_weights(ros: RosPeer, model: Path, how: str) -> None:
    damage(model, how)
    node = ros.make(perception.PerceptionNode, model=str(model))
    with pytest.raises(AmiError, match="model"):
        node.start()


@pytest.mark.fault("model missing, damaged, of another version")
@pytest.mark.parametrize("node", LEARNED)
def test_every_learned_node_refuses_a_model_of_a_later_version_and_names_it(
    ros: RosPeer, model: Path, node: str
) -> None:
    config = model / "config.yaml"
    config.write_text(config.read_text().replace("format: 2", "format: 99"))
    kinds: dict[str, Callable[..., AmiNode[Any]]] = {
        "perception": perception.PerceptionNode,
        "world_model": world_model.WorldModelNode,
        "memory": memory.MemoryNode,
        "planner": planner.PlannerNode,
    }
    made = ros.make(kinds[node], model=str(model))
    with pytest.raises(AmiError, match=f"model {model}: format 99 .* update ami_ros"):
        made.start()


def test_node_without_a_model_says_so_in_one_line() -> None:
    assert_one_line(run_node("perception"), "parameter 'model' is not set")


def test_composed_stack_starts_and_stops_in_one_process(ros: RosPeer, children: Children, model: Path) -> None:
    parameters = "".join(f"/**/{node}: {{ros__parameters: {{model: {model}}}}}\n" for node in LEARNED)
    file = model / "parameters.yaml"
    file.write_text(parameters)
    child = children.python("-m", "ami_ros.ros.nodes.composed", "--ros-args", "--params-file", os.fspath(file))
    states = ros.collect(PlannerState, "planner/state", RELIABLE)
    commands = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
    planned = ros.collect(TwistStamped, "cmd_vel_raw", RELIABLE)
    ros.spin_until(lambda: states and commands, 90.0, child.output)
    child.send(signal.SIGTERM)
    ros.spin_until(lambda: planned, what="the planner's last command")
    assert planned[-1].twist.linear.x == planned[-1].twist.angular.z == 0.0
    assert child.wait() == 0 and "Traceback" not in child.output(), child.output()


BUSY_NEIGHBOUR = """
import time
from ami_ros.ros.nodes.safety import SafetyNode
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.process import run
from dataclasses import dataclass

@dataclass(frozen=True)
class Nothing:
    pass

class Busy(AmiNode[Nothing], name="busy", parameters=Nothing):
    def configure(self):
        self.every(0.1, self.stay)

    def stay(self):
        print("busy from now on", flush=True)
        time.sleep(1e6)

run(SafetyNode, Busy)
"""


def test_a_node_that_is_busy_does_not_hold_up_the_gate_of_its_process(ros: RosPeer, children: Children) -> None:
    child = children.python("-c", BUSY_NEIGHBOUR)
    child.wait_for_output("busy from now on", 90)
    commands = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
    ros.spin_until(lambda: len(commands) > 20, what=child.output)
    child.send(signal.SIGKILL)
