"""Scalars as TensorBoard reads them, written without TensorBoard: a few bytes of protocol buffers in records.

The format is TensorFlow's: records of length, masked CRC-32C of the length, data, masked CRC-32C of the data
(tensorflow/core/lib/io/record_writer.cc); the data is an Event with a Summary (tensorflow/core/util/event.proto).
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from pathlib import Path

POLYNOMIAL = 0x82F63B78  # of CRC-32C, bits reversed


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The Castagnoli checksum (RFC 3720)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def _masked(data: bytes) -> bytes:
    value = crc32c(data)
    return struct.pack("<I", ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


class EventFile:
    """A new file in `folder`, for scalars by step; TensorBoard reads it while it grows.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time())}.{socket.gethostname()}.{os.getpid()}"
        self._file = (folder / name).open("ab")
        self._event(_bytes_field(3, b"brain.Event:2"))

    def add(self, step: int, values: Mapping[str, float]) -> None:
        """Writes `values` of one step; a tag with a slash is filed under what stands before it."""
        scalars = (_bytes_field(1, tag.encode()) + b"\x15" + struct.pack("<f", value) for tag, value in values.items())
        summary = b"".join(_bytes_field(1, scalar) for scalar in scalars)
        self._event(b"\x10" + _varint(step) + _bytes_field(5, summary))
        self._file.flush()

    def close(self) -> None:
        """Ends the file."""
        self._file.close()

    def _event(self, content: bytes) -> None:
        data = b"\x09" + struct.pack("<d", time.time()) + content
        length = struct.pack("<Q", len(data))
        self._file.write(length + _masked(length) + data + _masked(data))
