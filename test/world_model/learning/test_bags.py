"""Bags written and read without ROS, whole ones and broken ones."""

from __future__ import annotations

import signal
from pathlib import Path

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader

from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.learning.bag_writer import BagWriter
from harness.processes import Children

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
