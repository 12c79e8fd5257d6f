"""/diagnostics says how a node does; and who speaks past it: another type, quality of service, frame or clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import Int32

from ami_ros.ros.messages.conversions import seconds_to_stamp
from ami_ros.ros.node.bus import Worker
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import RELIABLE
from harness.ros import RosPeer


@dataclass(frozen=True)
class Config:
    pass


class Listener(AmiNode[Config], name="listener", parameters=Config):
    """Hears poses in `odom`, and works on each."""

    def configure(self) -> None:
        self.worker: Worker[PoseStamped] = Worker("listener", lambda item: None, lambda error: None)
        self.worker.tell(self.health)
        self.health.figure("model", lambda: "onboard@0")
        self.subscribe(PoseStamped, "pose", self.worker.submit, RELIABLE, frame="odom")

    def cleanup(self) -> None:
        self.worker.close()


class Watched:
    """A listener, and what it says on /diagnostics."""

    def __init__(self, ros: RosPeer, **parameters: Any) -> None:
        self.ros = ros
        self.node = ros.start(Listener, **parameters)
        self.diagnostics = ros.collect(DiagnosticArray, "/diagnostics")
        self.sending: Any = None  # the timer

    def says(self, *words: str) -> None:
        """Waits until its message has all of `words`."""

        def said() -> bool:
            messages = [status.message for array in self.diagnostics for status in array.status]
            return any(all(word in message for word in words) for message in messages)

        self.ros.spin_until(said, 30.0, lambda: f"{words} in {self.diagnostics[-1:]}")

    def send(self, frame: str = "odom", stamp: float | None = None, qos: QoSProfile = RELIABLE) -> None:
        """A pose, twenty times a second, for as long as the test spins, in place of the one before."""
        publisher = self.ros.node.create_publisher(PoseStamped, "pose", qos)

        def publish() -> None:
            message = PoseStamped()
            message.header.frame_id = frame
            now = self.ros.node.get_clock().now().nanoseconds * 1e-9
            message.header.stamp = seconds_to_stamp(now if stamp is None else stamp)
            publisher.publish(message)

        if self.sending is not None:
            self.ros.node.destroy_timer(self.sending)
        self.sending = self.ros.node.create_timer(0.05, publish)


@pytest.fixture
def watched(ros: RosPeer) -> Watched:
    return Watched(ros)


def test_it_says_how_often_and_how_old_how_long_and_with_what(watched: Watched) -> None:
    watched.send()

    def values() -> dict[str, str]:
        newest = watched.diagnostics[-1].status[0].values if watched.diagnostics else []
        return {entry.key: entry.value for entry in newest}

    watched.ros.spin_until(lambda: float(values().get("pose: actual frequency (Hz)", 0.0)) > 5.0)
    found = values()
    assert 0.0 <= float(found["pose: age (s)"]) < 30.0 and found["model"] == "onboard@0"
    assert float(found["inference p99 (ms)"]) >= float(found["inference p50 (ms)"]) >= 0.0
    assert int(found["dropped"]) >= 0 and float(found["resident memory (MB)"]) > 10
    watched.node.trigger_deactivate()
    watched.node.trigger_cleanup()
    watched.ros.spin_until(lambda: "model" not in values(), what="the end of what it no longer has")


@pytest.mark.fault("images of another quality of service or type")
def test_a_publisher_whose_quality_of_service_does_not_fit_is_named_with_the_policy(watched: Watched) -> None:
    watched.send(qos=QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT))
    watched.says("pose", "/test_peer", "reliab")


@pytest.mark.fault("images of another quality of service or type")
def test_a_publisher_of_another_type_is_named_with_both(watched: Watched) -> None:
    other = RosPeer()  # a participant has one type for each topic
    other.make_node("intruder").create_publisher(Image, "pose", 5)
    watched.says("pose", "/intruder", "sensor_msgs/msg/Image", "geometry_msgs/msg/PoseStamped")
    other.close()


def test_messages_of_another_frame_and_of_another_clock_are_told(watched: Watched) -> None:
    watched.send(frame="map")
    watched.says("pose", "frame 'map'", "'odom'")
    watched.send(stamp=5.0)
    watched.says("pose", "use_sim_time")


def test_publishers_that_fit_are_not_named(watched: Watched) -> None:
    latched = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
    watched.send(qos=latched)
    watched.ros.node.create_publisher(Int32, "other", 5)
    watched.ros.spin_until(lambda: len(watched.diagnostics) > 2)
    assert watched.node.health.count("pose") == 0
