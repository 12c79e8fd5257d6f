"""What is written for a start of Gazebo."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from ami_ros.core.config import parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.ros.start.gazebo import write_files
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world
from harness import sdf


def spawned(world: Path, name: str) -> list[float]:
    model = next(m for m in ElementTree.parse(world).getroot().iter("model") if m.get("name") == name)
    return [float(v) for v in (model.findtext("pose") or "").split()]


def test_robot_starts_where_it_was_asked_to(tmp_path: Path) -> None:
    files = write_files(tmp_path, "home", "ami_bot", pose="4.0 1.0 0.7")
    assert sdf.broken_rules(files.world) == []
    assert spawned(files.world, "ami_bot") == [4.0, 1.0, 0, 0, 0, 0.7]
    assert '<robot name="ami_bot"' in files.urdf


def test_robot_starts_anywhere_free_by_the_seed(tmp_path: Path) -> None:
    poses = [spawned(write_files(tmp_path, "two_rooms", "ami_bot", seed=k).world, "ami_bot") for k in (1, 1, 2)]
    assert poses[0] == poses[1] != poses[2]
    space = FreeSpace(load_world("two_rooms"))
    assert space.free(np.array([[p[0], p[1], p[5]] for p in poses])).all()


def test_namespace_names_the_model_and_its_topics(tmp_path: Path) -> None:
    files = write_files(tmp_path, "empty", "ami_bot", namespace="/fleet/r2")
    topics = {entry["gz_topic_name"] for entry in parse_yaml(files.robot_bridge.read_text())}
    assert spawned(files.world, "fleet_r2") and all(topic.startswith("/model/fleet_r2/") for topic in topics)
    assert not any(entry["ros_topic_name"].startswith("/") for entry in parse_yaml(files.robot_bridge.read_text()))
    assert [entry["gz_topic_name"] for entry in parse_yaml(files.clock_bridge.read_text())] == ["/clock"]


@pytest.mark.parametrize(
    ("pose", "reason"),
    [("1 2", "must be x, y and yaw"), ("0 0 0", "does not fit"), ("1 nan 0", "must be"), ("a b c", "must be")],
)
def test_pose_that_cannot_be_is_refused(pose: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(AmiError, match=reason):
        write_files(tmp_path, "home", "ami_bot", pose=pose)


def test_server_has_a_window_only_when_asked(tmp_path: Path) -> None:
    files = write_files(tmp_path, "empty", "ami_bot")
    assert files.arguments(headless=True).startswith("-s --headless-rendering -r ")
    assert "-s" not in files.arguments(headless=False).split() and str(files.world) in files.arguments(headless=False)
