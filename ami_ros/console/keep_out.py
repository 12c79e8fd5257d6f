"""Areas that somebody painted, for the robot to keep out of: circles along the strokes of a round brush."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np

from ami_ros.console.requests import KeepOut
from ami_ros.errors import AmiError
from ami_ros.geometry import Array

MOST = 1000  # circles; the gate looks at each 20 times a second
NONE = np.zeros((0, 3))


class KeepOutStrokes:
    """All that was painted, kept in a file.

    Args:
        file: of JSON; None: it is forgotten at the end.

    Raises:
        AmiError: the file is damaged: rather than drive where it must not, it says so.
    """

    def __init__(self, file: Path | None) -> None:
        self._file, self._lock = file, threading.Lock()
        self._strokes: list[Array] = []
        if file is not None and file.exists():
            self._strokes = _read(file)

    @property
    def circles(self) -> Array:
        """(n, 3): x, y, radius [m] in the map."""
        with self._lock:
            return np.concatenate(self._strokes) if self._strokes else NONE

    def paint(self, stroke: KeepOut, robot: Array | None, reach: float = 0.0) -> None:
        """Adds a stroke.

        Args:
            stroke: in the map.
            robot: where it is (3,) in the map, if that is known.
            reach: [m] of its outline from there, with what the gate keeps free.

        Raises:
            AmiError: too much is painted, the robot stands in it, or the file cannot be written.
        """
        circles = np.array([(x, y, stroke.radius) for x, y in _spaced(np.array(stroke.points), stroke.radius / 2)])
        if robot is not None and (np.hypot(*(circles[:, :2] - robot[:2]).T) < stroke.radius + reach).any():
            raise AmiError("keep-out: the robot stands there, and could not leave; drive it away first")
        with self._lock:
            if sum(map(len, self._strokes)) + len(circles) > MOST:
                raise AmiError(f"keep-out: more than {MOST} circles; use a larger brush, or take some away")
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


def _read(file: Path) -> list[Array]:
    try:
        strokes = [
            np.array(stroke, dtype=np.float64).reshape(-1, 3) for stroke in json.loads(file.read_text())["strokes"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AmiError(f"keep-out areas {file}: damaged; mend or remove it: {error}") from error
    if not all(np.isfinite(stroke).all() and (stroke[:, 2] > 0).all() for stroke in strokes):
        raise AmiError(f"keep-out areas {file}: a number is no place or no radius; mend or remove it")
    return strokes


def _spaced(points: Array, step: float) -> Array:
    """Points (n, 2) along a line, at most `step` [m] apart."""
    found = [points[:1]]
    for a, b in zip(points[:-1], points[1:], strict=True):
        parts = min(MOST, max(1, int(np.ceil(np.hypot(*(b - a)) / step))))
        found.append(a + (b - a) * np.linspace(0, 1, parts + 1)[1:, None])
    return np.concatenate(found)
