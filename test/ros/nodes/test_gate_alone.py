"""The gate as its launch file starts it behind Nav2: processes of its own, commands from elsewhere, no planner."""

from __future__ import annotations

import array
import math
import os
import signal
from pathlib import Path

import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from sensor_msgs.msg import LaserScan

from ami_ros.core.config import dump_yaml
from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.start.graph import Arguments, processes
from ami_ros.ros.start.processes import ProcessKeeper
from harness.ros import RosPeer


@pytest.mark.timeout(240)
def test_a_twist_from_elsewhere_passes_the_gate_until_something_stands_ahead_or_the_gate_dies(
    ros: RosPeer, tmp_path: Path
) -> None:
    file = tmp_path / "twist.yaml"
    plain = {"ros__parameters": {"enable_stamped_cmd_vel": False}}
    file.write_text(dump_yaml({"/**/safety": plain, "/**/supervisor": plain}))
    arguments = Arguments(cmd_vel_in_topic="cmd_vel_smoothed", params_file=str(file))
    sent, wall = ros.collect(Twist, "cmd_vel", RELIABLE), [3.0]
    commands = ros.node.create_publisher(Twist, "cmd_vel_smoothed", 5)
    scans, odometry = ros.node.create_publisher(LaserScan, "scan", 5), ros.node.create_publisher(Odometry, "odom", 5)

    def speak() -> None:
        now = ros.node.get_clock().now().nanoseconds * 1e-9
        ranges = array.array("f", wall * 72)
        header = header_at(now, "base_link")
        scan = LaserScan(header=header, angle_min=-math.pi, angle_increment=math.pi / 36, range_min=0.12, range_max=8.0)
        scan.ranges = ranges
        scans.publish(scan)
        odometry.publish(Odometry(header=header_at(now, "odom"), child_frame_id="base_link"))
        command = Twist()
        command.linear.x = 0.3
        commands.publish(command)

    ros.node.create_timer(0.05, speak)

    def drives() -> bool:
        keeper.check()
        return bool(sent and sent[-1].linear.x > 0.1)

    with ProcessKeeper(processes(arguments, ("gate",)), tmp_path) as keeper:
        ros.spin_until(drives, 90.0, "a command that passed")
        wall[0] = 0.2
        ros.spin_until(lambda: sent[-1].linear.x == 0.0, 30.0, "standing before the wall")
        wall[0] = 3.0
        ros.spin_until(drives, 30.0, "driving on")
        os.kill(keeper.pids()["safety"], signal.SIGKILL)
        ros.spin_until(lambda: sent[-1].linear.x == 0.0, 30.0, "the supervisor's zero")
        ros.spin_until(drives, 90.0, "a gate that is back")
