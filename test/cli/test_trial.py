"""What keeps a robot on its leash in a trial."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rclpy", reason="needs ROS 2")

from ami_ros.cli.options import TrialOptions
from ami_ros.cli.trial import run_trial, write_leash, write_slow_robot
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import load_robot
from ami_ros.memory.occupancy_map import OCCUPIED, read_map
from ami_ros.safety.keep_out import Mask


def test_the_gate_keeps_the_robot_within_its_leash(tmp_path: Path) -> None:
    found = read_map(write_leash(tmp_path, 3.0))
    mask = Mask(found.cells == OCCUPIED, found.resolution, np.append(found.origin, found.yaw), 0.0)
    around = np.linspace(0, 2 * np.pi, 90)
    ring = np.stack([np.cos(around), np.sin(around)], 1)
    assert not mask.holds(2.9 * ring).any()
    assert all(mask.holds(reach * ring).all() for reach in (3.1, 3.5, 3.9))


@pytest.mark.parametrize("name", ["ami_bot", "drawn:7", "drawn:8"])
def test_no_limit_and_no_plan_is_faster_than_the_trial_allows(tmp_path: Path, name: str) -> None:
    slow, own = load_robot(write_slow_robot(tmp_path, name, 0.1)), load_robot(name)
    for speeds in (slow.limits, slow.planned):
        assert max(speeds.linear, speeds.backward, speeds.lateral) <= 0.1
    assert slow.limits.angular == own.limits.angular and slow.sensors == own.sensors


def test_a_trial_without_a_robot_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="name the robot with --robot"):
        run_trial(TrialOptions(tmp_path / "trial"))
    assert not (tmp_path / "trial").exists()
