"""Finds the topics of a bag that a data set needs, and reads them into arrays by stamp."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command
from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.learning.bag_reader import BagReader

NANOSECONDS = 1e-9
FINITE = ("odometry", "command")  # roles without whose numbers there is nothing to learn
SIDEWAYS = "commands whose sideways part (linear.y) was left out: --set lateral=true reads it"
TIME_JUMP = 1.0  # stamps that go back further than this are a restart of the clock [s]


@dataclass(frozen=True)
class Role:
    """What a topic can stand for, and how it is recognised."""

    types: tuple[str, ...]
    names: tuple[str, ...]  # last parts of usual names, best first
    required: bool
    by_type: bool = True  # the only topic of a type fits under any name


ROLES = {
    "image": Role(
        ("sensor_msgs/msg/CompressedImage", "sensor_msgs/msg/Image"),
        ("compressed", "image", "image_raw"),
        required=True,
    ),
    "odometry": Role(("nav_msgs/msg/Odometry",), ("odom", "odometry"), required=True),
    "command": Role(("geometry_msgs/msg/TwistStamped", "geometry_msgs/msg/Twist"), ("cmd_vel",), required=True),
    "scan": Role(("sensor_msgs/msg/LaserScan",), ("scan",), required=False),
    "truth": Role(("geometry_msgs/msg/PoseStamped",), ("ground_truth",), required=False, by_type=False),
}


def clock_of(roles: Iterable[str]) -> str:
    """The role whose messages are the moments of a data set."""
    return "image" if "image" in roles else "scan"


def find_topics(bag: BagReader, mapping: Mapping[str, str], pictures: bool = True) -> dict[str, str]:
    """Role -> topic, from `mapping` (of "a|b" the first that is there) or by type and usual name.

    Args:
        bag: to look into.
        mapping: see above.
        pictures: are wanted; else scans are, and their moments count. Where there are scans, they do without pictures,
            odometry and commands, too.

    Raises:
        AmiError: a required topic is missing or ambiguous, or the mapping names one that is not there.
    """
    there = ", ".join(f"{t.name} ({t.type_name.rsplit('/', 1)[1]})" for t in bag.topics.values()) or "nothing"
    found = {}
    for role, topic in mapping.items():
        if role not in ROLES:
            raise AmiError(f"topics: unknown role '{role}'; known are {', '.join(ROLES)}")
        names = (name for own in topic.split("|") for name in (own, f"/{own}"))
        fitting = (n for n in names if n in bag.topics and bag.topics[n].type_name in ROLES[role].types)
        found[role] = next(fitting, "")
        if not found[role]:
            raise AmiError(f"{bag.path} has no topic {topic} fit for '{role}'; it has {there}")
    for name, expected in ROLES.items():
        if name in found or (name == "image" and not pictures):
            continue
        candidates = [t.name for t in bag.topics.values() if t.type_name in expected.types and t.count]
        by_name = [[c for c in candidates if c.rsplit("/", 1)[-1] == last] for last in expected.names]
        candidates = next((usual for usual in by_name if usual), candidates if expected.by_type else [])
        if len(candidates) == 1:
            found[name] = candidates[0]
        elif candidates:
            several = ", ".join(candidates)
            raise AmiError(f"{bag.path}: which of {several} is the {name}? Say so: topic {name}=NAME")
    lacking = [name for name, role in ROLES.items() if role.required and name not in found]
    lacking = [name for name in lacking if name != "image" or pictures] if pictures else ["scan", *lacking]
    if lacking and "scan" not in found:
        types = " or ".join(ROLES[lacking[0]].types)
        raise AmiError(f"{bag.path} has no {' and no '.join(lacking)} ({types}); it has {there}")
    return found


def lacks(topics: Iterable[str], pictures: bool = True) -> list[str]:
    """What a recording with these roles lacks, and what that means, a line each."""
    said = {
        "image": "it has no pictures: its scans are the moments, for a model without a camera (models/laser)",
        "odometry": "it has no odometry: it is computed from the scans",
        "command": "it has no commands: a map can be made of it, a world model cannot be learned",
    }
    return [line for role, line in said.items() if role not in topics and (pictures or role != "image")]


@dataclass
class Stream:
    """Messages of one topic in the order of recording."""

    stamps: list[float] = field(default_factory=list)  # [s]; NaN where the message has none
    recorded: list[float] = field(default_factory=list)  # when it was recorded [s]
    values: list[Any] = field(default_factory=list)


Segment = dict[str, Stream]  # by role; no clock restarts inside


def read_segments(
    bag: BagReader, topics: Mapping[str, str], dropped: Counter[str], tick: Callable[[], None], width: int = 2
) -> list[Segment]:
    """Reads everything but the pictures: the value of an image is its index on its topic.

    Args:
        bag: to read.
        topics: by role.
        dropped: reason -> number of messages; counted up here.
        tick: called for each message.
        width: numbers in commands and velocities, see `ami_ros.commands`.

    Returns:
        Segments between restarts of the clock. Stamps are those of the data; messages without any (Twist)
        get the recording time brought to the images' clock.
    """
    roles = {topic: role for role, topic in topics.items()}
    segments: list[Segment] = []
    newest: dict[str, float] = {}
    pictures = 0
    for topic, time, data in bag.messages(roles):
        tick()
        role = roles[topic]
        pictures += role == "image"
        try:
            stamp, value = _value(bag, role, topic, data, width, dropped)
        except (ValueError, IndexError, struct.error, AssertionError):
            dropped[f"messages of {topic} that cannot be decoded"] += 1
            continue
        if role == "image":
            value = pictures - 1
        elif role in FINITE and not np.isfinite(value).all():
            dropped[f"messages of {topic} with numbers that are not finite"] += 1
            continue
        elif role == "scan" and not (len(value.ranges) and value.angle_increment):
            dropped[f"messages of {topic} without beams, or without angles between them"] += 1
            continue
        if not segments or stamp < newest.get(role, -np.inf) - TIME_JUMP:
            segments.append({name: Stream() for name in topics})
            newest = {}
        if not np.isnan(stamp):
            newest[role] = max(stamp, newest.get(role, -np.inf))
        stream = segments[-1][role]
        stream.stamps.append(stamp)
        stream.recorded.append(time * NANOSECONDS)
        stream.values.append(value)
    for segment in segments:
        _stamp_by_recording(segment)
    return segments


def _value(bag: BagReader, role: str, topic: str, data: bytes, width: int, dropped: Counter[str]) -> tuple[float, Any]:
    if role == "image":
        seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)  # without decoding the rest
        return seconds + nanoseconds * NANOSECONDS, None
    message = bag.decode(topic, data)
    if role == "command":
        stamped = hasattr(message, "header")
        command = _command(message.twist if stamped else message)
        dropped[SIDEWAYS] += width == 2 and command[2] != 0
        return _stamp(message) if stamped else float("nan"), command[:width]
    stamp = _stamp(message)
    if role == "odometry":
        return stamp, (*_planar(message.pose.pose), *_command(message.twist.twist)[:width])
    return stamp, message if role == "scan" else _planar(message.pose)


def _stamp(message: Any) -> float:
    return float(message.header.stamp.sec + message.header.stamp.nanosec * NANOSECONDS)


def _command(twist: Any) -> Command:
    return twist.linear.x, twist.angular.z, twist.linear.y


def _planar(pose: Any) -> tuple[float, float, float]:
    return pose.position.x, pose.position.y, _yaw(pose.orientation)


def _yaw(q: Any) -> float:
    return float(np.arctan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y**2 + q.z**2)))


def _stamp_by_recording(segment: Segment) -> None:
    clock = segment[clock_of(segment)]
    for stream in segment.values():
        missing = np.isnan(stream.stamps)
        if missing.any():
            recorded = np.asarray(stream.recorded)
            if clock.stamps:
                lag = np.subtract(clock.stamps, clock.recorded)
                recorded = recorded + np.interp(recorded, clock.recorded, lag)
            stream.stamps = np.where(missing, recorded, stream.stamps).tolist()


def ordered(stream: Stream, width: int) -> tuple[Array, Array, int]:
    """Stamps (n,) strictly increasing, values (n, width), and how many late messages were left out."""
    stamps = np.asarray(stream.stamps, dtype=np.float64)
    keep = np.ones(len(stamps), dtype=bool)
    keep[1:] = stamps[1:] > np.maximum.accumulate(stamps)[:-1]
    values: NDArray[np.float64] = np.asarray(stream.values, dtype=np.float64).reshape(len(stamps), width)
    return stamps[keep], values[keep], int((~keep).sum())
