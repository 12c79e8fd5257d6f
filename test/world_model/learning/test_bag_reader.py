"""Bags written and read without ROS, whole ones and broken ones."""

from __future__ import annotations

import math
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from rich.console import Console
from rosbags.highlevel import AnyReader

from ami_ros.cli.datasets import find_bags, open_dataset
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.core.scan import Mount
from ami_ros.memory.place_memory import MemoryConfig, PlaceMemory
from ami_ros.runtime.recorded import RecordedBus
from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.learning.bag_listening import examine_extraction, listen_to_bag
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.learning.bag_writer import BagWriter
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.dataset_writer import encode_frame
from ami_ros.world_model.learning.extract import ExtractConfig, extract
from ami_ros.world_model.learning.trainer import PRESETS, Trainer
from ami_ros.world_model.learning.windows import Joined
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import load_model
from harness.processes import REPOSITORY, Children
from harness.ros1 import as_ros1

WRITE_UNTIL_KILLED = """
import sys
from pathlib import Path
from ami_ros.world_model.learning.bag_writer import BagWriter
bag = BagWriter(Path(sys.argv[1]))
for i in range(1_000_000):
    bag.command("cmd_vel", i * 0.1, 0.1, i)
    if i == 99:
        bag.flush()
        print("flushed", flush=True)
"""

# The largest size that a file may have stands in for the end of the disk: both fail in the same call.
WRITE_UNTIL_FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.bag_writer import BagWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, resource.RLIM_INFINITY))
try:
    with BagWriter(Path(sys.argv[1])) as bag:
        for i in range(1000):
            bag.image("image/compressed", i * 0.1, np.random.default_rng(i).bytes(10_000))
except AmiError as error:
    print(error)
"""


def write_all(path: Path, count: int = 3) -> None:
    with BagWriter(path) as bag:
        bag.define({"ami_interfaces/msg/Example": "std_msgs/Header header\nfloat32[] values"})
        for i in range(count):
            stamp = 1e9 + 0.2 * i
            bag.image("image/compressed", stamp, b"\xff\xd8 jpeg")
            bag.scan("scan", stamp, [1.0, np.inf, 2.0], -1.0, 1.0)
            bag.odometry("odom", stamp, [1.0, 2.0, 3.0], (0.4, -0.5))
            bag.command("cmd_vel", stamp, 0.3, -0.6)
            bag.pose("ground_truth", stamp, [5.0, 6.0, 1.0], "world")
            fields = {"header": bag.header(stamp, "map"), "values": np.ones(2, np.float32)}
            bag.message("latent", "ami_interfaces/msg/Example", stamp, **fields)


def yaw(q: object) -> float:
    return 2 * float(np.arctan2(q.z, q.w))  # type: ignore[attr-defined]


def test_messages_come_back_with_values_stamps_and_frames(tmp_path: Path) -> None:
    write_all(tmp_path / "bag")
    with BagReader(tmp_path / "bag") as bag:
        assert not bag.problems
        assert {t.count for t in bag.topics.values()} == {3} and len(bag.topics) == 6
        last = {topic: (time, bag.decode(topic, data)) for topic, time, data in bag.messages()}
    assert {time for time, _ in last.values()} == {1_000_000_000_400_000_000}
    messages = {topic: message for topic, (_, message) in last.items()}
    assert all((m.header.stamp.sec, m.header.stamp.nanosec) == (10**9, 400_000_000) for m in messages.values())
    assert messages["/image/compressed"].data.tobytes() == b"\xff\xd8 jpeg"
    np.testing.assert_array_equal(messages["/scan"].ranges, np.array([1.0, np.inf, 2.0], np.float32))
    assert messages["/scan"].angle_max == 1.0
    odometry = messages["/odom"]
    assert (odometry.header.frame_id, odometry.child_frame_id) == ("odom", "base_link")
    assert (odometry.twist.twist.linear.x, odometry.twist.twist.angular.z) == (0.4, -0.5)
    assert yaw(odometry.pose.pose.orientation) == pytest.approx(3.0)
    assert (messages["/cmd_vel"].twist.linear.x, messages["/cmd_vel"].twist.angular.z) == (0.3, -0.6)
    assert messages["/ground_truth"].header.frame_id == "world" and messages["/ground_truth"].pose.position.y == 6.0
    assert messages["/latent"].values.tolist() == [1.0, 1.0]


def test_bag_carries_all_that_rosbag2_asks_for(tmp_path: Path) -> None:
    write_all(tmp_path / "bag")
    information = yaml.safe_load((tmp_path / "bag/metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (information["version"], information["storage_identifier"]) == (9, "mcap")
    assert information["relative_file_paths"] == ["bag.mcap"] and information["message_count"] == 18
    for topic in information["topics_with_message_count"]:
        assert topic["topic_metadata"]["type_description_hash"].startswith("RIHS01_")
        assert topic["topic_metadata"]["serialization_format"] == "cdr"
    with AnyReader([tmp_path / "bag"]) as reader:  # checks each definition against its hash
        definitions = {c.msgtype: c.msgdef.data for c in reader.connections}
    assert "float32[] values" in definitions["ami_interfaces/msg/Example"]
    assert "MSG: std_msgs/Header" in definitions["ami_interfaces/msg/Example"]


def test_only_the_asked_topics_are_read(tmp_path: Path) -> None:
    write_all(tmp_path / "bag")
    with BagReader(tmp_path / "bag") as bag:
        assert {topic for topic, _, _ in bag.messages(["/scan", "/odom"])} == {"/scan", "/odom"}


def test_a_killed_writer_loses_only_its_last_chunk(tmp_path: Path, children: Children) -> None:
    writer = children.python("-c", WRITE_UNTIL_KILLED, str(tmp_path / "bag"))
    writer.wait_for_output("flushed")
    writer.send(signal.SIGKILL)
    writer.wait(10)
    with BagReader(tmp_path / "bag") as bag:
        assert "no metadata.yaml" in bag.problems[0]
        angular = [bag.decode(topic, data).twist.angular.z for topic, _, data in bag.messages(["/cmd_vel"])]
        assert bag.topics["/cmd_vel"].count == len(angular) >= 100
    assert angular == list(range(len(angular)))


def test_a_bag_without_its_metadata_is_read_whole(tmp_path: Path) -> None:
    write_all(tmp_path / "bag")
    (tmp_path / "bag/metadata.yaml").unlink()
    with BagReader(tmp_path / "bag") as bag:
        assert len(bag.problems) == 1
        assert sum(1 for _ in bag.messages()) == 18


@pytest.mark.parametrize("share", [0.99, 0.6])
def test_a_cut_off_file_is_read_up_to_the_cut(tmp_path: Path, share: float) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        for i in range(300):
            writer.image("image", i * 0.1, np.random.default_rng(i).bytes(10_000))
    file = tmp_path / "bag/bag.mcap"
    with file.open("r+b") as opened:
        opened.truncate(int(file.stat().st_size * share))
    with BagReader(tmp_path / "bag") as bag:
        assert any("cut off" in problem for problem in bag.problems)
        count = sum(1 for _ in bag.messages())
    assert share * 300 - 110 < count < 300  # at most one chunk of 1 MiB is lost


def test_a_broken_chunk_is_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    with BagWriter(tmp_path / "bag") as writer:
        for i in range(300):
            writer.image("image", i * 0.1, np.random.default_rng(i).bytes(10_000))
    file = tmp_path / "bag/bag.mcap"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 100] = b"\0" * 100
    content = content[:-20]  # without its index
    start = content.index(b"\x28\xb5\x2f\xfd", len(content) // 3)  # the next zstd frame
    content[start : start + 4] = b"\0\0\0\0"
    file.write_bytes(content)
    with BagReader(tmp_path / "bag") as bag:
        assert any("is broken" in problem for problem in bag.problems)
        times = [time for _, time, _ in bag.messages()]
    assert 50 < len(times) < 300 and times == sorted(times)


def test_a_full_disk_is_one_line_and_keeps_what_was_written(tmp_path: Path, children: Children) -> None:
    writer = children.python("-c", WRITE_UNTIL_FULL, str(tmp_path / "bag"))
    assert writer.wait(30) == 0
    (line,) = writer.output().splitlines()
    assert line == f"cannot write the bag {tmp_path / 'bag'}: File too large"
    with BagReader(tmp_path / "bag") as bag:
        assert sum(1 for _ in bag.messages()) > 100


def test_bags_that_cannot_be_are_named(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="no bag at"):
        BagReader(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(AmiError, match="not a readable bag"):
        BagReader(tmp_path / "empty")
    (tmp_path / "text.mcap").write_text("hello")
    with pytest.raises(AmiError, match="not a readable bag"):
        BagReader(tmp_path / "text.mcap")
    with pytest.raises(AmiError, match="exists already"):
        BagWriter(tmp_path / "empty")


# Bags of ROS 1 and bags of a laser alone: what is in them is used, and what is not is said.


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


# Where the scanner sat that a bag was recorded with.


ROW_PERIOD = 0.2


def record(path: Path, frame: str = "laser", turn: tuple[float, ...] | None = None, x: float = 0.2) -> Path:
    """A robot that stands for 4 s; with `turn`, a transform tells of its scanner."""
    rng = np.random.default_rng(0)
    with BagWriter(path) as bag:
        if turn is not None:
            make = bag.make
            transform = make(
                "geometry_msgs/msg/Transform",
                translation=make("geometry_msgs/msg/Vector3", x=x, y=0.0, z=0.3),
                rotation=make("geometry_msgs/msg/Quaternion", **dict(zip("xyzw", turn, strict=True))),
            )
            stamped = make(
                "geometry_msgs/msg/TransformStamped",
                header=bag.header(0.0, "base_link"),
                child_frame_id="laser",
                transform=transform,
            )
            bag.message("/tf_static", "tf2_msgs/msg/TFMessage", 0.0, transforms=[stamped])
        for i in range(20):
            stamp = ROW_PERIOD * i
            bag.image("image/compressed", stamp, encode_frame(rng.integers(0, 255, (16, 16, 3), np.uint8)))
            bag.scan("scan", stamp, np.full(8, 2.0), 0.0, math.pi / 4, frame=frame)
            bag.odometry("odom", stamp, np.zeros(3), (0.0, 0.0))
            bag.command("cmd_vel", stamp, 0.0, 0.0)
    return path


UPRIGHT, HANGING, TILTED = (0.0, 0.0, 0.0, 1.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.5, 0.0, 0.87)


def test_the_data_set_knows_where_it_sat(tmp_path: Path) -> None:
    made = extract([record(tmp_path / "a", turn=HANGING), record(tmp_path / "b")], tmp_path / "data")
    assert made.scanner is not None and made.scanner.upside_down and made.scanner.x == pytest.approx(0.2)
    assert Dataset(tmp_path / "data").scanner == made.scanner
    assert Joined([made, made]).scanner == made.scanner
    assert any("'laser'" in problem for problem in made.card.sources[1]["problems"])


def test_a_bag_that_does_not_tell_gives_no_mount_and_one_in_base_link_gives_the_middle(tmp_path: Path) -> None:
    assert extract([record(tmp_path / "a")], tmp_path / "x").scanner is None
    assert extract([record(tmp_path / "b", "base_link")], tmp_path / "y").scanner == Mount()


def test_recordings_with_the_scanner_elsewhere_are_not_mixed(tmp_path: Path) -> None:
    bags = [record(tmp_path / "a", turn=UPRIGHT), record(tmp_path / "b", turn=UPRIGHT, x=-0.1)]
    with pytest.raises(AmiError, match="sat elsewhere"):
        extract(bags, tmp_path / "data")
    with pytest.raises(AmiError, match="sat elsewhere"):
        Joined([extract([bag], tmp_path / f"{bag.name}_data") for bag in bags])


def test_recordings_of_a_tilted_scanner_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="tilted"):
        extract([record(tmp_path / "a", turn=TILTED)], tmp_path / "data")
