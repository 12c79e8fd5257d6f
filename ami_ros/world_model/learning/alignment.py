"""Finds the topics of a bag that a data set needs, and brings them to one frame each period, in episodes without gaps
and jumps."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.commands import Command
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.world_model.learning.bag_reader import BagReader
from ami_ros.world_model.perception import fit_scan

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
        width: numbers in commands and velocities, see `ami_ros.core.commands`.

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
        elif role in ("odometry", "command") and not np.isfinite(value).all():
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
        stream.recorded.append(1e-9 * time)
        stream.values.append(value)
    for segment in segments:
        _stamp_by_recording(segment)
    return segments


def _value(bag: BagReader, role: str, topic: str, data: bytes, width: int, dropped: Counter[str]) -> tuple[float, Any]:
    if role == "image":
        seconds, nanoseconds = struct.unpack_from("<iI" if data[1] & 1 else ">iI", data, 4)  # without decoding the rest
        return seconds + 1e-9 * nanoseconds, None
    message = bag.decode(topic, data)
    is_stamped = hasattr(message, "header")
    stamp = float(message.header.stamp.sec + 1e-9 * message.header.stamp.nanosec) if is_stamped else float("nan")
    if role == "command":
        command = _command(message.twist if is_stamped else message)
        dropped[SIDEWAYS] += width == 2 and command[2] != 0
        return stamp, command[:width]
    if role == "odometry":
        return stamp, (*_planar(message.pose.pose), *_command(message.twist.twist)[:width])
    return stamp, message if role == "scan" else _planar(message.pose)


def _command(twist: Any) -> Command:
    return twist.linear.x, twist.angular.z, twist.linear.y


def _planar(pose: Any) -> tuple[float, float, float]:
    q = pose.orientation
    yaw = float(np.arctan2(2 * (q.w * q.z + q.x * q.y), 1 - 2 * (q.y**2 + q.z**2)))
    return pose.position.x, pose.position.y, yaw


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


@dataclass(frozen=True)
class AlignmentConfig:
    """How frames are chosen and episodes cut."""

    period: float = 0.2  # between frames [s]
    tolerance: float = 0.0  # a sensor's stamp differs from its frame's by at most this [s]; 0: by the sensor's rate
    command_timeout: float = 1.0  # a robot stops when commands are older [s]
    max_step: float = 0.5  # odometry that moves further between two frames has jumped [m]
    max_turn: float = 1.5  # the same of its yaw [rad]
    min_frames: int = 16  # shorter episodes are dropped
    max_beams: int = 360  # finer scans are thinned out to this over the full circle

    def __post_init__(self) -> None:
        if self.period <= 0 or not 0 <= self.tolerance <= self.period / 2:
            raise ValueError("period must be positive, and tolerance between 0 and half of it")
        if self.min_frames < 2 or self.max_beams < 1:
            raise ValueError("min_frames must be at least 2, max_beams at least 1")


@dataclass(frozen=True)
class RateConfig:
    """By the rates at which sensors come, where `tolerance` is 0."""

    exact: float = 0.05  # [s] that stamps may always differ
    regular: float = 0.99  # share of the intervals between stamps whose jitter is taken for the sensor's own
    slow: float = 1.15  # periods between two messages from which on a sensor is too slow
    carry: float = 0.9  # of how far the moments so far are off, what the next makes up for


RATES = RateConfig()


def reach_of(stamps: Array, config: AlignmentConfig) -> float:
    """How far [s] a moment may be from the nearest of a sensor's `stamps` (n,): half of the time between two of them,
    and half of what that time trembles; at most a period."""
    if config.tolerance or len(stamps) < 2:
        return config.tolerance or RATES.exact
    intervals = np.diff(np.sort(stamps))
    usual = float(np.median(intervals))
    jitter = min(float(np.quantile(np.abs(intervals - usual), RATES.regular)), usual)
    return min(max(RATES.exact, (usual + jitter) / 2), config.period)


def too_slow(stamps: Array, config: AlignmentConfig) -> str:
    """What to say of a sensor that does not come once a period, and what to do; empty if it does."""
    usual = float(np.median(np.diff(np.sort(stamps)))) if len(stamps) > 1 else 0.0
    if config.tolerance or usual <= RATES.slow * config.period:
        return ""
    return (
        f"come every {usual:.2f} s, and a moment is wanted every {config.period:g} s: raise the driver's rate, or set "
        f"--period {usual:.2f} (./ami train: --set spec.period={usual:.2f})"
    )


@dataclass
class Frames:
    """Aligned rows; row i is the moment `stamp[i]`, `command[i]` the mean command from then to the next row."""

    stamp: Array  # (n,) [s]
    picture: NDArray[np.int64]  # (n,) index of the image on its topic
    scan: NDArray[np.float32]  # (n, beams) [m], full circle from straight ahead; (n, 0) without scanner
    odometry: Array  # (n, 3)
    command: NDArray[np.float32]  # (n, 2 or 3), see `ami_ros.core.commands`
    velocity: NDArray[np.float32]  # (n, 2 or 3), likewise
    truth: Array  # (n, 3) in the frame world, NaN where unknown
    starts: NDArray[np.bool_]  # (n,) an episode starts here

    def select(self, rows: NDArray[np.bool_]) -> Frames:
        """The rows that are true in `rows` (n,); an episode starts anew behind each one left out."""
        starts = self.starts.copy()
        starts[1:] |= ~rows[:-1]
        starts[0:1] = True
        # A start that is left out itself moves on to the next row, which the line above has marked.
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        return Frames(**columns, picture=self.picture[rows], starts=starts[rows])

    @property
    def episodes(self) -> list[tuple[int, int]]:
        """(start, stop) of each."""
        first = np.flatnonzero(self.starts).tolist()
        return list(zip(first, [*first[1:], len(self.stamp)], strict=True)) if first else []


COLUMNS = ("stamp", "scan", "odometry", "command", "velocity", "truth")


def align(segment: Segment, config: AlignmentConfig, beams: int, dropped: Counter[str], width: int = 2) -> Frames:
    """One segment's frames; rows without a required sensor are left out.

    Of a segment that has no odometry or no commands at all, those columns are NaN.

    Args:
        beams: columns of the scan over the full circle, 0 without scanner.
        dropped: reason -> number of messages, frames or cuts; counted up here.
        width: numbers in commands and velocities.
    """
    clock = clock_of(segment)
    moments = segment[clock] if clock == "image" else replace(segment[clock], values=[0] * len(segment[clock].stamps))
    stamps, pictures, late = ordered(moments, 1)
    dropped[f"{clock}s out of order"] += late
    if words := too_slow(stamps, config):
        dropped[f"{clock}s, which {words}"] += len(stamps)
        stamps, pictures = stamps[:0], pictures[:0]
    chosen, starts = choose(stamps, config)
    dropped[f"cuts at gaps of the {clock}s"] += max(0, int(starts.sum()) - 1)
    stamp = stamps[chosen]
    pose, velocity = np.full((len(stamp), 3), np.nan), np.full((len(stamp), width), np.nan)
    is_there = np.ones(len(stamp), dtype=bool)
    if "odometry" in segment:
        odometry_stamps, odometry, _ = ordered(segment["odometry"], 3 + width)
        is_there = near(odometry_stamps, stamp, config)
        dropped["frames without odometry"] += int((~is_there).sum())
        pose, velocity = _interpolate(odometry_stamps, odometry, stamp)
    scan = np.zeros((len(stamp), beams), dtype=np.float32)
    if beams:
        scan, has_scan = _scans(segment, stamp, beams, config)
        dropped["frames without scan"] += int((is_there & ~has_scan).sum())
        is_there &= has_scan
    jumped = _jumps(pose, config) & ~starts & is_there & np.roll(is_there, 1)
    dropped["cuts at jumps of the odometry"] += int(jumped.sum())
    starts |= jumped
    frames = Frames(
        stamp=stamp,
        picture=pictures[chosen, 0].astype(np.int64),
        scan=scan,
        odometry=pose,
        command=_mean_commands(segment, stamp, starts, config, width).astype(np.float32),
        velocity=velocity.astype(np.float32),
        truth=_optional(segment, "truth", stamp, config, 3),
        starts=starts,
    )
    return frames.select(is_there)


def joined_frames(parts: Sequence[Frames]) -> Frames | None:
    """The parts behind one another, None if there are no rows."""
    if not any(len(part.stamp) for part in parts):
        return None
    names = [f.name for f in fields(Frames)]
    return Frames(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def drop_short(frames: Frames, config: AlignmentConfig, dropped: Counter[str]) -> Frames:
    """Without the episodes shorter than `min_frames`."""
    keep = np.ones(len(frames.stamp), dtype=bool)
    for start, stop in frames.episodes:
        if stop - start < config.min_frames:
            keep[start:stop] = False
    dropped[f"frames in episodes shorter than {config.min_frames}"] += int((~keep).sum())
    return frames.select(keep)


def choose(stamps: Array, config: AlignmentConfig) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Indices of the clock's messages that are one period apart on average, and where a gap came before them.

    Where no message lies just one period on, the nearest is taken, and the next makes up for it: of a laser of 7.6 Hz
    the second and the first by turns, so that steps are right on average.
    """
    reach, carry = reach_of(stamps, config), 0.0
    chosen, starts, i = [], [], 0
    is_start = True
    while i < len(stamps):
        chosen.append(i)
        starts.append(is_start)
        target = stamps[i] + config.period + (0.0 if config.tolerance else carry)
        after = int(np.searchsorted(stamps, target))
        is_nearer = after == len(stamps) or target - stamps[after - 1] < stamps[after] - target
        nearest = after - 1 if after - 1 > i and is_nearer else max(after, i + 1)
        is_start = nearest >= len(stamps) or abs(stamps[nearest] - target) > reach + 1e-9
        carry = 0.0 if is_start else RATES.carry * (target - stamps[nearest])
        i = max(after, i + 1) if is_start else nearest
    return np.asarray(chosen, dtype=np.int64), np.asarray(starts, dtype=bool)


def _nearest(stamps: Array, wanted: Array) -> NDArray[np.int64]:
    after = np.searchsorted(stamps, wanted).clip(1, max(1, len(stamps) - 1))
    before = after - 1
    after = after.clip(max=len(stamps) - 1)
    return np.where(wanted - stamps[before] <= stamps[after] - wanted, before, after)


def near(stamps: Array, wanted: Array, config: AlignmentConfig) -> NDArray[np.bool_]:
    """Whether a message of a sensor with these ordered `stamps` (n,) belongs to each of the moments `wanted` (k,)."""
    if not len(stamps):
        return np.zeros(len(wanted), dtype=bool)
    return np.asarray(np.abs(stamps[_nearest(stamps, wanted)] - wanted) <= reach_of(stamps, config) + 1e-9)


def _interpolate(stamps: Array, odometry: Array, wanted: Array) -> tuple[Array, Array]:
    """Poses (n, 3) and velocities (n, width) at `wanted`."""
    width = odometry.shape[1] - 3
    if not len(stamps):
        return np.zeros((len(wanted), 3)), np.zeros((len(wanted), width))
    smooth = odometry.copy()
    smooth[:, 2] = np.unwrap(smooth[:, 2])
    columns = [np.interp(wanted, stamps, smooth[:, k]) for k in range(3 + width)]
    columns[2] = wrap(columns[2])
    return np.stack(columns[:3], axis=1), np.stack(columns[3:], axis=1)


def _jumps(pose: Array, config: AlignmentConfig) -> NDArray[np.bool_]:
    jumps = np.zeros(len(pose), dtype=bool)
    motion = relative(pose[:-1], pose[1:])
    jumps[1:] = (np.hypot(motion[:, 0], motion[:, 1]) > config.max_step) | (np.abs(motion[:, 2]) > config.max_turn)
    return jumps


def _scans(
    segment: Segment, wanted: Array, beams: int, config: AlignmentConfig
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    stream, scan = segment["scan"], np.full((len(wanted), beams), np.inf, dtype=np.float32)
    order = np.argsort(stream.stamps, kind="stable")
    stamps = np.asarray(stream.stamps)[order]
    is_there = near(stamps, wanted, config)
    if len(stamps):
        for row in np.flatnonzero(is_there):
            message = stream.values[order[_nearest(stamps, wanted[row : row + 1])[0]]]
            ranges = np.array(message.ranges, dtype=np.float32)
            with np.errstate(invalid="ignore"):
                ranges[(ranges < message.range_min) | (ranges > message.range_max)] = np.inf
            scan[row] = fit_scan(Scan(ranges, message.angle_min, message.angle_increment), beams)
    return scan, is_there


def _optional(segment: Segment, role: str, wanted: Array, config: AlignmentConfig, width: int) -> Array:
    """The nearest value (n, width), NaN where none is near."""
    values = np.full((len(wanted), width), np.nan)
    if role in segment:
        stamps, found, _ = ordered(segment[role], width)
        is_there = near(stamps, wanted, config)
        if is_there.any():
            values[is_there] = found[_nearest(stamps, wanted[is_there])]
    return values


def _mean_commands(
    segment: Segment, stamp: Array, starts: NDArray[np.bool_], config: AlignmentConfig, width: int
) -> Array:
    """Mean (n, width) from each frame to the next, of commands that hold until the next or their timeout."""
    if "command" not in segment:
        return np.full((len(stamp), width), np.nan)
    stamps, commands, _ = ordered(segment["command"], width)
    until = stamp + config.period
    follows = ~starts[1:]
    until[:-1][follows] = stamp[1:][follows]
    if not len(stamps):
        return np.zeros((len(stamp), width))
    ends = np.minimum(np.append(stamps[1:], np.inf), stamps + config.command_timeout)
    # The integral of the commands is linear between these knots, and constant before and behind them.
    knots = np.stack([stamps, ends], axis=1).ravel()
    areas = np.zeros((len(stamps), 2, width))
    areas[:, 1] = commands * (ends - stamps)[:, None]
    total = areas.reshape(-1, width).cumsum(axis=0)
    at = [np.interp(until, knots, total[:, k]) - np.interp(stamp, knots, total[:, k]) for k in range(width)]
    return np.asarray(np.stack(at, axis=1) / (until - stamp)[:, None])
