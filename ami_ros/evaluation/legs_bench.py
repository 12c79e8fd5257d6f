"""How well people are found in scans of real lasers, whose legs are labelled: bags of leg_tracker (ROS 1, BSD).

Its labels are all clusters of points in a sector where people walked, at most `reach` [m] off and `arc` [rad] aside, in
scans that have at least one; who walked elsewhere is not labelled. So what is found outside the sector does not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ami_ros.errors import AmiError
from ami_ros.extras import importing
from ami_ros.geometry import Array
from ami_ros.moving.things import Kind
from ami_ros.moving.tracker import Tracker
from ami_ros.scan import Scan

with importing("train"):
    from rosbags.highlevel import AnyReader, AnyReaderError

LABELS = "leg_cluster_positions"
ONE_PERSON = 0.8  # [m] between two legs of one at most
NEAR = 0.5  # [m] that a person may be off


class LabelledScan(NamedTuple):
    """One scan and the people in it."""

    stamp: float  # [s]
    scan: Scan  # in the frame of the scanner, which stood
    people: Array  # (n, 2) [m], the middle of the legs of each


@dataclass
class LegCounts:
    """Of one bag."""

    found: int = 0  # people who were
    missed: int = 0
    false: int = 0  # tracks of a person in the sector where none is labelled
    elsewhere: int = 0  # tracks outside the sector


def measure(bag: Path, arc: float, reach: float) -> dict[str, Any]:
    """What a tracker finds in a bag, in a sector of `arc` [rad] to each side, up to `reach` [m].

    Returns counts, how many people and tracks there were, F1, and the CPU time of each scan [ms].

    Raises:
        AmiError: it is no such bag.
    """
    tracker, counts, ms = Tracker(), LegCounts(), []
    for labelled in labelled_scans(bag):
        began = time.process_time()
        things = tracker.take(labelled.stamp, labelled.scan, np.zeros(3))
        ms.append(1000 * (time.process_time() - began))
        tracks = np.array([t.position for t in things.things if t.kind is Kind.PERSON]).reshape(-1, 2)
        score(counts, tracks, labelled.people, arc, reach)
    if not ms:
        raise AmiError(f"{bag}: no scan comes with labels of legs on {LABELS}")
    people, tracked = counts.found + counts.missed, counts.found + counts.false
    f1 = 2 * counts.found / max(1, people + tracked)
    return vars(counts) | {"people": people, "tracks": tracked, "f1": f1, "scans": len(ms), "ms": ms}


def score(counts: LegCounts, tracks: Array, people: Array, arc: float, reach: float) -> None:
    """Counts `tracks` (k, 2) of one scan against its `people` (n, 2); each of one stands for one of the other."""
    left = np.ones(len(tracks), bool)
    apart = np.hypot(*(people[:, None] - tracks[None]).transpose(2, 0, 1))
    for person in range(len(people)):
        nearest = np.where(left, apart[person], np.inf)
        if len(tracks) and nearest.min() < NEAR:
            left[nearest.argmin()] = False
            counts.found += 1
        else:
            counts.missed += 1
    inside = (np.hypot(*tracks.T) < reach) & (np.abs(np.arctan2(tracks[:, 1], tracks[:, 0])) < arc)
    counts.false += int((left & inside).sum())
    counts.elsewhere += int((left & ~inside).sum())


def labelled_scans(bag: Path) -> Iterator[LabelledScan]:
    """The scans of a bag, each with the labels that come before it.

    Raises:
        AmiError: it cannot be read.
    """
    try:
        with AnyReader([bag]) as reader:
            people: Array | None = None
            for connection, _, raw in reader.messages():
                if connection.topic.endswith(LABELS):
                    people = people_of(reader.deserialize(raw, connection.msgtype))
                elif connection.msgtype == "sensor_msgs/msg/LaserScan" and people is not None:
                    message: Any = reader.deserialize(raw, connection.msgtype)
                    stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
                    yield LabelledScan(stamp, scan_of(message), people)
                    people = None
    except (AnyReaderError, OSError) as error:
        raise AmiError(f"{bag}: {' '.join(str(error).split())}") from error


def scan_of(message: Any) -> Scan:
    """A scan as `ros.messages.range_sensors` reads it, of a message that was read without ROS."""
    ranges = np.array(message.ranges, np.float32)
    ranges[np.isneginf(ranges)] = message.range_min
    ranges[~((ranges >= message.range_min) & (ranges > 0))] = np.nan
    ranges[ranges >= message.range_max] = np.inf
    return Scan(ranges, float(message.angle_min), float(message.angle_increment), max_range=float(message.range_max))


def people_of(message: Any) -> Array:
    """The people (n, 2) whose legs a PoseArray has."""
    legs = np.array([(pose.position.x, pose.position.y) for pose in message.poses]).reshape(-1, 2)
    found, free = [], np.ones(len(legs), bool)
    while free.any():
        near = free & (np.hypot(*(legs - legs[free.argmax()]).T) < ONE_PERSON)
        found.append(legs[near].mean(0))
        free &= ~near
    return np.array(found).reshape(-1, 2)
