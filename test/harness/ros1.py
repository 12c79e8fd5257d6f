"""Bags as ROS 1 wrote them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from rosbags.rosbag1 import Writer
from rosbags.typesys import Stores, get_typestore

from ami_ros.world_model.learning.bag_reader import BagReader


def as_ros1(bag: Path, out: Path, topics: Collection[str] | None = None, rename: dict[str, str] | None = None) -> Path:
    """The same messages in the format, and by the types, of ROS 1 Noetic; of all topics or of `topics`."""
    types, today = get_typestore(Stores.ROS1_NOETIC), get_typestore(Stores.ROS2_JAZZY)
    with BagReader(bag) as reader, Writer(out) as writer:
        wanted = [name for name in reader.topics if topics is None or name in topics]
        to = {
            name: writer.add_connection((rename or {}).get(name, name), reader.topics[name].type_name, typestore=types)
            for name in wanted
        }
        for name, time, data in reader.messages(wanted):
            writer.write(to[name], time, today.cdr_to_ros1(data, reader.topics[name].type_name))
    return out
