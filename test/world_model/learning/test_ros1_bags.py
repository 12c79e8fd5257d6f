"""Bags of ROS 1 and bags of a laser alone: what is in them is used, and what is not is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ami_ros.cli.datasets import find_bags, open_dataset
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.runtime.recorded import RecordedBus
from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.learning.bag_listening import examine_extraction, listen_to_bag
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig, extract
from ami_ros.world_model.learning.trainer import PRESETS, Trainer
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import load_model
from harness.processes import REPOSITORY
from harness.ros1 import as_ros1

PERIOD, ROWS = 0.2, 120


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A robot that drives a curve in a room."""
    path = tmp_path_factory.mktemp("bags") / "run"
    robot = Loopback("two_rooms", image_size=32, seed=1)
    with BagWriter(path) as writer:
        for i in range(ROWS):
            seen, stamp = robot.observe(), 1e9 + PERIOD * i
            assert seen.image is not None
            command = (0.3, 0.5 * np.sin(i / 20)) if seen.scan.ranges[seen.scan.ranges > 0].min() > 0.4 else (0.0, 0.6)
            writer.image("camera/image/compressed", stamp, encode_frame(seen.image))
            writer.scan("scan", stamp, seen.scan.ranges, seen.scan.angle_min, seen.scan.angle_increment)
            writer.odometry("odom", stamp, seen.odometry, seen.velocity)
            writer.command("cmd_vel", stamp, *command)
            robot.step(command, PERIOD)
    return path


def test_a_bag_of_ros_1_gives_what_the_same_bag_of_ros_2_gives(bag: Path, tmp_path: Path) -> None:
    old = as_ros1(bag, tmp_path / "old.bag")
    assert find_bags(tmp_path) == [old] == find_bags(old)
    expected, found = extract([bag], tmp_path / "new"), extract([old], tmp_path / "data")
    for name in ("stamp", "scan", "odometry", "command", "velocity"):
        assert np.array_equal(getattr(expected, name), getattr(found, name)), name
    assert found.jpeg(5) == expected.jpeg(5) and found.card.dropped == expected.card.dropped


def test_the_doctor_looks_into_a_bag_of_ros_1(bag: Path, tmp_path: Path) -> None:
    old = as_ros1(bag, tmp_path / "old.bag")
    seen = listen_to_bag(old, 10.0)
    assert seen.topics["/scan"].type == "sensor_msgs/msg/LaserScan" and seen.topics["/scan"].rate == pytest.approx(5.0)
    finding = examine_extraction(old, ExtractConfig())
    assert finding.severity == "ok" and "120 of 120 moments" in finding.text


def test_a_bag_of_ros_1_is_read_up_to_its_damage(bag: Path, tmp_path: Path) -> None:
    old = as_ros1(bag, tmp_path / "old.bag")
    content = bytearray(old.read_bytes())
    with BagReader(old) as reader:
        middle = reader._readers[0].chunk_infos[-1].pos  # type: ignore[union-attr]
    content[middle : middle + 40] = b"\xff" * 40
    old.write_bytes(content)
    with pytest.raises(AmiError, match=r"old\.bag.*") as error:
        extract([old], tmp_path / "data")
    assert "\n" not in str(error.value)
    (tmp_path / "text.bag").write_text("hello")
    with pytest.raises(AmiError, match="not a readable bag of ROS 1"):
        BagReader(tmp_path / "text.bag")


@pytest.mark.parametrize("ros1", [False, True])
def test_of_a_laser_alone_the_way_is_found_by_its_scans(bag: Path, tmp_path: Path, ros1: bool) -> None:
    alone = tmp_path / "laser"
    with BagReader(bag) as reader, BagWriter(alone) as writer:
        for _, _, content in reader.messages(["/scan"]):
            message = reader.decode("/scan", content)
            stamp = message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec
            writer.scan("scan", stamp, message.ranges, message.angle_min, message.angle_increment)
    path = as_ros1(alone, tmp_path / "laser.bag") if ros1 else alone
    data, truth = extract([path], tmp_path / "data"), extract([bag], tmp_path / "whole")
    assert len(data) == ROWS and data.card.has_odometry and not data.card.has_command
    assert any("no commands: a map can be made" in line for line in data.card.sources[0]["problems"])
    moved, really = (relative(d.odometry[:-25], d.odometry[25:]) for d in (data, truth))
    assert np.median(np.hypot(*(moved - really)[:, :2].T)) < 0.15
    with pytest.raises(AmiError, match="no commands"):
        Trainer(replace(PRESETS["laser"], steps=1), data, tmp_path)
    with pytest.raises(AmiError, match="has no pictures"):
        open_dataset([data.folder], tmp_path, ModelSpec(), Console())
    loaded = load_model(REPOSITORY / "models/laser")
    memory = PlaceMemory(loaded.model, loaded.encoder_id, tmp_path / "map.memory", MemoryConfig())
    RecordedBus(loaded.model, loaded.encoder_id, memory, data).play(0.0)
    assert len(memory) > 1
    memory.close()


def test_without_pictures_and_scans_what_is_missing_is_named(bag: Path, tmp_path: Path) -> None:
    old = as_ros1(bag, tmp_path / "old.bag", topics=["/odom"])
    with pytest.raises(AmiError, match="has no image and no command"):
        extract([old], tmp_path / "data")
