"""All topics of a running system for Foxglove and Lichtblick, over their WebSocket protocol (foxglove-sdk)."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from geometry_msgs.msg import PoseStamped, PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import QoSDurabilityPolicy
from rclpy.serialization import deserialize_message
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import need
from ami_ros.ros.messages.conversions import message_class
from ami_ros.ros.node.health import STEADY
from ami_ros.ros.node.qos import RELIABLE, matching_qos
from ami_ros.ros.recorder import Frames, message_definitions
from ami_ros.ros.scanner import TFMessage
from ami_ros.world_model.learning.bag_writer import message_types

if TYPE_CHECKING:
    from rosbags.typesys.store import Typestore


# Stands between viewers and foxglove-sdk's server, and says what Lichtblick's 3D panel needs for its goals and poses.
#
# It offers these tools only where `serverInfo` names a ROS distribution, which foxglove-sdk cannot be told in Python.
# And it must know topics before that, if none. All else passes as it is.

SILENT = logging.Logger("viewers", logging.CRITICAL)  # a stranger who speaks no WebSocket is no error of ours


class Relay:
    """Listens until `close`.

    Args:
        host: to listen at.
        port: likewise; 0: any.
        server: port of foxglove-sdk's server on this machine.

    Raises:
        OSError: it cannot listen there.
    """

    def __init__(self, host: str, port: int, server: int) -> None:
        options = {"subprotocols": ["foxglove.sdk.v1"], "compression": None, "logger": SILENT}
        connect, address = need("websockets.sync.client", "foxglove").connect, f"ws://127.0.0.1:{server}"
        self._connect = partial(connect, address, max_size=None, **options)
        most = 1 << 18  # bytes of what a viewer says at once: subscriptions to some thousand topics
        serve = need("websockets.sync.server", "foxglove").serve
        self._server = serve(self._meet, host, port, max_size=most, **options)
        self.port = int(self._server.socket.getsockname()[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Listens no more; who is there goes when the server does."""
        self._server.shutdown()

    def _meet(self, viewer: Any) -> None:
        """One viewer, on a thread of its own, until either side ends."""
        headers = viewer.request.headers
        is_foxglove = any("foxglove" in headers.get(name, "").lower() for name in ("Origin", "User-Agent"))
        with self._connect() as server:
            threading.Thread(target=_pass_on, args=(viewer, server), daemon=True).start()
            # Lichtblick 1.28.1 (FoxgloveWebSocketPlayer) tells its panels of the distribution only once it has a list
            # of topics. If they hear of it after `clientPublish`, it makes the 3D panel anew, and the old one takes
            # back what the new advertised. Foxglove was never tried with more than the protocol says.
            if not is_foxglove:
                viewer.send(json.dumps({"op": "advertise", "channels": []}))
            hello = json.loads(server.recv())  # `serverInfo`
            hello["metadata"] = {**hello.get("metadata", {}), "ROS_DISTRO": os.environ.get("ROS_DISTRO", "jazzy")}
            viewer.send(json.dumps(hello))
            _pass_on(server, viewer)


def _pass_on(source: Any, target: Any) -> None:
    """Until one of the two is closed; then both are."""
    closed = need("websockets", "foxglove").ConnectionClosed
    try:
        for frame in source:
            target.send(frame)
    except closed:
        pass
    finally:
        source.close()
        target.close()


# All topics of a running system for Foxglove and Lichtblick, over their WebSocket protocol (foxglove-sdk).
#
# Messages pass as they are on the wire. A topic is subscribed to only while a viewer looks at it.

# What a viewer may send, as its 3D panel does by a click: a goal goes to the planner, and through the gate.
ACCEPTED = {"goal_pose": PoseStamped, "initialpose": PoseWithCovarianceStamped}


class FoxgloveServer:
    """Serves until `close`; `node` must be spun.

    Args:
        node: makes the subscriptions.
        host: to listen at; anybody who reaches it may look, and send what ACCEPTED says.
        port: likewise; 0: any.
        frames: names of map, odom and base.

    Raises:
        AmiError: foxglove-sdk is not installed, or it cannot listen there.
    """

    def __init__(self, node: Node, host: str, port: int, frames: tuple[str, str, str]) -> None:
        self._sdk = need("foxglove", "foxglove")
        self._node, self._types = node, _types()
        self._channels: dict[str, tuple[Any, str]] = {}  # topic -> channel, type
        self._heard: dict[str, Any] = {}  # topic -> subscription
        self._last: dict[str, bytes] = {}  # topic -> its newest message, of latched ones
        self._unknown: set[str] = set()
        self._lock = threading.Lock()  # of what the server's threads change:
        self._viewers: dict[str, int] = {}  # topic -> how many look
        self._new: set[str] = set()  # topics at which one more looks
        self._sent: list[tuple[str, bytes]] = []
        self._publishers = {node.resolve_topic_name(name): kind for name, kind in ACCEPTED.items()}
        self._out = {name: node.create_publisher(kind, name, RELIABLE) for name, kind in self._publishers.items()}
        self._context = self._sdk.Context()
        capabilities = [self._sdk.websocket.Capability.ClientPublish]
        self._server = self._sdk.start_server(
            name="ami_ros", host="127.0.0.1", port=0, capabilities=capabilities, supported_encodings=["cdr"],
            server_listener=_Listener(self), context=self._context,
        )  # fmt: skip
        try:
            self._relay = Relay(host, port, int(self._server.port))
        except OSError as error:
            self._server.stop()
            raise AmiError(f"cannot listen at {host}:{port}: {error}; name another --port") from error
        if TFMessage is None:  # nobody has, so /tf is silent
            channels = need("foxglove.channels", "foxglove")
            self._transforms = channels.FrameTransformChannel("/frames", context=self._context)
            self._frames = Frames(node, frames, self._move)
        self._timer = node.create_timer(0.25, self._poll, clock=STEADY)
        self._poll()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._relay.port

    def close(self) -> None:
        """Takes leave of viewers and topics."""
        self._node.destroy_timer(self._timer)
        self._relay.close()
        self._server.stop()
        if TFMessage is None:
            self._frames.close()
        for subscription in self._heard.values():
            self._node.destroy_subscription(subscription)
        for publisher in self._out.values():
            self._node.destroy_publisher(publisher)

    def _move(self, stamp: float, parent: str, child: str, pose: Array) -> None:
        says, (x, y, yaw) = need("foxglove.messages", "foxglove"), pose
        transform = says.FrameTransform(
            timestamp=says.Timestamp.from_epoch_secs(stamp), parent_frame_id=parent, child_frame_id=child,
            translation=says.Vector3(x=x, y=y, z=0.0),
            rotation=says.Quaternion(x=0.0, y=0.0, z=math.sin(yaw / 2), w=math.cos(yaw / 2)),
        )  # fmt: skip
        self._transforms.log(transform)

    def looks(self, topic: str, viewers: int) -> None:
        """One viewer more (1) or less (-1) looks at a topic; called on the server's threads."""
        with self._lock:
            self._viewers[topic] = max(0, self._viewers.get(topic, 0) + viewers)
            if viewers > 0:
                self._new.add(topic)

    def take(self, topic: str, encoding: str, data: bytes) -> None:
        """A viewer sends a message; called on the server's threads."""
        if topic in self._publishers and encoding == "cdr" and len(data) <= 4096:
            with self._lock:
                self._sent = [*self._sent[-9:], (topic, data)]

    def _poll(self) -> None:
        for topic, kinds in self._node.get_topic_names_and_types():
            if topic not in self._channels and topic not in self._unknown and "/_" not in topic:  # hidden: actions
                self._offer(topic, kinds[0])
        with self._lock:
            wanted = {topic for topic, count in self._viewers.items() if count}
            new, self._new = self._new, set()
            sent, self._sent = self._sent, []
        for topic in self._heard.keys() - wanted:
            self._node.destroy_subscription(self._heard.pop(topic))
            self._last.pop(topic, None)
        for topic in wanted & self._channels.keys():
            if topic not in self._heard:
                self._hear(topic)
            elif topic in new and topic in self._last:
                self._channels[topic][0].log(self._last[topic])
        for topic, data in sent:
            self._pass_on(topic, data)

    def _offer(self, topic: str, type_name: str) -> None:
        try:
            message_class(type_name)
            for name, text in message_definitions(type_name).items():
                if name not in self._types.fielddefs:
                    self._types.register(get_types_from_msg(text, name))
            text = self._types.generate_msgdef(type_name, ros_version=2)[0]
        except AmiError as error:
            self._unknown.add(topic)
            self._node.get_logger().warning(f"{topic} is not shown: {error}")
            return
        schema = self._sdk.Schema(name=type_name, encoding="ros2msg", data=_with_defaults(text).encode())
        channel = self._sdk.Channel(topic, schema=schema, message_encoding="cdr", context=self._context)
        self._channels[topic] = channel, type_name

    def _hear(self, topic: str) -> None:
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers:
            return  # later
        channel, type_name = self._channels[topic]
        qos = matching_qos([info.qos_profile for info in publishers])
        latched = qos.durability == QoSDurabilityPolicy.TRANSIENT_LOCAL

        def pass_on(data: bytes) -> None:
            if latched:
                self._last[topic] = data
            channel.log(data)

        self._heard[topic] = self._node.create_subscription(message_class(type_name), topic, pass_on, qos, raw=True)

    def _pass_on(self, topic: str, data: bytes) -> None:
        """Publishes what a viewer sent, if it is such a message: nobody else is given bytes that nobody has read."""
        try:
            message = deserialize_message(data, self._publishers[topic])
        except Exception as error:  # whatever the middleware raises at bytes that are no message
            self._node.get_logger().warning(f"a viewer sent no {self._publishers[topic].__name__}: {error}")
            return
        self._node.get_logger().info(f"a viewer sent {topic}")
        self._out[topic].publish(message)


def _types() -> Typestore:
    """Of Jazzy, with the constants of Humble: Lichtblick 1.28.1 compares those. They are no part of a message."""
    types, humble = message_types(), get_typestore(Stores.ROS2_HUMBLE).fielddefs
    for name, (_, fields) in types.fielddefs.items():
        if name in humble and humble[name][1] == fields:
            types.fielddefs[name] = humble[name]
    return types


def _with_defaults(text: str) -> str:
    """As ROS 2 defines it, which Lichtblick compares as well: rosbags leaves out the default values of a Quaternion."""
    bare = "MSG: geometry_msgs/Quaternion\n" + "".join(f"float64 {axis}\n" for axis in "xyzw")
    full = "MSG: geometry_msgs/Quaternion\n" + "".join(f"float64 {axis} {int(axis == 'w')}\n" for axis in "xyzw")
    return text.replace(bare, full)


class _Listener:
    """What the server tells; see foxglove.websocket.ServerListener."""

    def __init__(self, server: FoxgloveServer) -> None:
        self._server, self._channels = server, dict[tuple[int, int], tuple[str, str]]()

    def on_subscribe(self, client: Any, channel: Any) -> None:
        self._server.looks(channel.topic, 1)

    def on_unsubscribe(self, client: Any, channel: Any) -> None:
        self._server.looks(channel.topic, -1)

    def on_client_advertise(self, client: Any, channel: Any) -> None:
        self._channels[client.id, channel.id] = channel.topic, channel.encoding

    def on_client_unadvertise(self, client: Any, client_channel_id: int) -> None:
        self._channels.pop((client.id, client_channel_id), None)

    def on_message_data(self, client: Any, client_channel_id: int, data: bytes) -> None:
        self._server.take(*self._channels.get((client.id, client_channel_id), ("", "")), data)
