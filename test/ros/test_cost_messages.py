"""Which cost decided, as others read it."""

from __future__ import annotations

import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from std_msgs.msg import Header

from ami_ros.planning.costs import CostShare
from ami_ros.ros.planner_topics import costs_message


def test_each_cost_is_told_with_its_value_and_pull_and_one_decided() -> None:
    shares = (CostShare("goal", 1.25, 0.0), CostShare("obstacles", 0.5, 0.75))
    message = costs_message(shares, Header(frame_id="odom"))
    assert message.header.frame_id == "odom"
    assert [(s.name, s.message) for s in message.status] == [("goal", ""), ("obstacles", "decided")]
    values = {v.key: float(v.value) for v in message.status[1].values}
    assert values == {"value": 0.5, "pull": 0.75}
