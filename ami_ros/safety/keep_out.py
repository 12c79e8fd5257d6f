"""Where the robot must not go, whatever stands there: a mask, or circles, in odom or a frame related to it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, inverse, transform_points
from ami_ros.safety.config import SPACING


class Mask:
    """Cells that the robot must keep out of.

    Args:
        cells: (h, w), true where it must not go.
        resolution: [m], side of a cell.
        origin: (3,) of the corner of the first cell in the mask's frame.
        grown: [m] by which they are taken larger, to each side.

    Raises:
        AmiError: its cells are too fine.
    """

    def __init__(self, cells: NDArray[np.bool_], resolution: float, origin: Array, grown: float) -> None:
        reach = math.ceil(grown / resolution - 1e-9)
        if (cells.shape[0] + 2 * reach) * (cells.shape[1] + 2 * reach) > 2**24:  # 16 MB
            raise AmiError(f"a mask of {cells.shape} cells of {resolution:.3g} m is too fine; make its cells larger")
        self._cells = _grown(np.pad(cells, reach), reach)
        self._resolution, self._origin, self._reach = resolution, origin, reach

    def __bool__(self) -> bool:
        return bool(self._cells.any())

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) [m] of its frame lie in it (n,)."""
        local = transform_points(inverse(self._origin), points)
        height, width = self._cells.shape
        column, row = np.clip(np.floor(local / self._resolution), -1e9, 1e9).astype(np.int64).T + self._reach
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        inside[inside] = self._cells[row[inside], column[inside]]
        return inside


def _grown(cells: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Cells (h, w), each `reach` cells larger to each side; the outermost `reach` cells are empty."""
    done = 0
    while done < reach:
        step = min(2 * done + 1, reach - done)  # no gap opens between what was shifted
        for axis in (0, 1):
            cells = cells | np.roll(cells, step, axis) | np.roll(cells, -step, axis)
        done += step
    return cells


class Circles:
    """Circles (n, 3) that the robot must keep out of: x, y, radius [m], `grown` [m] larger than was said."""

    def __init__(self, circles: Array, grown: float) -> None:
        self._circles = circles + [0.0, 0.0, grown]

    def __bool__(self) -> bool:
        return len(self._circles) > 0

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) [m] of their frame lie in one (n,)."""
        inside, circles = np.zeros(len(points), dtype=bool), self._circles
        low, high = points.min(0, initial=np.inf), points.max(0, initial=-np.inf)
        beside = np.maximum(low - circles[:, :2], circles[:, :2] - high).max(1)  # [m] of all points
        for x, y, radius in circles[beside < circles[:, 2]]:
            inside |= np.hypot(points[:, 0] - x, points[:, 1] - y) < radius
        return inside


class KeepOut:
    """All areas that the robot must keep out of.

    Times are those of the gate's clock [s]; what comes without one is as new as the next look at it.

    Args:
        odom: name of odometry's frame.
        margin: [m] kept free beyond the outline.
        expected: names of areas without which the robot has to stand.
        timeout: [s] after which it is not known any more where odometry's frame is in another one.
    """

    def __init__(
        self, odom: str = "odom", margin: float = 0.0, expected: tuple[str, ...] = (), timeout: float = 5.0
    ) -> None:
        self._grown = margin + SPACING / 2  # the outline is looked at in points
        self._odom, self._expected, self._timeout = odom, expected, timeout
        self._areas: dict[str, tuple[str, Mask | Circles]] = {}  # name -> frame, area
        self._frames: dict[str, Array] = {odom: np.zeros(3)}  # frame -> pose (3,) of odom in it
        self._said: dict[tuple[str, str], float] = {}  # ("area" or "frame", name) -> when it was said
        self._unstamped: set[tuple[str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._areas or self._expected)

    def mask(
        self,
        name: str,
        frame: str,
        cells: NDArray[np.bool_],
        resolution: float,
        origin: Array,
        stamp: float | None = None,
    ) -> None:
        """An area of cells (see `Mask`) in `frame`; it takes the place of that of the same name."""
        self._areas[name] = frame, Mask(cells, resolution, origin, self._grown)
        self._say(("area", name), stamp)

    def circles(self, name: str, frame: str, circles: Array, stamp: float | None = None) -> None:
        """An area of circles (n, 3) in `frame`; it takes the place of that of the same name."""
        self._areas[name] = frame, Circles(circles, self._grown)
        self._say(("area", name), stamp)

    def place(self, frame: str, odom: Array, stamp: float | None = None) -> None:
        """Odometry's frame has this pose (3,) in `frame`; what is older than what was said before changes nothing.

        Raises:
            AmiError: it is no pose.
        """
        if not np.isfinite(odom).all() or (stamp is not None and not math.isfinite(stamp)):
            raise AmiError(f"where odom is in {frame} has numbers that are no place or no time; it is not used")
        said = "frame", frame
        if frame == self._odom:
            return
        if stamp is None or frame not in self._frames or stamp >= self._said.get(said, -math.inf):
            self._frames[frame] = odom
            self._say(said, stamp)

    def lose(self, frame: str) -> None:
        """It is not known any more where odometry's frame is in `frame`: the robot is not localised."""
        if frame != self._odom:
            self._frames.pop(frame, None)

    def missing(self, now: float, leapt: float = -math.inf) -> str:
        """What is not known for which the robot has to stand; "" if nothing.

        Args:
            now: [s].
            leapt: when odometry leapt last: what was said before that is of another frame [s].
        """
        for said in self._unstamped:
            self._said[said] = now
        self._unstamped.clear()
        for name in self._expected:
            if name not in self._areas:
                return f"{name} did not come"
        for name, (frame, area) in self._areas.items():
            if name not in self._expected and not area:
                continue
            if frame not in self._frames:
                return f"{name} is in {frame}, and it is not known where odom is in that"
            said = ("area", name) if frame == self._odom else ("frame", frame)
            if self._said[said] <= leapt:
                return f"odometry leapt since it was said where {said[1]} is"
            if frame != self._odom and abs(now - self._said[said]) > self._timeout:
                return f"where odom is in {frame} was said {now - self._said[said]:.1f} s ago"
        return ""

    def clock_was_set(self) -> None:
        """What was said is of another time: it has to be said anew where odometry's frame is."""
        new = {self._odom, *(name for kind, name in self._unstamped if kind == "frame")}
        self._frames = {frame: odom for frame, odom in self._frames.items() if frame in new}

    def holds(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) [m] in odom the robot must keep out of (n,)."""
        held = np.zeros(len(points), dtype=bool)
        for frame, area in self._areas.values():
            if frame in self._frames:
                held |= area.holds(transform_points(self._frames[frame], points))
        return held

    def _say(self, said: tuple[str, str], stamp: float | None) -> None:
        self._unstamped.discard(said)
        if stamp is None:
            self._unstamped.add(said)
        else:
            self._said[said] = stamp
