"""Reads MCAP files that lost their index or their tail, as a killed writer or a full disk leaves them.

A file is a magic and then records: one byte of kind, eight of length, and the content. Whatever stands in
complete records is read; format: https://mcap.dev/spec.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ami_ros.extras import importing

with importing("train"):
    from rosbags.rosbag2.storage_mcap import decompress


MAGIC = b"\x89MCAP0\r\n"
SCHEMA, CHANNEL, MESSAGE, CHUNK = 0x03, 0x04, 0x05, 0x06


@dataclass(frozen=True)
class SalvagedTopic:
    name: str
    type_name: str
    encoding: str  # of `definition`: ros2msg or ros2idl
    definition: str


class SalvagedBag:
    """The complete records of an MCAP file. Opening it scans the file once.

    Attributes:
        topics: what the readable part declares, by channel.
        counts: messages by channel.
        problems: what cannot be read, a line each.

    Raises:
        ValueError: not an MCAP file at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.topics: dict[int, SalvagedTopic] = {}
        self.counts: dict[int, int] = {}
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
                    self.topics[_number(content)] = SalvagedTopic(_text(content, 4)[0], name, encoding, definition)
                elif kind == MESSAGE:
                    channel = _number(content)
                    self.counts[channel] = self.counts.get(channel, 0) + 1
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
