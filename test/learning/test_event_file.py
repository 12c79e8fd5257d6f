"""Event files hold what TensorBoard expects, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from ami_ros.learning.event_file import EventFile, crc32c


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4 and the catalogue of CRCs
    assert crc32c(b"\0" * 32) == 0x8A9136AA


def unmask(value: int) -> int:
    rotated = (value - 0xA282EAD8) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF


def records(content: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(content):
        (length,) = struct.unpack_from("<Q", content, at)
        (check,) = struct.unpack_from("<I", content, at + 8)
        assert unmask(check) == crc32c(content[at : at + 8])
        data = content[at + 12 : at + 12 + length]
        (check,) = struct.unpack_from("<I", content, at + 12 + length)
        assert unmask(check) == crc32c(data)
        yield data
        at += 16 + length


def varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def message(data: bytes) -> dict[int, list[bytes | int]]:
    """Fields of a protocol buffer message by number."""
    found: dict[int, list[bytes | int]] = {}
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
            found.setdefault(key >> 3, []).append(value)
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, at = varint(data, at)
        found.setdefault(key >> 3, []).append(data[at : at + size])
        at += size
    return found


def test_scalars_can_be_read_back(tmp_path: Path) -> None:
    events = EventFile(tmp_path / "board")
    events.add(300, {"loss/total": 1.5, "learning_rate": 1e-3})
    events.add(400, {"loss/total": -0.25})
    events.close()
    (file,) = (tmp_path / "board").iterdir()
    assert file.name.startswith("events.out.tfevents.")
    version, *steps = map(message, records(file.read_bytes()))
    assert version[3] == [b"brain.Event:2"]
    read = []
    for step in steps:
        (summary,) = step[5]
        assert isinstance(summary, bytes) and len(step[1]) == 1
        values = {}
        for scalar in message(summary)[1]:
            assert isinstance(scalar, bytes)
            fields = message(scalar)
            (tag,), (value,) = fields[1], fields[2]
            assert isinstance(tag, bytes) and isinstance(value, bytes)
            values[tag.decode()] = struct.unpack("<f", value)[0]
        read.append((step[2], values))
    assert read[0] == ([300], {"loss/total": 1.5, "learning_rate": struct.unpack("<f", struct.pack("<f", 1e-3))[0]})
    assert read[1] == ([400], {"loss/total": -0.25})
