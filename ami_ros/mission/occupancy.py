"""An occupancy grid of what scans showed, and the shortest ways over what is free in it.

SciPy and OpenCV are imported where they are used: a mission of given goals does without their 60 MB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, relative, transform_points
from ami_ros.grid_graph import cells_back, grid_graph
from ami_ros.mission.area import Closed
from ami_ros.moving.recent_scans import Slack, looked
from ami_ros.places.types import REST
from ami_ros.scan import Scan, scan_points

CELL = 0.05  # [m]
SIDE, MOST_SIDE = 1600, 4800  # cells of a new grid, 80 m, and of the largest
HIT, MISS, MOST = 0.9, 0.4, 6.0  # log odds
PAST = Slack(depth=CELL, aside=0.0, turn=0.0)  # by which a beam ends behind a cell that it goes through
MORE = 400  # cells by which it grows at once: 20 m; a multiple of those that are looked at together
REACH = 7.0  # of a beam that is drawn in [m]
MARGIN = 0.03  # [m] beyond the robot's radius that has to be free: what the gate keeps
UNDER = 6  # cells around the robot that are free where nothing stands: it is there
AROUND = 3.0  # [m] around points in whose surroundings alone ways are looked for
SHUT = 3  # cells to each side of a point in a gap that the robot does not get through
BEFORE = 0.4  # [m] before a gap, from nearer than which it is driven through
ROOM, NEAR = 0.27, 2.5  # [m] beyond the radius, with less of which a way counts as longer, and by how much at most
ROOMY, TIGHT = 0.1, 10.0  # likewise: a gap into which the robot just fits is taken where there is no other way


class Grid:
    """Log odds (nx, ny) of being occupied, x first; it grows where the robot drives on, up to MOST_SIDE.

    Args:
        middle: (2,) [m] of it at first; what lies beyond its edges is not known.

    Attributes:
        odds: see above.
        middle: see above.
        zero: (2,) the cell that begins there.
    """

    def __init__(self, middle: Array | None = None) -> None:
        self.odds: NDArray[np.float32] = np.zeros((SIDE, SIDE), np.float32)
        self.middle = np.zeros(2) if middle is None else np.array(middle[:2], np.float64)
        self.zero = np.array([SIDE // 2, SIDE // 2])

    def cells(self, points: Array) -> NDArray[np.int64]:
        """Of points (n, 2) [m]: (n, 2), the nearest ones of those that lie beyond the edges."""
        return np.clip(self._beyond(points), 0, np.array(self.odds.shape) - 1)

    def points(self, cells: NDArray[np.int64]) -> Array:
        """Middles (n, 2) [m] of cells (n, 2)."""
        return np.asarray((cells - self.zero + 0.5) * CELL + self.middle)

    def add(self, pose: Array, scan: Scan) -> None:
        """Draws in a scan that was taken at `pose` (3,)."""
        self._grow(pose)
        angles, ranges = scan.angles, np.asarray(scan.ranges, np.float64)
        known = ~np.isnan(ranges)
        angles, ranges = angles[known], ranges[known]
        ends = np.minimum(np.where(np.isfinite(ranges), ranges, scan.max_range), REACH)
        steps = np.arange(CELL / 2, REACH, CELL)
        along = steps[None] * np.ones((len(ends), 1))
        inside = along < (ends - CELL)[:, None]
        way = np.stack([np.cos(angles)[:, None] * along, np.sin(angles)[:, None] * along], -1)[inside] + scan.origin
        free = self._flat(transform_points(pose, way))
        hits = self._flat(transform_points(pose, scan_points(scan, REACH)))
        flat = self.odds.reshape(-1)
        free = np.setdiff1d(free, hits)
        flat[free] = np.maximum(flat[free] - MISS, -MOST)
        hits = np.unique(hits)
        flat[hits] = np.minimum(flat[hits] + HIT, MOST)

    def clear(self, pose: Array, scan: Scan, discs: Array) -> None:
        """Of `discs` (n, 3), x, y, radius [m], what the scan looks through is free at once. Elsewhere it takes many
        looks, so that a wall outlasts poses that err."""
        found = [np.zeros((0, 2), np.int64)]
        for x, y, radius in discs:
            corners = self.cells(np.array([[x - radius, y - radius], [x + radius, y + radius]]))
            (left, bottom), (right, top) = corners[0], corners[1] + 1
            cells = np.argwhere(self.odds[left:right, bottom:top] > -MISS) + corners[0]
            away = self.points(cells) - (x, y)
            found.append(cells[np.hypot(*away.T) < radius])
        doubtful = np.unique(np.concatenate(found), axis=0)
        seen = transform_points(relative(pose, np.zeros(3)), self.points(doubtful))
        gone = doubtful[looked(scan, seen, PAST, 0.0)[0]]
        self.odds[gone[:, 0], gone[:, 1]] = -MISS

    def _beyond(self, points: Array) -> NDArray[np.int64]:
        return np.floor((points - self.middle) / CELL).astype(np.int64) + self.zero

    def _flat(self, points: Array) -> NDArray[np.int64]:
        """Indices of the cells of points (n, 2) [m] in all of them; what lies beyond the edges is left out."""
        cells = self._beyond(points)
        inside = ((cells >= 0) & (cells < self.odds.shape)).all(axis=1)
        return np.unique(cells[inside, 0] * self.odds.shape[1] + cells[inside, 1])

    def _grow(self, pose: Array) -> None:
        """Makes room for what is drawn around `pose` (3,), and for some of the way on."""
        near = REACH + 1.0  # and where the scanner is
        low, high = self._beyond(pose[None, :2] - near)[0], self._beyond(pose[None, :2] + near)[0] + 1
        short = np.maximum(np.column_stack([-low, high - self.odds.shape]), 0)
        sides = -(-short // MORE) * MORE
        if not sides.any() or (self.odds.shape + sides.sum(axis=1)).max() > MOST_SIDE:
            return
        self.odds, self.zero = np.pad(self.odds, sides), self.zero + sides[:, 0]


def _window(grid: Grid, near: Array | None) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The first cell (2,) and that after the last one of what is known, or of the surroundings of points (k, 2)."""
    known = np.argwhere(np.abs(grid.odds[::8, ::8]) > 0) * 8
    low = np.maximum(known.min(axis=0) - 24, 0) if len(known) else np.array([0, 0])
    high = np.minimum(known.max(axis=0) + 32, grid.odds.shape) if len(known) else np.array([8, 8])
    if near is not None:
        cells, beyond = grid.cells(near), round(AROUND / CELL)
        low, high = np.maximum(low, cells.min(axis=0) - beyond), np.minimum(high, cells.max(axis=0) + beyond + 1)
    return low, high


class Ways:
    """Shortest ways over what a grid knows to be free; the nearer they come to something, the longer they count.

    Args:
        grid: see there.
        start: (2,) or (3,) from where.
        radius: [m] of the robot.
        shut: (2,) each, points in gaps that it does not get through.
        keep_out: where it must not go; counts as if something stood there.
        near: (k, 2) points around which alone ways are looked for; None: everywhere. That takes time in large maps.
    """

    def __init__(
        self, grid: Grid, start: Array, radius: float, shut: Sequence[Array] = (), keep_out: Closed | None = None,
        near: Array | None = None,
    ) -> None:  # fmt: skip
        import cv2

        low, high = _window(grid, near)
        window = grid.odds[low[0] : high[0], low[1] : high[1]]
        solid = window > 0.5
        if keep_out is not None:
            cells = np.indices(window.shape).reshape(2, -1).T + low
            solid |= keep_out.holds(grid.points(cells)).reshape(window.shape)
        # Far off there are cells between two beams.
        unknown = cv2.erode((np.abs(window) <= 0.2).astype(np.uint8), np.ones((2, 2), np.uint8)).astype(bool)
        room = cv2.distanceTransform((~solid).astype(np.uint8), cv2.DIST_L2, 5) * CELL - radius
        self._grid, self._low, self._room = grid, low, room
        self._free = (room > MARGIN) & ~unknown
        for point in shut:
            self._free[self._around(self._cell(point), SHUT)] = False
        here = self._cell(start)
        around = self._around(here, UNDER)
        self._free[around] |= ~solid[around]
        edge = cv2.dilate(unknown.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        self._edge = self._free & edge & (room > 0.1)
        from scipy.sparse.csgraph import dijkstra

        price = 1.0 + NEAR * np.clip(1.0 - room / ROOM, 0.0, 1.0) + TIGHT * np.clip(1.0 - room / ROOMY, 0.0, 1.0)
        self._reach, self._before = dijkstra(
            grid_graph(self._free, CELL, price),
            indices=here[0] * self._free.shape[1] + here[1],
            return_predecessors=True,
        )

    def _cell(self, point: Array) -> NDArray[np.int64]:
        return self._grid.cells(np.asarray(point)[None, :2])[0] - self._low

    @staticmethod
    def _around(cell: NDArray[np.int64], reach: int) -> tuple[slice, slice]:
        """The square of cells up to `reach` from one (2,)."""
        x, y = (slice(max(int(i) - reach, 0), max(int(i) + reach + 1, 0)) for i in cell)
        return x, y

    def to(self, goal: Array, near: float = 0.3) -> Array:
        """Points (n, 2) [m] to a free place within `near` [m] of `goal`; none: there is no way."""
        middle, n = self._cell(goal), self._free.shape[1]
        half = max(1, round(near / CELL))
        rows, columns = self._around(middle, half)
        reach = self._reach.reshape(-1, n)[rows, columns]
        at = np.argwhere(np.isfinite(reach)) + (rows.start, columns.start)
        if not len(at):
            return np.zeros((0, 2))
        return self._back(at[np.hypot(*(at - middle).T).argmin()])

    def reached(self) -> tuple[Array, Array]:
        """Points (n, 2) [m] that can be reached and have some room, and the lengths (n,) of the ways there."""
        reach = self._reach.reshape(self._free.shape)
        wanted = np.isfinite(reach) & (self._room >= ROOMY)
        at = np.argwhere(wanted[::4, ::4]) * 4  # each of these is enough
        return self._grid.points(at + self._low), reach[at[:, 0], at[:, 1]]

    def lengths(self, points: Array) -> Array:
        """Of the ways (k,) [m] to points (k, 2); inf where none is known."""
        cells = np.stack([self._cell(point) for point in points]).reshape(-1, 2)
        inside = ((cells >= 0) & (cells < self._free.shape)).all(axis=1)
        cells = np.where(inside[:, None], cells, 0)
        return np.where(inside, self._reach.reshape(self._free.shape)[cells[:, 0], cells[:, 1]], np.inf)

    def onward(self, way: Array, most: float) -> int:
        """How many points of a `way` (n, 2) to drive at once: as many as a straight line leads along that is up to
        `most` [m] long and has enough room, or as much as the way. Not into a gap: to before it, or through."""
        straight = self._straight(way, most)
        roomy = np.flatnonzero(self._room_at(way) >= ROOMY)
        before, beyond = roomy[roomy < straight], roomy[roomy >= straight]
        if len(before) and np.hypot(*(way[before[-1]] - way[0])) > BEFORE:
            return int(before[-1]) + 1
        if len(beyond) and np.hypot(*(way[beyond[0]] - way[0])) < most:
            return int(beyond[0]) + 1
        return straight

    def _straight(self, way: Array, most: float) -> int:
        rooms = np.minimum(self._room_at(way), ROOMY)
        out = int((rooms >= ROOMY).argmax())  # how tight it is where the robot stands says nothing of what is beyond
        least, count = np.minimum.accumulate(rooms), 1
        least[out:] = np.minimum.accumulate(rooms[out:])
        while count < len(way) and np.hypot(*(way[count] - way[0])) <= most:
            steps = max(2, int(np.hypot(*(way[count] - way[0])) / CELL))
            line = self._room_at(way[0] + np.linspace(0.0, 1.0, steps)[:, None] * (way[count] - way[0]))
            tight = (line[:out] < least[out - 1]).any() or (line[out:] < least[count]).any()
            if count > UNDER and tight:
                break
            count += 1
        return count

    def gap(self, way: Array) -> Array | None:
        """Where (2,) a `way` (n, 2) is tightest, if the robot just fits in there."""
        ahead = way[UNDER:]
        room = self._room_at(ahead)
        return np.asarray(ahead[int(room.argmin())]) if len(ahead) and room.min() < ROOMY else None

    def _room_at(self, points: Array) -> Array:
        """Beyond the robot's radius, at points (n, 2): (n,) [m]."""
        cells = self._grid.cells(points) - self._low
        return self._room[cells[:, 0], cells[:, 1]]

    def to_frontier(self, avoid: list[Array], goal: Array | None = None) -> Array:
        """To the nearest edge of what is known, or to that over which the way to a `goal` (2,) is likely short; none:
        nothing is left, or only what lies near `avoid`."""
        import cv2

        _, labels, stats, _ = cv2.connectedComponentsWithStats(self._edge.astype(np.uint8), connectivity=8)
        reach = self._reach.reshape(labels.shape)
        at = np.argwhere((stats[labels, cv2.CC_STAT_AREA] >= 4) & (labels > 0) & np.isfinite(reach))
        if len(at) and avoid:
            points = self._grid.points(at + self._low)
            at = at[np.min([np.hypot(*(points - p).T) for p in avoid], axis=0) > 0.6]
        far = reach[at[:, 0], at[:, 1]] if len(at) else np.zeros(0)
        at, far = at[far > 0.4], far[far > 0.4]
        if goal is not None and len(at):
            far = far + REST * np.hypot(*(self._grid.points(at + self._low) - goal).T)
        return self._back(at[far.argmin()]) if len(at) else np.zeros((0, 2))

    def _back(self, cell: NDArray[np.int64]) -> Array:
        n = self._free.shape[1]
        cells = np.stack(np.divmod(cells_back(self._before, int(cell[0] * n + cell[1])), n), -1)
        return self._grid.points(cells + self._low)
