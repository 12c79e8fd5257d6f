"""The last minutes of what a robot said, as it was on the wire, until somebody wants them in a bag."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

SECONDS = 300.0  # kept
MANY = "tf_static"  # ends the name of a topic with many publishers
MEGABYTES = 200.0  # kept at most, the oldest goes: a camera of 640x480 fills it in ten seconds


class Writer(Protocol):
    """A bag that is being written; see `learning.bag_writer.BagWriter`."""

    def define(self, definitions: Mapping[str, str]) -> None: ...
    def latch(self, topic: str) -> None: ...
    def raw(self, topic: str, type_name: str, time: float, data: bytes | memoryview) -> None: ...


class Said(NamedTuple):
    """One message, serialised; `time` [s] when it came."""

    topic: str
    type_name: str
    time: float
    data: bytes


class Ring:
    """Takes messages as a bag does, and keeps the newest. Any thread may call it.

    Of each topic the newest that is too old is kept as well: a map that was sent once is still the map. Of a topic with
    several publishers that each speak once, /tf_static, all that is new is.

    Args:
        seconds: [s] kept.
        megabytes: kept at most.
    """

    path = Path(".")  # of a bag on disk; this one has none

    def __init__(self, seconds: float = SECONDS, megabytes: float = MEGABYTES) -> None:
        self._seconds, self._most = seconds, megabytes * 1e6
        self._lock = threading.Lock()
        self._kept: deque[Said] = deque()
        self._before: dict[tuple[str, bytes], Said] = {}  # by topic, and by what was said where all is kept
        self._latched: set[str] = set()
        self._definitions: dict[str, str] = {}
        self.size = 0  # bytes kept
        self.counts: dict[str, int] = {}  # of messages that came, by topic

    def flush(self) -> None:
        """There is nothing on a disk."""

    def close(self) -> None:
        """Nor is there anything to end."""

    @property
    def seconds(self) -> float:
        """[s] from the oldest message that is kept to the newest."""
        with self._lock:
            return self._kept[-1].time - self._kept[0].time if self._kept else 0.0

    def define(self, definitions: Mapping[str, str]) -> None:
        """Message types: name to .msg text."""
        with self._lock:
            self._definitions.update(definitions)

    def latch(self, topic: str) -> None:
        """A topic whose last word counts for those who come late, too."""
        with self._lock:
            self._latched.add(topic)

    def raw(self, topic: str, type_name: str, time: float, data: bytes) -> None:
        """Takes a message; time that was turned back forgets all."""
        with self._lock:
            if self._kept and time < self._kept[-1].time - 1.0:
                self._kept.clear()
                self._before.clear()
                self.size = 0
            self.counts[topic] = self.counts.get(topic, 0) + 1
            self._kept.append(Said(topic, type_name, time, data))
            self.size += len(data)
            while self._kept[0].time < time - self._seconds or (self.size > self._most and len(self._kept) > 1):
                oldest = self._kept.popleft()
                self._before[oldest.topic, oldest.data if oldest.topic.endswith(MANY) else b""] = oldest
                self.size -= len(oldest.data)

    def write(self, bag: Writer) -> int:
        """Writes all that is kept; returns the number of messages."""
        with self._lock:
            kept, definitions, latched = list(self._kept), dict(self._definitions), set(self._latched)
            begun = kept[0].time if kept else 0.0
            before = [said._replace(time=begun) for said in self._before.values()]
        bag.define(definitions)
        for topic in latched:
            bag.latch(topic)
        for said in (*before, *kept):
            bag.raw(*said)
        return len(before) + len(kept)
