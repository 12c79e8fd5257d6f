"""What robots of one site tell each other about their memories, and how it is packed."""

from __future__ import annotations

import base64
import json
import re
import zlib
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.places.row_set import TABLES, Key, Values

MOST_UNPACKED = 8_000_000  # bytes: a small letter that unpacks to more is an attack
ROBOT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # names the file of its copy


class Kind(IntEnum):
    """What a letter is."""

    STATE = 1  # what the sender has, to all
    SUMS = 2  # asks: these are the sums of my copy, bucket by bucket; what differs?
    KEYS = 3  # answers: these rows are in the buckets that differ
    WANT = 4  # asks for rows
    ROWS = 5  # rows, to all


@dataclass(frozen=True)
class Letter:
    """One message."""

    site: str
    robot: str  # who sends it
    to: str  # whom; empty: all
    stamp: float  # clock of the sender [s]
    kind: Kind
    content: dict[str, Any] = field(default_factory=dict)


def packed(content: dict[str, Any]) -> bytes:
    """The content of a letter as bytes: JSON, compressed."""
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6)


def unpacked(data: bytes) -> dict[str, Any]:
    """What `packed` made. Raises AmiError where it is nothing of the kind, or far too large."""
    try:
        unzip = zlib.decompressobj()
        text = unzip.decompress(data, MOST_UNPACKED)
        if unzip.unconsumed_tail:
            raise AmiError("its content is too large")
        if not unzip.eof:
            raise AmiError("its content is damaged")
        content = json.loads(text)
    except (zlib.error, ValueError, RecursionError) as error:
        raise AmiError("its content is damaged") from error
    if not isinstance(content, dict):
        raise AmiError("its content is damaged")
    return content


def plain(key: Key, row: Values) -> list[Any]:
    """A row for JSON: its table, then its values, bytes as a list of one text."""
    return [key.table, *([base64.b64encode(v).decode()] if isinstance(v, bytes) else v for v in row)]


def row_from(values: Any) -> tuple[Key, Values]:
    """What `plain` made. Raises AmiError where that is no row."""
    try:
        table, *rest = values
        row = tuple(base64.b64decode(v[0], validate=True) if isinstance(v, list) else v for v in rest)
        return key_from([table, row[0], row[1] if TABLES[table][1].startswith("start") else 0]), row
    except (ValueError, TypeError, IndexError) as error:
        raise AmiError("a row in it is damaged") from error


def key_from(numbers: Any) -> Key:
    """A key of its three numbers. Raises AmiError where they are none."""
    key = Key(*numbers) if isinstance(numbers, list) and len(numbers) == 3 else None
    if key is None or not all(type(n) is int and 0 <= n < 1 << 53 for n in key) or key.table >= len(TABLES):
        raise AmiError("a key in it is damaged")
    return key
