"""A recording is looked through as a running robot is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ami_ros.cli.describing import doctor
from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.core.robots.checkup import examine
from ami_ros.core.robots.derived import extraction_settings
from ami_ros.core.robots.description import load_robot
from ami_ros.world_model.learning.bag_listening import examine_extraction, listen_to_bag
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.collection import CollectionConfig, open_collection, record_run
from ami_ros.world_model.learning.extract import ExtractConfig


class Late(BagWriter):
    """Records simulated time at the time of a wall, 1.7e9 s later, as `ros2 bag record` does without use_sim_time."""

    def raw(self, topic: str, type_name: str, time: float, data: bytes | memoryview) -> None:
        super().raw(topic, type_name, 1.7e9 + 2.0 * time, data)


def record(path: Path, writer: type[BagWriter] = BagWriter) -> Path:
    with writer(path) as bag:
        for i in range(30):
            bag.scan("scan", 0.1 * i + 5, np.full(72, 2.0), -np.pi, np.radians(5), frame="base_link")
            bag.odometry("odom", 0.1 * i + 5, np.zeros(3), (0.0, 0.0))
    return path


def test_what_was_recorded_is_compared_and_what_was_not_is_missed(tmp_path: Path) -> None:
    seen = listen_to_bag(record(tmp_path / "run"), 10.0)
    assert not seen.live and len(seen.topics["/scan"].arrivals) == 30
    findings = {f.topic: f for f in examine(load_robot("ami_bot"), seen)}
    assert findings["/image"].severity == "error" and "nobody publishes" in findings["/image"].text
    assert "no commands in the bag" in findings["/cmd_vel"].text
    assert findings["/odom"].text.startswith("10.0 messages a second")


def test_the_command_writes_a_description_and_fails_where_something_is_in_the_way(tmp_path: Path) -> None:
    bag, mine = record(tmp_path / "run"), tmp_path / "mine.yaml"
    assert doctor(bag=bag, write=mine, json=tmp_path / "found.json") == 1
    assert {s.topic for s in load_robot(mine).sensors} == {"/scan", "/odom"}
    assert '"severity": "error"' in (tmp_path / "found.json").read_text()


def test_what_a_description_must_have_and_nobody_published_is_one_line(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "laser") as bag:
        for i in range(30):
            bag.scan("scan", 0.1 * i, np.full(72, 2.0), -np.pi, np.radians(5), frame="base_link")
    with pytest.raises(AmiError, match="odometry is missing: none was heard"):
        doctor(bag=tmp_path / "laser", write=tmp_path / "mine.yaml")


def test_simulated_time_is_judged_by_itself(tmp_path: Path) -> None:
    seen = listen_to_bag(record(tmp_path / "run", Late), 100.0)
    assert seen.simulated_time
    findings = [f for f in examine(load_robot("ami_bot"), seen) if f.topic in ("/scan", "/odom", "clocks")]
    assert not [f for f in findings if f.severity == "error"], findings
    assert seen.topics["/odom"].rate == pytest.approx(10.0, abs=0.1)


def test_recordings_of_the_simulated_robot_are_what_its_description_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, config = tmp_path / "runs", CollectionConfig(world="empty", steps=80, runs=2)
    with open_collection(out, config) as missing:
        for run in missing:
            record_run(out, config, run, lambda: None)
    assert doctor(bag=out) == 0
    words = capsys.readouterr().out
    assert words.count("extract: 40 of 40 moments can be used") == 2 and "run_001" in words


def test_an_imu_that_nobody_needs_is_no_error_and_a_laser_that_is_too_slow_is_one(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "run") as bag:
        for i in range(60):
            bag.odometry("odom", 0.1 * i + 5, np.zeros(3), (0.0, 0.0))
            bag.command("cmd_vel", 0.1 * i + 5, 0.1, 0.0)
        for i in range(18):
            bag.scan("scan", i / 3 + 5, np.full(360, 2.0), -np.pi, np.radians(1), frame="base_scan")
    robot = load_robot("turtlebot3_burger")
    findings = examine(robot, listen_to_bag(tmp_path / "run", 10.0))
    assert [f.severity for f in findings if f.topic == "/imu"] == ["warning"]
    assert [f.remedy for f in findings if f.severity == "error"] == [
        "raise the driver's rate, or train one with --set spec.period=0.33"
    ]
    settings = from_mapping(ExtractConfig, extraction_settings(robot))
    found = examine_extraction(tmp_path / "run", settings)
    assert found.severity == "error" and "scans, which come every 0.33 s" in found.text
