"""The node `command_timeout`: a base behind it stands when commands cease."""

from __future__ import annotations

import time

import pytest
from geometry_msgs.msg import Twist, TwistStamped

from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.nodes.command_timeout import CommandTimeoutNode
from harness.ros import RosPeer


@pytest.mark.parametrize("stamped", [True, False])
def test_base_stands_when_commands_cease(ros: RosPeer, stamped: bool) -> None:
    kind = TwistStamped if stamped else Twist
    ros.start(CommandTimeoutNode, timeout=0.2, enable_stamped_cmd_vel=stamped)
    sent, commands = ros.collect(kind, "cmd_vel_base", RELIABLE), ros.node.create_publisher(kind, "cmd_vel", RELIABLE)

    def speed(message: Twist | TwistStamped) -> float:
        return float((message.twist if stamped else message).linear.x)

    command = kind()
    (command.twist if stamped else command).linear.x = 0.3
    last = 0.0

    def drives() -> bool:
        nonlocal last
        commands.publish(command)
        last = time.monotonic()
        return bool(sent) and speed(sent[-1]) == 0.3

    ros.spin_until(drives)
    ros.spin_until(lambda: speed(sent[-1]) == 0.0)
    assert time.monotonic() - last >= 0.2  # it did not stop while it was told to drive
    count = len(sent)
    ros.spin_until(lambda: len(sent) > count + 2)  # again and again: a bridge that starts later hears it, too
    assert all(speed(message) == 0.0 for message in sent[count:])


def test_last_word_is_zero(ros: RosPeer) -> None:
    made = ros.start(CommandTimeoutNode, timeout=10.0)
    sent = ros.collect(TwistStamped, "cmd_vel_base", RELIABLE)
    commands = ros.node.create_publisher(TwistStamped, "cmd_vel", RELIABLE)
    command = TwistStamped()
    command.twist.linear.x = 0.3

    def drives() -> bool:
        commands.publish(command)
        return bool(sent) and sent[-1].twist.linear.x == 0.3

    ros.spin_until(drives)
    made.stop()
    ros.spin_until(lambda: sent[-1].twist.linear.x == 0.0)
    assert sent[-1].header.frame_id == "base_link"
