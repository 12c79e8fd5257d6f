"""Parameters that are set while the nodes run change what they do."""

from __future__ import annotations

from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from rcl_interfaces.srv import SetParameters
from rclpy.parameter import Parameter

from ami_interfaces.msg import Latent, Location, Surprise
from ami_ros.ros.messages.conversions import stamp_of
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.nodes.mission import MissionNode
from ami_ros.ros.nodes.supervisor import SupervisorNode
from ami_ros.runtime.supervision import SupervisionConfig
from harness.ros import RosPeer
from harness.safety_node import Bench


def set_parameters(ros: RosPeer, node: str, **values: Any) -> list[str]:
    """Why each was refused, as a client of the node hears it; "" if it was not. Double underscores are dots."""
    asked = [Parameter(name.replace("__", "."), value=value).to_parameter_msg() for name, value in values.items()]
    answer = ros.call(SetParameters, f"{node}/set_parameters", SetParameters.Request(parameters=asked))
    return [result.reason for result in answer.results]


def gaps(messages: list[Any]) -> Any:
    return np.diff([stamp_of(message) for message in messages])


def test_the_gate_can_be_made_more_careful_and_never_less_than_it_was_started(ros: RosPeer) -> None:
    patient: dict[str, Any] = {f"gate__{name}_timeout": 5.0 for name in ("command", "scan", "silence", "clock")}
    gate = Bench(ros, reading=6.0, **patient)
    gate.wish.twist.linear.x, sent = 0.4, gate.sent
    ros.spin_until(lambda: sent and sent[-1].twist.linear.x == 0.4, what="full speed")
    assert set_parameters(ros, "safety", gate__max_linear=0.1) == [""]
    ros.spin_until(lambda: sent[-1].twist.linear.x == 0.1, what="the new limit")
    looser = set_parameters(ros, "safety", gate__max_linear=0.6, gate__margin=0.0, gate__require_scan=False)
    assert all(looser) and "at most 0.5" in looser[0] and "at least 0.03" in looser[1]
    assert set_parameters(ros, "safety", gate__max_linear=0.5) == [""]
    ros.spin_until(lambda: sent[-1].twist.linear.x == 0.4, what="full speed again")
    assert set_parameters(ros, "safety", gate__margin=5.7) == [""]
    ros.spin_until(lambda: sent[-1].twist.linear.x < 0.4, what="a margin as wide as the room")


def test_rates_thresholds_and_tolerances_of_a_running_stack_can_be_set(stack: Any) -> None:
    ros = stack.ros
    latents, surprises = ros.collect(Latent, "latent"), ros.collect(Surprise, "surprise", RELIABLE)
    locations = ros.collect(Location, "location", RELIABLE)
    stack.start("safety", "perception", "world_model", "memory", "planner")
    assert set_parameters(ros, "world_model", threshold=0.25, window=50) == ["", ""]
    assert set_parameters(ros, "memory", observe_period=1.0) == [""]

    bad = set_parameters(ros, "planner", navigator__planner__costs__plugins=["no_such_cost"], model="/elsewhere")
    assert all(bad) and "no_such_cost" in bad[0]
    tolerant = {"navigator__distance_tolerance": 9.0, "navigator__angle_tolerance": 4.0}
    assert set_parameters(ros, "planner", **tolerant, control_rate=20.0) == ["", "", ""]
    status, result = stack.result(stack.send(stack.picture_goal((3.0, 2.8, 0.0))))
    assert status == GoalStatus.STATUS_SUCCEEDED and result.final_distance > 1.5, "it need not drive any more"

    strict = {"navigator__distance_tolerance": 0.1, "navigator__planner__kinematics__max_linear": 0.12}
    assert set_parameters(ros, "planner", **strict) == ["", ""]
    del stack.planned[:], locations[:], surprises[:]
    stack.drive_off()
    ros.spin_until(lambda: len(stack.planned) > 40 and len(locations) > 3 and surprises, 60.0, "driving")
    assert max(message.twist.linear.x for message in stack.planned) <= 0.12 + 1e-6
    assert stack.nodes["planner"].part._timer.timer.timer_period_ns == 50_000_000
    assert min(gaps(locations)[1:]) > 0.9 and surprises[-1].threshold == 0.25

    assert set_parameters(ros, "perception", max_rate=2.0) == [""]
    del latents[:]
    ros.spin_until(lambda: len(latents) > 4, what="latents")
    assert min(gaps(latents)[1:]) > 0.35

    robot = stack.nodes["loopback"]
    assert set_parameters(ros, "loopback", real_time_factor=0.25) == [""] and robot.loop.factor == 0.25


def test_patience_of_missions_and_of_the_supervisor_can_be_set(ros: RosPeer) -> None:
    mission, supervisor = ros.start(MissionNode), ros.start(SupervisorNode)
    assert set_parameters(ros, "mission", planner_silence=1.5, rate=20.0, exploration__known=0.9) == ["", "", ""]
    assert mission.runner.silence == 1.5 and mission._timer.timer_period_ns == 50_000_000
    assert mission.config.exploration.known == 0.9
    assert set_parameters(ros, "supervisor", supervision__max_restarts=2) == [""]
    assert "must be greater than 0" in set_parameters(ros, "supervisor", supervision__window=-1.0)[0]
    assert supervisor._supervision.config == SupervisionConfig(max_restarts=2)
