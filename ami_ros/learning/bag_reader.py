"""Reads rosbag2 directories, single files (MCAP, sqlite3) and bags of ROS 1 without ROS, broken ones as far as they go.

Messages of ROS 1 come out in the CDR and the types of ROS 2, so that nobody else has to know of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ami_ros.errors import AmiError
from ami_ros.extras import importing
from ami_ros.learning.bag_salvage import SalvagedBag

with importing("train"):
    from rosbags.interfaces import Connection, MessageDefinitionFormat
    from rosbags.rosbag1 import Reader as OldReader
    from rosbags.rosbag2 import Reader
    from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
    from rosbags.typesys.store import Typestore


OLD = ".bag"  # of files of ROS 1


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


class BagReader:
    """One bag: a rosbag2 directory, one .mcap or .db3 file of it, or a .bag file of ROS 1.

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
                yield from (
                    map(self._to_cdr, self._read(reader, connections))
                    if self._is_old
                    else self._read(reader, connections)
                )
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
        for channel, t in bag.topics.items():
            count = bag.counts.get(channel, 0)
            self._add(BagTopic(t.name, t.type_name, count, t.definition, t.encoding == "ros2idl"))

    def _add(self, topic: BagTopic) -> None:
        known = self.topics.get(topic.name)
        count = topic.count + (known.count if known else 0)
        self.topics[topic.name] = BagTopic(topic.name, topic.type_name, count, topic.definition, topic.is_idl)

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
