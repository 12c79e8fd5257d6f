"""Writes rosbag2 directories (MCAP) without ROS, through the rosbags library.

Stamps are seconds in the core and nanoseconds in a bag. Whatever stops the writer, the chunks that it
finished stay readable: see `bag_reader`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.core.commands import Command, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import importing
from ami_ros.core.scan import Mount

with importing("train"):
    from rosbags.interfaces import (
        Connection,
        Qos,
        QosDurability,
        QosHistory,
        QosLiveliness,
        QosReliability,
        QosTime,
    )
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
    from rosbags.rosbag2.storage_mcap import McapWriter
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore
    from rosbags.typesys.store import Typestore

NANOSECONDS = 1_000_000_000


def to_nanoseconds(stamp: float) -> int:
    """A stamp [s] as the nearest integer number of nanoseconds."""
    return round(stamp * NANOSECONDS)


def message_types() -> Typestore:
    """The message types of ROS 2 Jazzy itself."""
    return get_typestore(Stores.ROS2_JAZZY)


class BagWriter:
    """Writes one rosbag2 directory: MCAP with zstd chunks, definitions of all types, metadata.yaml.

    Args:
        path: folder to make; it must not exist.

    Raises:
        AmiError: `path` exists or cannot be written; any method, when the disk is full. What was
            written until then can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise AmiError(f"{self.path} exists already: name another folder, or remove it")
        self.counts: dict[str, int] = {}
        self.size = 0  # bytes of messages, before compression
        self._types = message_types()
        self._connections: dict[str, Connection] = {}
        self._latched: set[str] = set()
        self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._closed = False
        with self._failure_named():
            self._writer.open()

    def define(self, definitions: Mapping[str, str]) -> None:
        """Adds message types beyond ROS 2's own: type name to .msg text."""
        for name, text in definitions.items():
            if name not in self._types.fielddefs:
                self._types.register(get_types_from_msg(text, name))

    def latch(self, topic: str) -> None:
        """Whoever plays this topic says its last word to those who come late, too; before its first message."""
        self._latched.add("/" + topic.lstrip("/"))

    def raw(self, topic: str, type_name: str, time: float, data: bytes | memoryview) -> None:
        """Writes a message that is serialised already (CDR). `time` [s] is the bag's time of it.

        A relative name is written as one of the root namespace, as rosbag2 has only absolute ones.
        """
        topic = "/" + topic.lstrip("/")
        with self._failure_named():
            connection = self._connections.get(topic)
            if connection is None:
                depth = 100 if topic.endswith("tf_static") else 1  # each publisher of /tf_static speaks once
                endless = QosTime(9223372036, 854775807)  # as rosbag2 writes it
                latched = Qos(
                    QosHistory.KEEP_LAST, depth, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL, endless,
                    endless, QosLiveliness.AUTOMATIC, endless, False,
                )  # fmt: skip
                qos = [latched] if topic in self._latched else []
                connection = self._writer.add_connection(
                    topic, type_name, typestore=self._types, offered_qos_profiles=qos
                )
                self._connections[topic] = connection
                self.counts[topic] = 0
            self._writer.write(connection, to_nanoseconds(time), data)
            self.counts[topic] += 1
            self.size += len(data)

    def message(self, topic: str, type_name: str, time: float, **fields: Any) -> None:
        """Serialises and writes a message; `fields` are its fields, nested ones made by `make`."""
        value = self.make(type_name, **fields)
        self.raw(topic, type_name, time, self._types.serialize_cdr(value, type_name))

    def make(self, type_name: str, **fields: Any) -> Any:
        """A message of the type, or a part of one."""
        return self._types.types[type_name](**fields)

    def header(self, stamp: float, frame: str) -> Any:
        """A std_msgs/Header."""
        seconds, nanoseconds = divmod(to_nanoseconds(stamp), NANOSECONDS)
        time = self.make("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
        return self.make("std_msgs/msg/Header", stamp=time, frame_id=frame)

    def image(self, topic: str, stamp: float, jpeg: bytes, frame: str = "camera_optical_frame") -> None:
        """A JPEG as sensor_msgs/CompressedImage."""
        header, data = self.header(stamp, frame), np.frombuffer(jpeg, np.uint8)
        self.message(topic, "sensor_msgs/msg/CompressedImage", stamp, header=header, format="jpeg", data=data)

    def camera_info(
        self, topic: str, stamp: float, size: tuple[int, int], matrix: tuple[float, float, float, float],
        frame: str = "camera_optical_frame",
    ) -> None:  # fmt: skip
        """A camera of width and height `size` [px] without distortion, by fx, fy, cx, cy [px]."""
        fx, fy, cx, cy = matrix
        self.message(
            topic, "sensor_msgs/msg/CameraInfo", stamp,
            header=self.header(stamp, frame), width=size[0], height=size[1], distortion_model="plumb_bob",
            d=np.zeros(5), k=np.array([fx, 0, cx, 0, fy, cy, 0, 0, 1.0]), r=np.eye(3).ravel(),
            p=np.array([fx, 0, cx, 0, 0, fy, cy, 0, 0, 0, 1.0, 0]), binning_x=0, binning_y=0,
            roi=self.make("sensor_msgs/msg/RegionOfInterest", x_offset=0, y_offset=0, height=0, width=0,
                          do_rectify=False),
        )  # fmt: skip

    def scan(
        self, topic: str, stamp: float, ranges: ArrayLike, angle_min: float, angle_increment: float,
        range_max: float = 100.0, frame: str = "base_link",
    ) -> None:  # fmt: skip
        """Ranges [m] (n,), inf where nothing returned, as sensor_msgs/LaserScan."""
        values = np.asarray(ranges, dtype=np.float32)
        self.message(
            topic, "sensor_msgs/msg/LaserScan", stamp,
            header=self.header(stamp, frame), angle_min=angle_min, angle_increment=angle_increment,
            angle_max=angle_min + (len(values) - 1) * angle_increment, time_increment=0.0, scan_time=0.0,
            range_min=0.0, range_max=range_max, ranges=values, intensities=np.zeros(0, np.float32),
        )  # fmt: skip

    def odometry(self, topic: str, stamp: float, pose: ArrayLike, velocity: Command, frame: str = "odom") -> None:
        """A pose (3,) in `frame` and a velocity in base_link as nav_msgs/Odometry."""
        make, covariance = self.make, np.zeros(36)
        self.message(
            topic, "nav_msgs/msg/Odometry", stamp,
            header=self.header(stamp, frame), child_frame_id="base_link",
            pose=make("geometry_msgs/msg/PoseWithCovariance", pose=self._pose(pose), covariance=covariance),
            twist=make("geometry_msgs/msg/TwistWithCovariance", twist=self._twist(velocity), covariance=covariance),
        )  # fmt: skip

    def command(self, topic: str, stamp: float, *command: float, frame: str = "base_link") -> None:
        """A velocity command of two or three numbers (`ami_ros.core.commands`) as geometry_msgs/TwistStamped."""
        header, twist = self.header(stamp, frame), self._twist(command)
        self.message(topic, "geometry_msgs/msg/TwistStamped", stamp, header=header, twist=twist)

    def pose(self, topic: str, stamp: float, pose: ArrayLike, frame: str) -> None:
        """A pose (3,) in `frame` as geometry_msgs/PoseStamped."""
        header = self.header(stamp, frame)
        self.message(topic, "geometry_msgs/msg/PoseStamped", stamp, header=header, pose=self._pose(pose))

    def mount(self, topic: str, stamp: float, mount: Mount, frame: str) -> None:
        """Where a scanner of `frame` sits, as tf2_msgs/TFMessage."""
        c, s = math.cos(mount.yaw / 2), math.sin(mount.yaw / 2)
        x, y, z, w = (c, s, 0.0, 0.0) if mount.upside_down else (0.0, 0.0, s, c)  # first turned about its x axis
        turn = self.make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)
        self._transform(topic, stamp, self.header(stamp, "base_link"), frame, self._vector(mount.x, 0.0, mount.y), turn)

    def frame(self, topic: str, time: float, stamp: float, parent: str, child: str, pose: ArrayLike) -> None:
        """The pose (3,) of frame `child` in `parent` as tf2_msgs/TFMessage. `time` [s] is the bag's time of it."""
        x, y, yaw = np.asarray(pose, dtype=np.float64).tolist()
        self._transform(topic, time, self.header(stamp, parent), child, self._vector(x, 0.0, y), self._quaternion(yaw))

    def _transform(self, topic: str, time: float, header: Any, child: str, place: Any, turn: Any) -> None:
        make, moved = self.make, "geometry_msgs/msg/Transform"
        transform = make(moved, translation=place, rotation=turn)
        stamped = make(f"{moved}Stamped", header=header, child_frame_id=child, transform=transform)
        self.message(topic, "tf2_msgs/msg/TFMessage", time, transforms=[stamped])

    def flush(self) -> None:
        """Ends the running chunk, so that all that was written so far survives a kill."""
        storage = self._writer.storage
        if isinstance(storage, McapWriter) and storage.chunk.bio.tell():
            with self._failure_named():
                storage.close_chunk()
                storage.bio.flush()

    def close(self) -> None:
        """Writes index and metadata.yaml. Does nothing the second time, or after a failure."""
        if not self._closed:
            with self._failure_named():
                self._writer.close()
            self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    @contextmanager
    def _failure_named(self) -> Iterator[None]:
        """Turns an OSError into an AmiError, and closes the file as it stands."""
        try:
            yield
        except OSError as error:
            self._closed = True
            try:
                self._writer.abort()
            except OSError:
                pass  # the buffered rest cannot be written either
            raise AmiError(f"cannot write the bag {self.path}: {error.strerror or error}") from error

    def _vector(self, x: float, z: float, y: float = 0.0) -> Any:
        return self.make("geometry_msgs/msg/Vector3", x=x, y=y, z=z)

    def _twist(self, command: Command) -> Any:
        linear, angular, lateral = of_width(command, 3)
        driving, turning = self._vector(linear, 0.0, lateral), self._vector(0.0, angular)
        return self.make("geometry_msgs/msg/Twist", linear=driving, angular=turning)

    def _pose(self, pose: ArrayLike) -> Any:
        x, y, yaw = np.asarray(pose, dtype=np.float64).tolist()
        point = self.make("geometry_msgs/msg/Point", x=x, y=y, z=0.0)
        return self.make("geometry_msgs/msg/Pose", position=point, orientation=self._quaternion(yaw))

    def _quaternion(self, yaw: float) -> Any:
        z, w = float(np.sin(yaw / 2)), float(np.cos(yaw / 2))
        return self.make("geometry_msgs/msg/Quaternion", x=0.0, y=0.0, z=z, w=w)
