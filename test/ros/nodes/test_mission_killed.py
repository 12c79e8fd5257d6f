"""A mission whose node is killed: whoever supervises it starts it again, and it goes on where it was."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ami_interfaces.action import RunMission
from ami_ros.ros.start.graph import ProcessSpec
from ami_ros.ros.start.processes import ProcessKeeper

from .test_mission import PATIENT, SLACK, Client, ahead


@pytest.mark.fault("any process is killed")
def test_mission_survives_that_its_node_is_killed(stack: Any, tmp_path: Path) -> None:
    stack.start("safety", "perception", "planner", **SLACK)
    start, file = stack.pose, tmp_path / "mission"
    parameters = {"use_sim_time": True, "mission_file": str(file), **PATIENT}
    spec = ProcessSpec("mission", {"mission": parameters}, (), {}, "", "info", respawn=True)
    with ProcessKeeper([spec], tmp_path) as keeper:
        client = Client(stack)
        client.drive_off(RunMission.Goal(goals=[ahead(stack, 0.3), ahead(stack, 1.2)]))
        client.spin_until_goal(1, 300.0)
        assert file.exists()
        said = len(client.said)
        os.kill(keeper.pids()["mission"], signal.SIGKILL)
        stack.ros.spin_until(lambda: len(client.said) > said, 120.0, "a word of the node that was started again")
        stack.ros.spin_until(lambda: not file.exists(), 300.0, lambda: f"the end; said {client.said[-1:]}")
        assert keeper.processes["mission"].respawns == 1
    assert not any("goal 1 of 2" in message.data for message in client.said[said:]), "it began anew"
    stack.ros.spin_until(lambda: not stack.moves, what="standing still")
    goal = start[:2] + 1.2 * np.array([np.cos(start[2]), np.sin(start[2])])
    assert np.hypot(*(stack.pose[:2] - goal)) < 0.3
    client.client.destroy()
