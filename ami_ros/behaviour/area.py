"""The area that exploring keeps to: a polygon in the memory's frame."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array

Corners = tuple[tuple[float, float], ...]

FARTHEST = 1e4  # [m] from the map's origin: no building is larger


class Closed(Protocol):
    """Where the robot must not go."""

    def holds(self, points: Array) -> NDArray[np.bool_]: ...  # which of points (n, 2) [m] lie in it (n,)


@dataclass(frozen=True)
class Area:
    """Corners in order [m]; what lies outside them is closed, as a keep-out area is.

    Raises:
        ValueError: it is no area.
    """

    corners: Corners

    def __post_init__(self) -> None:
        check_corners(self.corners)

    def contains(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) [m] lie inside (n,), by the even-odd rule."""
        x, y = points[:, 0], points[:, 1]
        inside = np.zeros(len(points), dtype=bool)
        for (x0, y0), (x1, y1) in zip(self.corners, self.corners[1:] + self.corners[:1], strict=True):
            if y0 != y1:
                crosses = (y0 > y) != (y1 > y)
                inside[crosses] ^= x[crosses] < x0 + (y[crosses] - y0) * (x1 - x0) / (y1 - y0)
        return inside

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) [m] are closed (n,)."""
        return ~self.contains(points)

    @property
    def middle(self) -> Array:
        """The mean of the corners (2,)."""
        return np.mean(self.corners, axis=0)


@dataclass(frozen=True)
class Either:
    """Closed where one of two is."""

    first: Closed
    second: Closed

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """See `Closed`."""
        return self.first.holds(points) | self.second.holds(points)


def check_corners(corners: Corners) -> None:
    """Raises ValueError if corners make no area."""
    if not 3 <= len(corners) <= 20:  # each is looked at for every cell of the map
        raise ValueError(f"an area has 3 to 20 corners, found {len(corners)}")
    if not all(math.isfinite(v) and abs(v) <= FARTHEST for corner in corners for v in corner):
        raise ValueError(f"the corners of an area must be finite, and at most {FARTHEST:g} m from the map's origin")
    x, y = np.array(corners).T
    size = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2  # the shoelace formula
    if size < 0.25:  # a slip of the hand is no area
        raise ValueError(f"an area has at least 0.25 m², found {size:.2f}; draw it larger, with no crossing edges")


def area_of(text: str) -> Corners:
    """Corners out of X,Y,X,Y,...: two are the opposite corners of a rectangle, more are those of a polygon.

    Raises:
        ValueError: it is no area.
    """
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError as error:
        raise ValueError(f"{text!r} is no list of numbers X,Y,X,Y") from error
    if len(numbers) % 2 or len(numbers) < 4:
        raise ValueError(f"{text!r} has no pairs X,Y: give two opposite corners, or three and more in order")
    corners = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    if len(corners) == 2:
        (x0, y0), (x1, y1) = corners
        corners = (x0, y0), (x1, y0), (x1, y1), (x0, y1)
    check_corners(corners)
    return corners
