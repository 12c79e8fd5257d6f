"""The stack on a robot that also drives sideways: linear.y from end to end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import Twist, TwistStamped

from ami_interfaces.msg import Latent, Rollout
from ami_interfaces.srv import Predict
from ami_ros.ros.node.qos import RELIABLE, SENSOR
from harness.exact_model import OMNIDIRECTIONAL, ExactModel

from .conftest import SLOW, stand_for

START = (2.0, 1.3, 0.0)
DRIVE = {
    "navigator__planner__kinematics__drive": "omnidirectional",
    "navigator__planner__deadline": 1.0,  # the machine may be busy: the robot is slow, searches are not cut short
    "navigator__planner__solver__adapt": False,
}
GATE = {"gate__max_lateral": 0.4}


@pytest.fixture
def sideways(stack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stack whose robot and model take three numbers; the gate is still to be started."""
    stand_for(tmp_path, ExactModel(OMNIDIRECTIONAL), monkeypatch)
    stack.robot = {"robot": "ami_bot_omnidirectional", "start_pose": list(START), "real_time_factor": SLOW}
    stack.add("safety", **GATE)
    return stack


def test_a_goal_beside_the_robot_is_reached_by_linear_y(sideways: Any) -> None:
    rollouts = sideways.ros.collect(Rollout, "planner/rollout", RELIABLE)
    sideways.start("perception", "memory", "world_model", "planner", **DRIVE)
    status, result = sideways.result(sideways.send(sideways.picture_goal((2.0, 2.2, 0.0))), 240.0)
    assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert np.hypot(*(sideways.pose[:2] - (2.0, 2.2))) < 0.2
    assert max(message.twist.linear.y for message in sideways.commands) > 0.2
    assert max(command.linear.y for command in rollouts[0].commands) > 0.05


def test_the_gate_stops_a_drive_to_the_side_at_a_wall(sideways: Any) -> None:
    sideways.robot["start_pose"] = [START[0], 2.9, 0.0]
    sideways.start()
    said = sideways.ros.collect(DiagnosticStatus, "safety/status", RELIABLE)
    wishes = sideways.ros.node.create_publisher(TwistStamped, "cmd_vel_raw", RELIABLE)
    wish = TwistStamped(twist=Twist())
    wish.twist.linear.y = 0.4
    sideways.ros.node.create_timer(0.05, lambda: wishes.publish(wish))
    sideways.ros.spin_until(lambda: said and said[-1].message == "obstacle ahead", what="the wall")
    assert max(message.twist.linear.y for message in sideways.commands) > 0.3, "it drove sideways"
    sideways.ros.spin_until(lambda: 3.95 - 0.18 - sideways.pose[1] < 0.12, what="the way to the wall")
    sideways.ros.spin_until(lambda: abs(sideways.commands[-1].twist.linear.y) < 0.02, what="standing at the wall")
    assert 3.95 - 0.18 - sideways.pose[1] > 0.0 and abs(sideways.pose[0] - START[0]) < 0.05


def test_it_is_asked_what_driving_sideways_would_do(sideways: Any) -> None:
    sideways.start("perception", "world_model")
    latents = sideways.ros.collect(Latent, "latent", SENSOR)
    sideways.ros.spin_until(lambda: latents, what="a latent")
    aside = Twist()
    aside.linear.y = -0.3
    answer = sideways.ros.call(
        Predict, "world_model/predict", Predict.Request(use_current=True, commands=[aside] * 2, return_latents=True)
    )
    assert answer.success, answer.error_msg
    ends = [latent.data[1] - latents[-1].data[1] for latent in answer.rollout.latents]
    assert ends == pytest.approx([-0.18, -0.36], abs=0.02)


def test_a_planner_that_is_not_told_the_drive_says_so_in_one_line(sideways: Any) -> None:
    with pytest.raises(Exception, match=r"set kinematics\.drive"):
        sideways.add("planner", navigator__use_memory=False)
