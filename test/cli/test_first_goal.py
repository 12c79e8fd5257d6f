"""From a robot that nobody has described to its first goal: each command of docs/tutorials/unknown_robot.md, on a drawn
robot that stands in for the stranger's."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped, TwistStamped

from ami_ros.cli.data import extract
from ami_ros.cli.describing import doctor
from ami_ros.cli.memory import remember
from ami_ros.cli.options import train
from ami_ros.ros.messages.conversions import pose_from_message
from ami_ros.ros.node.qos import RELIABLE, SENSOR
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.learning.dataset import Dataset
from harness import Children
from harness.processes import ChildProcess
from harness.ros import RosPeer

ROBOT, WORLD = "drawn:7", "empty"
SECONDS = 10.0  # of recording
# Of a drive in the domain that the test's own process has claimed.
DRIVE = (
    "import sys, ami_ros.ros.start.domain as d; d.claim_domain = lambda wanted: wanted;"
    "from ami_ros.cli.main import run; run(sys.argv[1:])"
)


def fits(deadline: float) -> bool:
    """Whether the robot fits its description within `deadline` [s]. On a busy machine its messages may be too rare."""
    end = time.monotonic() + deadline
    while doctor(robot="office.yaml", seconds=4.0) != 0:
        if time.monotonic() > end:
            return False
    return True


def until_ended(ros: RosPeer, child: ChildProcess, deadline: float) -> str:
    """What a command wrote, once it has ended well."""
    ros.spin_until(lambda: child.code is not None, deadline, child.output)
    assert child.code == 0, child.output()
    return child.output()


def has_ended(child: ChildProcess) -> bool:
    return child.code is not None


def sent(ros: RosPeer, children: Children, goal: str) -> str:
    """What `goto` wrote, once the robot was there. In a bare room memory may need a second look to know where it is:
    the message says to send the goal again, as it is done here."""
    for _ in range(3):
        there = children.python("-m", "ami_ros.cli", "goto", "--timeout", "90", goal)
        ros.spin_until(partial(has_ended, there), 200.0, there.output)
        if "send it again" not in there.output():
            break
    assert there.code == 0, there.output()
    return there.output()


@pytest.mark.timeout(900)  # a busy machine takes minutes for what an idle one does in one
def test_every_step_from_an_unknown_robot_to_its_first_goal(
    ros: RosPeer, children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    parameters = ["-p", f"robot:={ROBOT}", "-p", f"world:={WORLD}", "-p", "start_pose:=[1.5, 1.5, 0.3]"]
    children.python("-m", "ami_ros.ros.nodes.simulator", "--ros-args", *parameters)
    truth = ros.collect(PoseStamped, "ground_truth", SENSOR)
    ros.spin_until(lambda: truth, 60.0, "the robot")

    # What does it offer?
    doctor(write=Path("office.yaml"), seconds=4.0)
    assert "ami_bot" not in capsys.readouterr().out  # nobody asked for a comparison with a robot that is not there
    assert fits(120.0), capsys.readouterr().out

    # What does the place look like? Somebody drives it by hand.
    recording = children.python(
        "-m", "ami_ros.cli", "record", "--out", "run1", "--robot", "office.yaml", "--max-duration", str(SECONDS)
    )
    hand = ros.node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
    commands = iter(range(10**6))

    def drive() -> None:
        command = TwistStamped()
        command.header.stamp = truth[-1].header.stamp
        command.twist.linear.x, command.twist.angular.z = 0.15, 0.5 * (1 if next(commands) // 60 % 3 else -1)
        hand.publish(command)

    by_hand = ros.node.create_timer(0.1, drive)
    said = until_ended(ros, recording, 120.0)
    ros.node.destroy_timer(by_hand)
    hand.publish(TwistStamped())
    assert "messages are in run1" in said
    assert doctor(robot="office.yaml", bag=Path("run1")) == 0, capsys.readouterr().out
    extract([Path("run1")], Path("data"), robot="office.yaml")
    assert len(Dataset(Path("data"))) > 0.5 * SECONDS / 0.2

    # One step of training, from a model that knows much: enough to be driven by.
    few = ["head_steps=1", "sight_steps=1", "batch=4"]
    train([Path("data")], Path("model"), robot="office.yaml", start=Path("general"), steps=1, threads=1, settings=few)
    remember(Path("model"), Path("office.memory"), [Path("run1")])
    assert Path("office.memory").is_file()

    # Go.
    stack = children.start(
        sys.executable, "-c", DRIVE, "drive", "--robot", "office.yaml", "--model", "model", "--memory", "office.memory",
        "--sim-time", "--composed", environment={"ROS_DOMAIN_ID": os.environ["ROS_DOMAIN_ID"]},
    )  # fmt: skip
    ros.spin_until(lambda: "ready" in stack.output() or stack.code is not None, 150.0, stack.output)
    assert stack.code is None, stack.output()
    before = pose_from_message(truth[-1].pose)
    said = sent(ros, children, "0.5,0.3")
    assert re.search(r"reached: .*; 0\.\d\d m from the goal", said), said
    assert np.hypot(*(pose_from_message(truth[-1].pose) - before)[:2]) > 0.05

    # A trial of one goal, where the robot stands: mark it, send it there, and say that it is.
    assert fits(120.0), capsys.readouterr().out  # else it asks whether to go on all the same
    typed = r"printf '\n\ny\n0.1\n0\n\n'"
    options = "--attach --sim-time --robot office.yaml --out trial --goals 1 --minutes 0"
    trial = children.start("bash", "-c", f"{typed} | {shlex.quote(sys.executable)} -m ami_ros.cli trial {options}")
    said = until_ended(ros, trial, 200.0)
    assert "goals 1, reached 1, off_by_tape_median_m 0.1" in said, said
    found = json.loads(Path("trial/trial.json").read_text())
    assert found["done"] == ["doctor", "drive", "explore", "goals"] and found["goals"][0]["off_m"] == 0.1
    with BagReader(Path("trial/bag_1")) as bag:
        assert any(topic.count for topic in bag.topics.values())
    stack.send(signal.SIGINT)
    until_ended(ros, stack, 60.0)
    assert "Traceback" not in stack.output()
