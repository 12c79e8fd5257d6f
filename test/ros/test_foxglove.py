"""A client that speaks as Foxglove and Lichtblick do sees topics as they are, and may send two of them."""

from __future__ import annotations

import array
import json
import math
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from geometry_msgs.msg import PoseStamped, TwistStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from rclpy.serialization import deserialize_message, serialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from sensor_msgs.msg import BatteryState, LaserScan
from visualization_msgs.msg import MarkerArray
from websockets import ConnectionClosed, Origin, Subprotocol
from websockets.sync.client import connect

from ami_interfaces.msg import Latent, Location
from ami_ros.core.errors import AmiError
from ami_ros.ros import foxglove
from ami_ros.ros.foxglove import FoxgloveServer
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from harness.ros import RosPeer

NAMES = "map", "odom", "base_link"
PROTOCOLS = [Subprotocol("foxglove.websocket.v1"), Subprotocol("foxglove.sdk.v1")]  # as Lichtblick asks for them


class Viewer:
    """One connection; hears on a thread of its own."""

    def __init__(self, port: int) -> None:
        self.channels: dict[str, dict[str, Any]] = {}
        self.heard: list[tuple[int, bytes]] = []  # subscription, message
        self._open = ExitStack()
        self._link = self._open.enter_context(connect(f"ws://127.0.0.1:{port}", subprotocols=PROTOCOLS))
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    def _hear(self) -> None:
        with suppress(ConnectionClosed):
            for frame in self._link:
                if isinstance(frame, bytes):
                    if frame[0] == 1:
                        self.heard.append((struct.unpack_from("<I", frame, 1)[0], frame[13:]))
                elif (said := json.loads(frame))["op"] == "advertise":
                    self.channels |= {channel["topic"]: channel for channel in said["channels"]}

    def look(self, topic: str, number: int) -> None:
        subscription = {"id": number, "channelId": self.channels[topic]["id"]}
        self._link.send(json.dumps({"op": "subscribe", "subscriptions": [subscription]}))

    def send(self, number: int, topic: str, kind: str, *messages: bytes) -> None:
        channel = {"id": number, "topic": topic, "encoding": "cdr", "schemaName": kind}
        self._link.send(json.dumps({"op": "advertise", "channels": [channel]}))
        for message in messages:
            self._link.send(struct.pack("<BI", 1, number) + message)

    def close(self) -> None:
        self._open.close()
        self._thread.join(5.0)


@pytest.fixture
def server(ros: RosPeer) -> Iterator[FoxgloveServer]:
    found = FoxgloveServer(ros.make_node("view"), "127.0.0.1", 0, NAMES)
    yield found
    found.close()


def test_a_viewer_sees_messages_as_they_are_latched_ones_too(ros: RosPeer, server: FoxgloveServer) -> None:
    ros.node.create_publisher(OccupancyGrid, "go/_action/feedback", RELIABLE)
    maps = ros.node.create_publisher(OccupancyGrid, "map", LATCHED)
    scans = ros.node.create_publisher(LaserScan, "scan", SENSOR)
    latents = ros.node.create_publisher(Latent, "latent", RELIABLE)
    grid = OccupancyGrid(data=array.array("b", [0, 100, -1]))
    maps.publish(grid)
    viewer, late = Viewer(server.port), Viewer(server.port)
    try:
        ros.spin_until(lambda: {"/map", "/scan", "/latent"} <= viewer.channels.keys(), what="topics")
        assert scans.get_subscription_count() == 0, "nobody looks yet"
        assert "/go/_action/feedback" not in viewer.channels, "hidden, as ros2 topic list has it"
        channel = viewer.channels["/latent"]
        assert (channel["schemaName"], channel["encoding"]) == ("ami_interfaces/msg/Latent", "cdr")
        assert "MSG: std_msgs/Header" in channel["schema"]
        goal = viewer.channels["/goal_pose"]["schema"]
        assert "float64 z 0\nfloat64 w 1\n" in goal, "Lichtblick shows an error where a definition is not ROS's own"
        viewer.look("/map", 1)
        ros.spin_until(lambda: viewer.heard, what="the map")
        late.look("/map", 5)
        ros.spin_until(lambda: late.heard, what="the map, for who came later")
        assert deserialize_message(late.heard[0][1], OccupancyGrid) == grid
        viewer.look("/latent", 2)
        latent = Latent(encoder_id="net@0123", data=array.array("f", [1.0, 2.0]))
        ros.spin_until(lambda: latents.publish(latent) or any(n == 2 for n, _ in viewer.heard), what="a latent")
        data = next(data for number, data in viewer.heard if number == 2)
        assert deserialize_message(data, Latent) == latent
    finally:
        viewer.close()
        late.close()
    ros.spin_until(lambda: latents.get_subscription_count() == 0, what="the end of looking")


def test_frames_are_there_without_the_messages_of_tf(ros: RosPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foxglove, "TFMessage", None)
    server = FoxgloveServer(ros.make_node("view"), "127.0.0.1", 0, NAMES)
    odometry = ros.node.create_publisher(Odometry, "odom", SENSOR)
    locations = ros.node.create_publisher(Location, "location", RELIABLE)
    here = Location(localised=True)
    here.pose.position.x, here.odom_pose.position.x = 5.0, 2.0
    broken = Odometry()
    broken.pose.pose.position.x = math.nan
    viewer = Viewer(server.port)
    try:
        ros.spin_until(lambda: "/frames" in viewer.channels, what="the topic")
        viewer.look("/frames", 1)

        def are_heard() -> bool:
            for publisher, message in ((odometry, broken), (odometry, Odometry()), (locations, here)):
                publisher.publish(message)
            return all(any(name in data for _, data in viewer.heard) for name in (b"base_link", b"map"))

        ros.spin_until(are_heard, what="frames")
        data = next(data for _, data in viewer.heard if b"map" in data)
        assert struct.pack("<d", 3.0) in data, "odom began 3 m from the map's origin"
    finally:
        viewer.close()
        server.close()


def test_a_viewer_may_send_goals_and_nothing_that_drives(ros: RosPeer, server: FoxgloveServer) -> None:
    goals = ros.collect(PoseStamped, "goal_pose", RELIABLE)
    commands = ros.collect(TwistStamped, "cmd_vel", RELIABLE)
    raw = ros.collect(TwistStamped, "cmd_vel_raw", RELIABLE)
    twist, goal = TwistStamped(), PoseStamped()
    twist.twist.linear.x, goal.pose.position.x = 1.0, 2.5
    viewer = Viewer(server.port)
    try:
        for number, topic in enumerate(("/cmd_vel", "/cmd_vel_raw"), 1):
            viewer.send(number, topic, "geometry_msgs/msg/TwistStamped", serialize_message(twist))
        viewer.send(3, "/goal_pose", "geometry_msgs/msg/PoseStamped", b"", b"\x00\x01\x00\x00xx", b"x" * 9999)
        viewer.send(4, "/goal_pose", "geometry_msgs/PoseStamped", serialize_message(goal))  # Lichtblick's name of it
        ros.spin_until(lambda: goals, what="the goal")
    finally:
        viewer.close()
    assert goals[-1] == goal and not commands and not raw


@pytest.mark.parametrize(
    ("origin", "first"), [("http://127.0.0.1:8080", ["advertise"]), ("https://app.foxglove.dev", [])]
)
def test_lichtblick_has_a_list_of_topics_when_it_hears_of_ros_2_so_that_a_click_sends_a_goal(
    server: FoxgloveServer, origin: str, first: list[str]
) -> None:
    """Else its 3D panel says that the goal's topic was never advertised. Foxglove gets what the protocol says."""
    with connect(f"ws://127.0.0.1:{server.port}", subprotocols=PROTOCOLS, origin=Origin(origin)) as link:
        said = [json.loads(link.recv(5.0)) for _ in range(len(first) + 2)]
    assert [each["op"] for each in said] == [*first, "serverInfo", "advertise"]
    hello = said[len(first)]
    assert "clientPublish" in hello["capabilities"] and hello["metadata"]["ROS_DISTRO"]
    assert "cdr" in hello["supportedEncodings"]


def test_definitions_are_those_that_lichtblick_compares_them_with(ros: RosPeer, server: FoxgloveServer) -> None:
    """It knows Humble's, and says of a Marker of Jazzy, which has one constant more, that it changed at run time."""
    ros.node.create_publisher(MarkerArray, "places", LATCHED)
    ros.node.create_publisher(BatteryState, "battery_state", SENSOR)
    humble = get_typestore(Stores.ROS2_HUMBLE).fielddefs
    viewer = Viewer(server.port)
    try:
        ros.spin_until(lambda: {"/places", "/battery_state"} <= viewer.channels.keys(), what="topics")
    finally:
        viewer.close()
    for channel in viewer.channels.values():
        for name, definition in get_types_from_msg(channel["schema"], channel["schemaName"]).items():
            assert definition == humble[name], f"{channel['topic']}: {name}"


def test_a_port_that_is_taken_is_one_line(ros: RosPeer, server: FoxgloveServer) -> None:
    with pytest.raises(AmiError, match="name another --port"):
        FoxgloveServer(ros.make_node("second"), "127.0.0.1", server.port, NAMES)
