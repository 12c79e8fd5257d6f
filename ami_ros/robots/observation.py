"""What was heard of a robot in a while, live or from a bag: topics, fixed frames, and who tells the time."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.static_frames import StaticFrames

IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
INFO, SCAN = "sensor_msgs/msg/CameraInfo", "sensor_msgs/msg/LaserScan"
ODOMETRY, IMU = "nav_msgs/msg/Odometry", "sensor_msgs/msg/Imu"
TWIST, TWIST_STAMPED = "geometry_msgs/msg/Twist", "geometry_msgs/msg/TwistStamped"
TRANSFORMS = "tf2_msgs/msg/TFMessage"
HEARD = frozenset({IMAGE, COMPRESSED, INFO, SCAN, ODOMETRY, IMU, TRANSFORMS})


@dataclass
class Topic:
    """What was heard of a topic.

    Attributes:
        type: of its messages, as "package/msg/Name".
        publishers: names of nodes; for a bag one.
        subscribers: names of nodes that listen.
        arrivals: when messages came [s], on the clock of the observer.
        stamps: of those messages [s]; none of messages without a header.
        frame: frame_id of the last message.
        last: the last message.
    """

    type: str
    publishers: tuple[str, ...] = ()
    subscribers: tuple[str, ...] = ()
    arrivals: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    frame: str = ""
    last: Any = None

    def take(self, message: Any, arrival: float) -> None:
        """Keeps what matters of a message of ROS or of rosbags."""
        self.arrivals.append(arrival)
        self.last = message
        if (header := getattr(message, "header", None)) is not None:
            self.stamps.append(header.stamp.sec + 1e-9 * header.stamp.nanosec)
            self.frame = header.frame_id

    @property
    def rate(self) -> float:
        """Messages a second [Hz]; NaN of fewer than three."""
        span = self.arrivals[-1] - self.arrivals[0] if len(self.arrivals) > 2 else 0.0
        return (len(self.arrivals) - 1) / span if span > 0 else math.nan


@dataclass
class Observation:
    """What was heard in a while: topics by name, fixed frames, and who tells the time.

    Attributes:
        simulated_time: somebody publishes /clock, and ages are judged by it.
        live: from a running system rather than a bag, in which nobody subscribes.
    """

    topics: dict[str, Topic] = field(default_factory=dict)
    frames: StaticFrames = field(default_factory=StaticFrames)
    simulated_time: bool = False
    live: bool = True

    def take_transforms(self, message: Any) -> None:
        """Static transforms, of which broken ones are left out."""
        for item in message.transforms:
            move, turn = item.transform.translation, item.transform.rotation
            try:
                parent, child = item.header.frame_id, item.child_frame_id
                self.frames.put(parent, child, (move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w))
            except AmiError:
                continue

    def of_type(self, *types: str) -> list[str]:
        """Topics of these types, those that somebody publishes first."""
        found = [name for name, topic in self.topics.items() if topic.type in types]
        return sorted(found, key=lambda name: (not self.topics[name].publishers, name))
