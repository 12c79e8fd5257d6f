"""Recording live topics: all types, quality of service of the publishers, limits, and the command."""

from __future__ import annotations

import json
import signal
from array import array
from pathlib import Path
from typing import Any

import pytest
from ament_index_python.packages import get_package_share_directory
from geometry_msgs.msg import TwistStamped
from nav_msgs.msg import Odometry
from rosbags.highlevel import AnyReader
from rosbags.typesys import get_types_from_msg
from sensor_msgs.msg import CompressedImage, Image, LaserScan

from ami_interfaces.msg import Latent, Rollout
from ami_ros.core.errors import AmiError
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.ros.recorder import Recorder, RecorderLimits, message_definitions
from ami_ros.ros.scanner import TFMessage
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.learning.bag_writer import message_types
from harness.processes import Children
from harness.ros import RosPeer


def publish_until(ros: RosPeer, messages: dict[Any, Any], done: Any) -> None:
    """Publishes each message (by its publisher) again and again until `done()`."""

    def all_published_and_done() -> bool:
        for publisher, message in messages.items():
            publisher.publish(message)
        return bool(done())

    ros.spin_until(all_published_and_done)


def test_recorder_takes_every_type_and_quality_of_service(tmp_path: Path, ros: RosPeer) -> None:
    node = ros.make_node("robot", namespace="/bot")
    latent = Latent(encoder_id="net@0123", data=array("f", [1.0, 2.0]))
    messages = {
        node.create_publisher(LaserScan, "scan", SENSOR): LaserScan(ranges=array("f", [1.0, 2.0])),
        node.create_publisher(TwistStamped, "cmd_vel", RELIABLE): TwistStamped(),
        node.create_publisher(Latent, "latent", RELIABLE): latent,
    }
    latched = node.create_publisher(Rollout, "rollout", LATCHED)
    latched.publish(Rollout())  # once, before anybody listens
    recorder = Recorder(node, tmp_path / "bag", ["scan", "cmd_vel", "latent", "rollout", "never"])
    publish_until(ros, messages, lambda: len(recorder.counts) == 4 and min(recorder.counts.values()) > 0)
    assert recorder.missing == ["/bot/never"]
    assert recorder.megabytes > 0 and recorder.duration > 0 and not recorder.stopped
    counts = recorder.counts
    recorder.close()
    recorder.close()
    publish_until(ros, messages, lambda: True)
    with AnyReader([tmp_path / "bag"]) as reader:  # checks each definition against its hash
        assert {c.topic: c.msgcount for c in reader.connections} == counts
    with BagReader(tmp_path / "bag") as bag:
        read = {topic: bag.decode(topic, data) for topic, _, data in bag.messages()}
    assert set(read) == {"/bot/scan", "/bot/cmd_vel", "/bot/latent", "/bot/rollout"}
    assert read["/bot/latent"].data.tolist() == [1.0, 2.0] and read["/bot/latent"].encoder_id == "net@0123"


def test_recorder_prefers_the_first_alternative_and_waits_for_late_topics(tmp_path: Path, ros: RosPeer) -> None:
    recorder = Recorder(ros.node, tmp_path / "bag", ["image/compressed|image", "scan|other"])
    image = ros.node.create_publisher(Image, "image", SENSOR)
    compressed = ros.node.create_publisher(CompressedImage, "image/compressed", SENSOR)
    other = ros.node.create_publisher(LaserScan, "other", SENSOR)
    messages = {image: Image(), compressed: CompressedImage(), other: LaserScan()}
    publish_until(ros, messages, lambda: len(recorder.counts) == 2)
    recorder.close()
    assert set(recorder.counts) == {"/image/compressed", "/other"}


def test_recorder_follows_a_publisher_that_came_back_with_another_quality_of_service(
    tmp_path: Path, ros: RosPeer
) -> None:
    recorder = Recorder(ros.node, tmp_path / "bag", ["scan"])
    reliable = ros.node.create_publisher(LaserScan, "scan", RELIABLE)
    publish_until(ros, {reliable: LaserScan()}, lambda: recorder.counts)
    ros.node.destroy_publisher(reliable)
    before = recorder.counts["/scan"]
    best_effort = ros.node.create_publisher(LaserScan, "scan", SENSOR)
    publish_until(ros, {best_effort: LaserScan()}, lambda: recorder.counts["/scan"] > before + 3)
    recorder.close()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (RecorderLimits(max_megabytes=0.001), "maximum size of 0.001 MB"),
        (RecorderLimits(max_duration=0.1), "maximum duration of 0.1 s"),
        (RecorderLimits(min_free_megabytes=1e12), "MB are free on the disk"),
    ],
)
def test_recorder_stops_at_its_limits(tmp_path: Path, ros: RosPeer, limits: RecorderLimits, reason: str) -> None:
    recorder = Recorder(ros.node, tmp_path / "bag", ["scan"], limits)
    publisher = ros.node.create_publisher(LaserScan, "scan", RELIABLE)
    message = LaserScan(ranges=array("f", [1.0] * 100))
    publish_until(ros, {publisher: message}, lambda: recorder.stopped)
    assert reason in recorder.stopped
    counts = recorder.counts
    recorder.close()
    with BagReader(tmp_path / "bag") as bag:
        assert {t.name: t.count for t in bag.topics.values()} == counts


def test_record_command_ends_the_bag_properly_on_ctrl_c(tmp_path: Path, ros: RosPeer, children: Children) -> None:
    publisher = ros.node.create_publisher(LaserScan, "scan", SENSOR)
    odometry, moved = ros.node.create_publisher(Odometry, "odom", SENSOR), Odometry()
    moved.pose.pose.position.x = 2.0
    out = tmp_path / "a folder" / "bag"
    command = children.python("-m", "ami_ros.cli", "record", "--out", str(out))
    messages = {publisher: LaserScan(), odometry: moved}
    publish_until(ros, messages, lambda: all(each.get_subscription_count() for each in messages))
    for _ in range(20):
        publish_until(ros, messages, lambda: True)
        ros.spin_once(0.02)
    command.send(signal.SIGINT)
    assert command.wait(30) == 0, command.output()
    assert "messages are in" in command.output() and "Traceback" not in command.output()
    with BagReader(out) as bag:
        assert not bag.problems and bag.topics["/scan"].count > 0
        if TFMessage is None:  # without its messages nobody says where frames are, and a viewer needs them
            moves = [bag.decode(topic, data).transforms[0] for topic, _, data in bag.messages() if topic == "/tf"]
            assert moves and (moves[0].header.frame_id, moves[0].child_frame_id) == ("odom", "base_link")
            assert moves[0].transform.translation.x == 2.0
    again = children.python("-m", "ami_ros.cli", "record", "--out", str(out))
    assert again.wait(30) == 2
    assert "exists already" in again.output().splitlines()[-1]


def test_definitions_hold_all_parts_of_a_type_and_hash_as_ros_does() -> None:
    definitions = message_definitions("ami_interfaces/msg/Rollout")
    assert {name.rsplit("/", 1)[1] for name in definitions} == {"Rollout", "Latent"}
    types = message_types()
    for name, text in definitions.items():
        types.register(get_types_from_msg(text, name))
    for name in definitions:
        description = Path(get_package_share_directory("ami_interfaces"), "msg", f"{name.rsplit('/', 1)[1]}.json")
        hashes = {h["type_name"]: h["hash_string"] for h in json.loads(description.read_text())["type_hashes"]}
        assert types.hash_rihs01(name) == hashes[name]
    assert message_definitions("sensor_msgs/msg/Image") == {}
    with pytest.raises(AmiError, match="install no_such_package"):
        message_definitions("no_such_package/msg/Thing")
