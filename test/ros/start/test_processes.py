"""The keeper of processes: starts processes, brings back those that died, and leaves none behind."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import psutil
from geometry_msgs.msg import TwistStamped

from ami_ros.core.errors import AmiError
from ami_ros.ros.node.qos import RELIABLE
from ami_ros.ros.start.graph import ProcessSpec
from ami_ros.ros.start.processes import KeepingConfig, ProcessKeeper
from harness.ros import RosPeer
from harness.waiting import wait_until


def gate(respawn: bool = False, **parameters: Any) -> ProcessSpec:
    """The lightest process of the graph."""
    return ProcessSpec("safety", {"safety": parameters}, (), {}, "", "info", respawn)


def test_killed_process_comes_back_active(ros: RosPeer, tmp_path: Path) -> None:
    commands = ros.collect(TwistStamped, "cmd_vel", RELIABLE)  # which only an active gate sends
    with ProcessKeeper([gate(respawn=True)], tmp_path) as keeper:
        ros.spin_until(lambda: commands, 60.0)
        first = keeper.pids()["safety"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: keeper.pids()["safety"] != first, 60.0)
        ros.spin_once()
        commands.clear()
        ros.spin_until(lambda: commands, 60.0)
        keeper.check()
        second = keeper.pids()["safety"]
    assert not psutil.pid_exists(first) and not psutil.pid_exists(second)


def test_process_that_should_not_come_back_is_reported_with_its_last_words(tmp_path: Path) -> None:
    with ProcessKeeper([gate()], tmp_path) as keeper:
        os.kill(keeper.pids()["safety"], signal.SIGKILL)

        def failed() -> bool:
            try:
                keeper.check()
            except AmiError as error:
                assert "safety ended with -9" in str(error)
                return True
            return False

        wait_until(failed, 60.0)


def test_mistake_in_the_set_up_is_not_tried_again(tmp_path: Path) -> None:
    with ProcessKeeper([gate(respawn=True, rate="fast")], tmp_path) as keeper:
        process = keeper.processes["safety"]

        def failed() -> bool:
            try:
                keeper.check()
            except AmiError as error:
                assert "must be of type float" in str(error)
                return True
            return False

        wait_until(failed, 60.0)
        assert process.respawns == 0


def test_stubborn_process_is_ended_with_sterner_signals(ros: RosPeer, tmp_path: Path) -> None:
    impatient = KeepingConfig(escalation=((signal.SIGINT, 0.2), (signal.SIGKILL, 5.0)))
    commands = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
    with ProcessKeeper([gate()], tmp_path, config=impatient) as keeper:
        ros.spin_until(lambda: commands, 60.0)
        process = keeper.processes["safety"]
        os.kill(process.pid, signal.SIGSTOP)
    assert process.code == -signal.SIGKILL
