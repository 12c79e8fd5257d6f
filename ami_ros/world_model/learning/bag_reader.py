"""Reads rosbag2 directories, single files (MCAP, sqlite3) and bags of ROS 1 without ROS, broken ones as far as they
go."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from ami_ros.core.errors import AmiError
from ami_ros.core.frames import StaticFrames, mount_of
from ami_ros.core.installation import importing
from ami_ros.core.scan import Mount

with importing("train"):
    from rosbags.interfaces import Connection, MessageDefinitionFormat
    from rosbags.rosbag1 import Reader as OldReader
    from rosbags.rosbag2 import Reader
    from rosbags.rosbag2.storage_mcap import decompress
    from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
    from rosbags.typesys.store import Typestore

OLD = ".bag"  # of files of ROS 1
MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, CHUNK = 0x03, 0x04, 0x05, 0x06


class BrokenBagError(Exception):
    """The storage turned out to be broken in the middle; what was read so far may not be all before that point."""


class UnreadableMessageError(AmiError, ValueError):
    """One message is damaged, or its type is."""


@dataclass(frozen=True)
class BagTopic:
    name: str
    type_name: str
    count: int
    definition: str = ""
    is_idl: bool = False


class SalvagedBag:
    """The complete records of an MCAP file that lost its index or its tail, as a killed writer or a full disk leaves
    it. Opening it scans the file once.

    A file is a magic and then records: one byte of kind, eight of length, and the content. Whatever stands in complete
    records is read; format: https://mcap.dev/spec.

    Attributes:
        topics: what the readable part declares, by channel, with the messages of each.
        problems: what cannot be read, a line each.

    Raises:
        ValueError: not an MCAP file at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[int, BagTopic] = {}
        self.counts = Counter[int]()
        self.problems: list[str] = []
        self._schemas: dict[int, tuple[str, str, str]] = {}
        self._chunks: list[tuple[int, int]] = []  # offset, length of the readable ones
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise ValueError("not an MCAP file")
            self._scan(file)

    def messages(self, names: Collection[str]) -> Iterator[tuple[str, int, bytes]]:
        """Topic, time [ns] and CDR bytes of each message of the topics `names`, by time within a chunk."""
        wanted = {channel: topic.name for channel, topic in self.topics.items() if topic.name in names}
        with self.path.open("rb") as file:
            for offset, length in self._chunks:
                file.seek(offset)
                found = []
                for kind, content in _records(_decompress(file.read(length))):
                    if kind == MESSAGE:
                        channel, _, time, _ = struct.unpack_from("<HIQQ", content)
                        if channel in wanted:
                            found.append((time, wanted[channel], bytes(content[22:])))
                found.sort(key=lambda message: message[0])
                yield from ((name, time, data) for time, name, data in found)

    def _scan(self, file: BinaryIO) -> None:
        size = self.path.stat().st_size
        while (start := file.tell()) < size:
            header = file.read(9)
            length = struct.unpack("<Q", header[1:])[0] if len(header) == 9 else size
            if header[:1] == MAGIC[:1]:
                return  # the magic again: the regular end
            if start + 9 + length > size:
                self.problems.append(f"{self.path.name} is cut off: its last {size - start} bytes are lost")
                return
            if header[0] == CHUNK:
                self._scan_chunk(file.read(length), start + 9)
            else:
                file.seek(length, 1)

    def _scan_chunk(self, chunk: bytes, offset: int) -> None:
        try:
            for kind, content in _records(_decompress(chunk)):
                if kind == SCHEMA:
                    name, position = _text(content, 2)
                    encoding, position = _text(content, position)
                    self._schemas[_number(content)] = (name, encoding, _text(content, position)[0])
                elif kind == CHANNEL:
                    name, encoding, definition = self._schemas[_number(content, 2)]
                    own, is_idl = _text(content, 4)[0], encoding == "ros2idl"
                    self.topics[_number(content)] = BagTopic(own, name, 0, definition, is_idl)
                elif kind == MESSAGE:
                    self.counts[_number(content)] += 1
        except Exception as error:  # whatever a decompressor raises for bytes that are not its own
            self.problems.append(f"{self.path.name}: the chunk at byte {offset} is broken ({error}) and was left out")
        else:
            self._chunks.append((offset, len(chunk)))


def _decompress(chunk: bytes) -> bytes:
    size, checksum = struct.unpack_from("<QI", chunk, 16)
    compression, position = _text(memoryview(chunk), 28)
    return decompress(chunk[position + 8 :], compression, size, checksum)


def _records(data: bytes) -> Iterator[tuple[int, memoryview]]:
    view, position = memoryview(data), 0
    while position < len(view):
        kind, length = struct.unpack_from("<BQ", view, position)
        position += 9 + length
        yield kind, view[position - length : position]


def _number(content: memoryview, position: int = 0) -> int:
    return int(struct.unpack_from("<H", content, position)[0])


def _text(content: memoryview, position: int) -> tuple[str, int]:
    """The string at `position`, and the position behind it."""
    (length,) = struct.unpack_from("<I", content, position)
    start = position + 4
    return bytes(content[start : start + length]).decode(), start + length


class BagReader:
    """One bag: a rosbag2 directory, one .mcap or .db3 file of it, or a .bag file of ROS 1. Messages of ROS 1 come out
    in the CDR and the types of ROS 2, so that nobody else has to know of them.

    Attributes:
        topics: by name.
        problems: what could not be read, a line each; empty for a whole bag.

    Raises:
        AmiError: nothing there that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.topics: dict[str, BagTopic] = {}
        self.problems: list[str] = []
        self._readers: list[Reader | OldReader] = []
        self._salvaged: list[SalvagedBag] = []
        self._reason = ""  # why something could not be opened or read
        if not self.path.exists():
            raise AmiError(f"no bag at {self.path}")
        self._is_old = self.path.suffix == OLD  # of ROS 1
        self._lenient = False  # read up to the first damage, and no error
        if self._is_old:
            self._open_old()
        elif not self._open(self.path):
            self._open_files()
        self._types = self._make_types()

    def messages(self, names: Collection[str] | None = None) -> Iterator[tuple[str, int, bytes]]:
        """Topic, time of recording [ns] and CDR bytes, in the order of time; of all topics, or of `names`.

        Raises:
            BrokenBagError: there is damage inside. Call `salvage` and begin again.
        """
        names = set(self.topics) if names is None else set(names)
        for reader in self._readers:
            connections = [c for c in reader.connections if c.topic in names]
            if connections:
                found = self._read(reader, connections)
                yield from map(self._to_cdr, found) if self._is_old else found
        for bag in self._salvaged:
            yield from bag.messages(names)

    def salvage(self) -> None:
        """Reads MCAP files record by record from here on, leaving out what is broken.

        Raises:
            AmiError: the storage is SQLite.
        """
        self.close()
        self.topics, self.problems = {}, []
        if self._is_old:
            self._lenient = True
            self._open_old()
            return
        for file in sorted(self.path.glob("*.mcap")) or [self.path]:
            self._salvage(file)
        if not self.topics:
            raise AmiError(f"{self.path} is damaged: {self._reason}; leave it out, or mend it with sqlite3 .recover")
        self._types = self._make_types()

    def decode(self, topic: str, data: bytes) -> Any:
        """The message; arrays of numbers in it are numpy arrays.

        Raises:
            UnreadableMessageError: it is damaged.
        """
        try:
            return self._types.deserialize_cdr(data, self.topics[topic].type_name)
        except Exception as error:  # whatever a parser raises for bytes that are not its own
            what = f"{type(error).__name__} {error}"
            raise UnreadableMessageError(f"{self.path}: a message of {topic} cannot be read: {what}") from error

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        self._readers.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def _to_cdr(self, message: tuple[str, int, bytes]) -> tuple[str, int, bytes]:
        """A message of ROS 1 as ROS 2 has it; empty where it is damaged, which whoever decodes it notices."""
        topic, time, data = message
        try:
            return topic, time, bytes(self._types.ros1_to_cdr(data, self.topics[topic].type_name))
        except Exception:  # whatever the parser raises for bytes that are not its own
            return topic, time, b""

    def _open_old(self) -> None:
        """Opens a bag of ROS 1.

        Raises:
            AmiError: it has no index, is encrypted, or is no bag.
        """
        try:
            reader = OldReader(self.path)
            reader.open()
        except Exception as error:  # ReaderError, and what damaged lengths lead to
            reason = str(error) or type(error).__name__
            remedy = "; mend it with rosbag reindex" if "index" in reason.lower() else ""
            raise AmiError(f"{self.path} is not a readable bag of ROS 1: {reason}{remedy}") from error
        self._readers.append(reader)
        for c in reader.connections:
            self._add(BagTopic(c.topic, c.msgtype, c.msgcount, c.msgdef.data))

    def _read(self, reader: Reader | OldReader, connections: list[Connection]) -> Iterator[tuple[str, int, bytes]]:
        messages = reader.messages(connections)
        while True:
            try:
                connection, time, data = next(messages)
            except StopIteration:
                return
            except Exception as error:  # whatever decompressors, parsers and SQLite raise for what is not their own
                self._reason = str(error)
                if self._lenient:
                    self.problems.append(f"it is damaged: what comes behind is not read ({self._reason})")
                    return
                raise BrokenBagError(self._reason) from error
            yield connection.topic, time, data

    def _open(self, path: Path) -> bool:
        """Opens what is whole; False where it is not."""
        try:
            reader = Reader(path)
            reader.open()
        except Exception as error:  # ReaderError, and whatever SQLite, decompressors and lengths of terabytes lead to
            self._reason = str(error) or type(error).__name__
            return False
        self._readers.append(reader)
        for c in reader.connections:
            is_idl = c.msgdef.format == MessageDefinitionFormat.IDL
            self._add(BagTopic(c.topic, c.msgtype, c.msgcount, c.msgdef.data, is_idl))
        return True

    def _open_files(self) -> None:
        """Opens the storage files one by one, after the bag as a whole could not be opened."""
        files = sorted(f for f in self.path.glob("*") if f.suffix in (".mcap", ".db3")) or [self.path]
        if self.path.is_dir() and not (self.path / "metadata.yaml").exists():
            self.problems.append(f"{self.path.name} has no metadata.yaml: its recording did not end properly")
        for file in files:
            if not self._open(file):
                self._salvage(file)
        if not self.topics:
            raise AmiError(f"{self.path} is not a readable bag: {self._reason}")

    def _salvage(self, file: Path) -> None:
        try:
            bag = SalvagedBag(file)
        except (ValueError, OSError):
            self.problems.append(f"{file.name} cannot be read: {self._reason}")
            return
        self.problems.extend(bag.problems or [f"{file.name} has no index"])
        self._salvaged.append(bag)
        for channel, topic in bag.topics.items():
            self._add(replace(topic, count=bag.counts[channel]))

    def _add(self, topic: BagTopic) -> None:
        known = self.topics.get(topic.name)
        self.topics[topic.name] = replace(topic, count=topic.count + (known.count if known else 0))

    def _make_types(self) -> Typestore:
        """The types as the bag defines them; those of Jazzy for what it does not define (older sqlite3 bags)."""
        definitions = {}
        for topic in self.topics.values():
            try:
                definitions.update(_definitions(topic))
            except Exception:  # whatever the parser raises for a damaged text
                self.problems.append(f"the type of {topic.name} is damaged: taken for that of ROS 2 Jazzy")
        types = get_typestore(Stores.EMPTY)
        jazzy = get_typestore(Stores.ROS2_JAZZY).fielddefs
        # Standard types of ROS 1 differ in names alone (and in seq of headers, which `ros1_to_cdr` leaves out).
        types.register({**definitions, **jazzy} if self._is_old else {**jazzy, **definitions})
        return types


def _definitions(topic: BagTopic) -> dict[str, Any]:
    """Types by name, as a bag defines them beside a topic."""
    if topic.definition and topic.is_idl:
        found: dict[str, Any] = {}
        for part in topic.definition.split("=" * 80 + "\n"):
            found.update(get_types_from_idl(part.split("\n", 1)[1] if part.startswith("IDL: ") else part))
        return found
    return dict(get_types_from_msg(topic.definition, topic.type_name)) if topic.definition else {}


def recorded_mount(bag: BagReader, frame: str) -> Mount | None:
    """How the scanner of `frame` was mounted, by the transforms in the bag that never change; None: it does not tell.

    Raises:
        AmiError: it was tilted, or a transform is none.
    """
    if frame == "base_link":
        return Mount()
    frames = StaticFrames()
    topics = [t.name for t in bag.topics.values() if t.type_name == "tf2_msgs/msg/TFMessage" and "static" in t.name]
    with suppress(BrokenBagError):  # what was heard before the damage counts
        for topic, _, data in bag.messages(topics):
            for t in bag.decode(topic, data).transforms:
                move, q = t.transform.translation, t.transform.rotation
                frames.put(t.header.frame_id, t.child_frame_id, (move.x, move.y, move.z), (q.x, q.y, q.z, q.w))
    pose = frames.pose_of(frame, "base_link")
    return None if pose is None else mount_of(pose, frame)


def common_mount(mounts: Iterable[Mount | None]) -> Mount | None:
    """The one that all of them are, as far as it is known; None: none is.

    Raises:
        AmiError: they differ.
    """
    known = {mount for mount in mounts if mount is not None}
    if len(known) > 1:
        raise AmiError("the scanner sat elsewhere in some of the recordings: what a model learns of one is wrong there")
    return next(iter(known), None)
