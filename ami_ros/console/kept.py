"""What the console keeps: pictures to send the robot to, painted keep-out areas, the last minutes for a bag."""

from __future__ import annotations

import json
import os
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from ami_ros.console.requests import KeepOut
from ami_ros.console.scene import data_url
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import MAX_PIXELS, Image, decode_image, encode_png

MAX_BYTES = 8_000_000  # of a picture's file


@dataclass(frozen=True)
class Picture:
    """One picture; `data` as it came, JPEG or PNG."""

    number: int
    title: str
    data: bytes
    small: str  # for the page


class Pictures:
    """The newest pictures, dropped on the page, or taken of what the camera saw; at `most` so many. Any thread may call
    it."""

    def __init__(self, most: int = 12) -> None:
        self._lock, self._most = threading.Lock(), most
        self._kept: dict[int, Picture] = {}
        self._count = 0

    def add(self, data: bytes, title: str) -> Picture:
        """Keeps a picture.

        Raises:
            AmiError: it is none, or too large.
        """
        if len(data) > MAX_BYTES:
            raise AmiError(f"picture: {len(data)} bytes are too many, at most {MAX_BYTES}; make it smaller")
        small = data_url(encode_png(shrunk(decode_image(data, MAX_PIXELS), 160)))
        with self._lock:
            self._count += 1
            picture = self._kept[self._count] = Picture(self._count, title[:40], data, small)
            while len(self._kept) > self._most:
                del self._kept[min(self._kept)]
        return picture

    def get(self, number: int) -> Picture:
        """Raises AmiError if it is not there."""
        with self._lock:
            if number not in self._kept:
                raise AmiError(f"picture {number}: there is none, or it was too long ago; drop it again")
            return self._kept[number]

    def listed(self) -> list[dict[str, object]]:
        """For the page, oldest first."""
        with self._lock:
            return [{"number": p.number, "title": p.title, "src": p.small} for p in self._kept.values()]


def shrunk(image: Image, width: int) -> Image:
    """The picture (H, W, 3), at most so wide [px]."""
    import cv2

    height, wide = image.shape[:2]
    if wide <= width:
        return image
    size = width, max(1, round(height * width / wide))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


class KeepOutStrokes:
    """Areas that somebody painted, for the robot to keep out of: circles along the strokes of a round brush.

    Args:
        file: of JSON, which keeps them; None: they are forgotten at the end.
        most: circles; the gate looks at each 20 times a second.

    Raises:
        AmiError: the file is damaged: rather than drive where it must not, it says so.
    """

    def __init__(self, file: Path | None, most: int = 1000) -> None:
        self._file, self._most, self._lock = file, most, threading.Lock()
        self._strokes: list[Array] = []
        if file is None or not file.exists():
            return
        try:
            kept = json.loads(file.read_text())["strokes"]
            self._strokes = [np.array(stroke, dtype=np.float64).reshape(-1, 3) for stroke in kept]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AmiError(f"keep-out areas {file}: damaged; mend or remove it: {error}") from error
        if not all(np.isfinite(stroke).all() and (stroke[:, 2] > 0).all() for stroke in self._strokes):
            raise AmiError(f"keep-out areas {file}: a number is no place or no radius; mend or remove it")

    @property
    def circles(self) -> Array:
        """(n, 3): x, y, radius [m] in the map."""
        with self._lock:
            return np.concatenate(self._strokes) if self._strokes else np.zeros((0, 3))

    def paint(self, stroke: KeepOut, robot: Array | None, reach: float = 0.0) -> None:
        """Adds a stroke.

        Args:
            stroke: in the map.
            robot: where it is (3,) in the map, if that is known.
            reach: [m] of its outline from there, with what the gate keeps free.

        Raises:
            AmiError: too much is painted, the robot stands in it, or the file cannot be written.
        """
        points = np.array(stroke.points)
        line = [points[:1]]  # points half a radius apart at most
        for a, b in zip(points[:-1], points[1:], strict=True):
            parts = min(self._most, max(1, int(np.ceil(np.hypot(*(b - a)) / (stroke.radius / 2)))))
            line.append(a + (b - a) * np.linspace(0, 1, parts + 1)[1:, None])
        circles = np.array([(x, y, stroke.radius) for x, y in np.concatenate(line)])
        if robot is not None and (np.hypot(*(circles[:, :2] - robot[:2]).T) < stroke.radius + reach).any():
            raise AmiError("keep-out: the robot stands there, and could not leave; drive it away first")
        with self._lock:
            if sum(map(len, self._strokes)) + len(circles) > self._most:
                raise AmiError(f"keep-out: more than {self._most} circles; use a larger brush, or take some away")
            self._strokes.append(circles)
            self._write()

    def clear(self, last: bool = False) -> None:
        """Takes all away, or the newest stroke. Raises AmiError as `paint` does."""
        with self._lock:
            self._strokes = self._strokes[:-1] if last else []
            self._write()

    def _write(self) -> None:
        if self._file is None:
            return
        text = json.dumps({"strokes": [np.round(stroke, 4).tolist() for stroke in self._strokes]})
        try:
            new = self._file.with_name(self._file.name + ".new")
            new.write_text(text)
            os.replace(new, self._file)
        except OSError as error:
            raise AmiError(f"keep-out areas cannot be written to {self._file}: {error.strerror}") from error


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
    """The last minutes of what a robot said, as it was on the wire, until somebody wants them in a bag. Any thread may
    call it.

    Of each topic the newest that is too old is kept as well: a map that was sent once is still the map. Of a topic with
    several publishers that each speak once, /tf_static, all that is new is.

    Args:
        seconds: [s] kept.
        megabytes: kept at most, the oldest goes: a camera of 640x480 fills 200 in ten seconds.
    """

    path = Path(".")  # of a bag on disk; this one has none

    def __init__(self, seconds: float = 300.0, megabytes: float = 200.0) -> None:
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
                self._before[oldest.topic, oldest.data if oldest.topic.endswith("tf_static") else b""] = oldest
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
