"""What was heard of a robot in a while, live or from a bag, and the first draft of its description from that."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ami_ros.core.depth import ENCODINGS as DEPTHS
from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames

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


HEAD = """\
# A draft by `./ami doctor`: sensors as they were heard. Shape, drive, limits, planned, braking and a depth camera's
# mount are guesses that are safe for a small robot: measure yours, and look each field up in docs/reference.md.
"""
GUESSES: dict[str, Any] = {
    "shape": {"radius": 0.25},
    "drive": {"kind": "differential", "track": 0.3},
    "limits": {"linear": 0.3, "backward": 0.1, "angular": 1.0},
    "planned": {"linear": 0.25, "backward": 0.1, "angular": 0.8},
    "braking": {"deceleration": 0.5, "reaction": 0.3, "turn_lag": 0.4},
}
DEPTH_MOUNT = {"z": 0.2}  # [m]: a guess as well


def write_draft(file: Path, seen: Observation) -> None:
    """Writes a first description into a new file.

    Raises:
        AmiError: no sensor of a robot was heard.
    """
    if not any(_heard(seen, IMAGE, COMPRESSED, SCAN, ODOMETRY)):
        where = "in this ROS domain: do its drivers run, with the same ROS_DOMAIN_ID?" if seen.live else "in the bag"
        raise AmiError(f"{file} is not written: no picture, scan or odometry was heard {where}")
    file.write_text(draft(seen), encoding="utf-8")


def draft(seen: Observation) -> str:
    """YAML that describes the robot, as far as a few seconds tell."""
    pictures = _heard(seen, IMAGE, COMPRESSED)
    depths = [name for name in pictures if getattr(seen.topics[name].last, "encoding", "") in DEPTHS]
    sensors = [
        *[_camera(name, seen) for name in pictures if name not in depths][:1],
        *({**_camera(name, seen), "name": "depth", "kind": "depth", "mount": DEPTH_MOUNT} for name in depths[:1]),
        *(_laser(name, seen.topics[name]) for name in _heard(seen, SCAN)[:1]),
    ]
    frames = {"base": "base_link", "odom": "odom", "map": "map"}
    for name in _heard(seen, ODOMETRY)[:1]:
        topic = seen.topics[name]
        frames |= {"odom": topic.frame or "odom", "base": topic.last.child_frame_id or "base_link"}
        sensors.append({"name": "wheels", "kind": "odometry", "topic": name, "rate": _rate(topic)})
    commands = [name for name in seen.of_type(TWIST_STAMPED, TWIST) if seen.topics[name].subscribers or not seen.live]
    command = next(
        (name for name in commands if name.rsplit("/", 1)[-1] == "cmd_vel"), next(iter(commands), "/cmd_vel")
    )
    stamped = command not in seen.topics or seen.topics[command].type == TWIST_STAMPED
    robot = {**GUESSES, "command": {"topic": command, "stamped": stamped}, "frames": frames, "sensors": sensors}
    return HEAD + yaml.safe_dump(robot, sort_keys=False, default_flow_style=None, width=110)


def _heard(seen: Observation, *types: str) -> list[str]:
    """Topics of these types from which something came; raw pictures before compressed ones."""
    return [name for kind in types for name in seen.of_type(kind) if seen.topics[name].last is not None]


def _rate(topic: Topic) -> float:
    return round(topic.rate, 1) if math.isfinite(topic.rate) else 10.0


def _camera(name: str, seen: Observation) -> dict[str, Any]:
    topic = seen.topics[name]
    made: dict[str, Any] = {"name": "front", "kind": "camera", "topic": name, "rate": _rate(topic)}
    if topic.type == COMPRESSED:
        made["type"] = "compressed"
    else:
        made |= {"encoding": topic.last.encoding, "width": topic.last.width, "height": topic.last.height}
    folder = name.rsplit("/", 2 if topic.type == COMPRESSED else 1)[0]
    info = seen.topics.get(f"{folder}/camera_info")
    if info is not None and info.type == INFO and info.last is not None and info.last.k[0] > 0:
        k = info.last.k
        made |= {"width": int(info.last.width), "height": int(info.last.height)}
        made["intrinsics"] = [round(float(k[i]), 2) for i in (0, 4, 2, 5)]
    else:
        made["fov"] = 60.0
    return made | {"frame": topic.frame}


def _laser(name: str, topic: Topic) -> dict[str, Any]:
    scan = topic.last
    beams = len(np.asarray(scan.ranges))
    view = min(360.0, math.degrees(abs(scan.angle_increment) * beams))
    return {
        "name": "scan", "kind": "laser", "topic": name, "beams": beams, "fov": 360.0 if view > 355 else round(view, 1),
        "range_min": max(0.05, round(float(scan.range_min), 3)), "range_max": round(float(scan.range_max), 2),
        "rate": _rate(topic), "frame": topic.frame,
    }  # fmt: skip
