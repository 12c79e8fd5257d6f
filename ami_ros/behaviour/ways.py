"""What of a grid a robot fits into, cell by cell and in blocks of cells, and the shortest ways over it.

What it fits into is kept, and worked out anew only where the grid has changed: the cost does not grow with the map.
Near the robot ways lead from cell to cell, farther away from block to block: only their beginning is driven before the
next look. SciPy and OpenCV are imported where they are used: a mission of given goals does without their 60 MB.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.behaviour.area import Closed
from ami_ros.behaviour.occupancy import CELL, Grid
from ami_ros.core.geometry import Array
from ami_ros.core.grid_graph import KING, Link, cells_back, grid_graph, joined
from ami_ros.memory.types import REST

MARGIN = 0.03  # [m] beyond the robot's radius that has to be free: what the gate keeps
SHUT = 3  # cells to each side of a point in a gap that the robot does not get through
ROOM, NEAR = 0.27, 2.5  # [m] beyond the radius, with less of which a way counts as longer, and by how much at most
ROOMY, TIGHT = 0.1, 10.0  # likewise: a gap into which the robot just fits is taken where there is no other way
BLOCK = 4  # cells along the side of a block
CLOSE = 64  # cells around the robot from one to the next of which ways lead
UNDER = 6  # cells around the robot that are free where nothing stands: it is there
BEFORE = 0.4  # [m] before a gap, from nearer than which it is driven through


class Ground:
    """What `ground_of` gives. Free cells of one block are joined: what is between them would be as wide as the robot.

    Attributes:
        room: (nx, ny) [m] beyond the robot's radius up to the next thing, ROOM at most.
        free: (nx, ny) where it fits, as far as is known.
        edge: (nx, ny) those of them that are beside what is not known, and have some room.
        roomiest: (nx / BLOCK, ny / BLOCK) the free cell of each block that has most room: its number, x first.
        costs: (len(KING), nx / BLOCK, ny / BLOCK) [m] from a block to its neighbours; inf: there is no way.
    """

    def __init__(self, grid: Grid, radius: float, closed: Closed | None) -> None:
        shape = grid.odds.shape
        blocks = (shape[0] // BLOCK, shape[1] // BLOCK)
        self.radius, self.closed, self.shape = radius, closed, shape
        self.shut: list[Array] = []
        self.room = np.zeros(shape, np.float32)
        self.free, self.edge = np.zeros(shape, bool), np.zeros(shape, bool)
        self.roomiest = np.zeros(blocks, np.uint8)
        self.costs = np.full((len(KING), *blocks), np.inf, np.float32)

    def solid(self, grid: Grid, low: NDArray[np.int64], high: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which cells from `low` (2,) to before `high` (2,) the robot must not touch."""
        solid: NDArray[np.bool_] = grid.odds[low[0] : high[0], low[1] : high[1]] > 0.5
        if self.closed is not None:
            cells = np.indices(solid.shape).reshape(2, -1).T + low
            solid |= self.closed.holds(grid.points(cells)).reshape(solid.shape)
        return solid

    def work_out(self, grid: Grid, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
        """Again, where cells from `low` (2,) to before `high` (2,) have changed."""
        import cv2

        reach = int((self.radius + ROOM) / CELL) + 4  # cells over which one tells of others
        low = np.maximum(low - reach, 0) // BLOCK * BLOCK
        high = np.minimum(-(-(high + reach) // BLOCK) * BLOCK, self.shape)
        outer_low, outer_high = np.maximum(low - reach, 0), np.minimum(high + reach, self.shape)
        window = grid.odds[outer_low[0] : outer_high[0], outer_low[1] : outer_high[1]]
        solid = self.solid(grid, outer_low, outer_high)
        # Far off there are cells between two beams.
        unknown = cv2.erode((np.abs(window) <= 0.2).astype(np.uint8), np.ones((2, 2), np.uint8))
        room = cv2.distanceTransform((~solid).astype(np.uint8), cv2.DIST_L2, 5) * CELL - self.radius
        free = (room > MARGIN) & (unknown == 0)
        for point in self.shut:
            free[around(grid.cells(point[None, :2])[0] - outer_low, SHUT)] = False
        edge = free & cv2.dilate(unknown, np.ones((5, 5), np.uint8)).astype(bool) & (room > ROOMY)
        inner = tuple(slice(a, b) for a, b in zip(low - outer_low, high - outer_low, strict=True))
        here = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        self.room[here], self.free[here], self.edge[here] = np.minimum(room[inner], ROOM), free[inner], edge[inner]
        self._join(low // BLOCK, high // BLOCK)

    def _join(self, low: NDArray[np.int64], high: NDArray[np.int64]) -> None:
        """Blocks from `low` (2,) to before `high` (2,), with each other and with those around."""
        cells = tuple(slice(a * BLOCK, b * BLOCK) for a, b in zip(low, high, strict=True))
        room = np.where(self.free[cells], self.room[cells], -1.0)
        self.roomiest[low[0] : high[0], low[1] : high[1]] = by_block(room).argmax(-1)
        low, high = np.maximum(low - 1, 0), np.minimum(high + 1, self.roomiest.shape)
        cells = tuple(slice(a * BLOCK, b * BLOCK) for a, b in zip(low, high, strict=True))
        rooms = _between(np.where(self.free[cells], self.room[cells], -1.0))
        for costs, (di, dj), room in zip(self.costs, KING, rooms, strict=True):
            first = (slice(low[0], high[0] - di), slice(low[1] - min(dj, 0), high[1] - max(dj, 0)))
            costs[first] = np.where(room > 0.0, float(np.hypot(di, dj)) * BLOCK * CELL * price(room), np.inf)


def _between(room: Array) -> list[Array]:
    """For each move of KING, how much room there is on the way from blocks of cells (nx, ny) to the next ones, where it
    is most; negative in cells that are not free."""
    last, first = room[BLOCK - 1 :: BLOCK][:-1], room[BLOCK::BLOCK]
    beyond, before = room.T[BLOCK - 1 :: BLOCK][:-1], room.T[BLOCK::BLOCK]
    corners = np.minimum(last[:, BLOCK - 1 :: BLOCK][:, :-1], first[:, BLOCK::BLOCK])
    others = np.minimum(last[:, BLOCK::BLOCK], first[:, BLOCK - 1 :: BLOCK][:, :-1])
    return [_across(beyond, before).T, _across(last, first), corners, others]


def _across(a: Array, b: Array) -> Array:
    """Likewise between two rows of blocks (n, m), whose sides (n, m * BLOCK) these are."""
    a, b = (row.reshape(len(row), -1, BLOCK) for row in (a, b))
    found = np.minimum(a, b).max(-1)
    for one, other in ((a[..., 1:], b[..., :-1]), (a[..., :-1], b[..., 1:])):
        found = np.maximum(found, np.minimum(one, other).max(-1))
    return found


def by_block(values: Array) -> Array:
    """Values of cells (nx, ny) in blocks: (nx / BLOCK, ny / BLOCK, BLOCK²)."""
    nx, ny = np.array(values.shape) // BLOCK
    return values.reshape(nx, BLOCK, ny, BLOCK).transpose(0, 2, 1, 3).reshape(nx, ny, BLOCK**2)


def price(room: Array) -> Array:
    """Of a metre with so much room [m] beyond the robot's radius."""
    tight = TIGHT * np.clip(1.0 - room / ROOMY, 0.0, 1.0)
    return np.asarray(1.0 + NEAR * np.clip(1.0 - room / ROOM, 0.0, 1.0) + tight)


def around(cell: NDArray[np.int64], reach: int) -> tuple[slice, slice]:
    """The square of cells up to `reach` from one (2,)."""
    x, y = (slice(max(int(i) - reach, 0), max(int(i) + reach + 1, 0)) for i in cell)
    return x, y


def ground_of(grid: Grid, radius: float, shut: Sequence[Array], closed: Closed | None) -> Ground:
    """Of `grid` as it is now. It is kept with the grid, as long as the robot and what is closed are the same.

    Args:
        grid: see there.
        radius: [m] of the robot.
        shut: (2,) each, points in gaps that it does not get through.
        closed: where it must not go; counts as if something stood there.
    """
    ground, known = grid.ground, grid.known
    if (
        not isinstance(ground, Ground)
        or (ground.radius, ground.closed, ground.shape) != (radius, closed, grid.odds.shape)
        or [id(point) for point in shut[: len(ground.shut)]] != [id(point) for point in ground.shut]
    ):
        ground = grid.ground = Ground(grid, radius, closed)
        grid.changed = known
    changes = [] if grid.changed is None else [grid.changed]
    for point in shut[len(ground.shut) :]:
        ground.shut.append(point)
        cell = grid.cells(point[None, :2])[0]
        changes.append((cell - SHUT, cell + SHUT + 1))
    for low, high in changes:
        ground.work_out(grid, low, high)
    grid.changed = None
    return ground


class Ways:
    """Shortest ways over what a grid knows to be free; the nearer they come to something, the longer they count.

    Args:
        grid: see there.
        start: (2,) or (3,) from where.
        radius: [m] of the robot.
        shut: (2,) each, points in gaps that it does not get through; a list that only grows is looked at once.
        keep_out: where it must not go; counts as if something stood there.
    """

    def __init__(
        self, grid: Grid, start: Array, radius: float, shut: Sequence[Array] = (), keep_out: Closed | None = None
    ) -> None:
        self._grid, self._ground = grid, ground_of(grid, radius, shut, keep_out)
        here = grid.cells(np.asarray(start)[None, :2])[0]
        self._low = np.maximum(here - CLOSE, 0) // BLOCK * BLOCK  # of the cells nearby
        self._near, self._near_before = self._from_cell_to_cell(here)
        low, high = self._low, self._low + self._near.shape
        if grid.known is not None:
            low, high = np.minimum(low, grid.known[0]), np.maximum(high, grid.known[1])
        # The blocks; some cells beside what is known count as free.
        self._first, last = np.maximum(low // BLOCK - 1, 0), np.minimum(high // BLOCK + 2, self._ground.roomiest.shape)
        self._is_near = np.zeros(last - self._first, bool)
        i, j = self._low // BLOCK - self._first
        near: NDArray[np.bool_] = np.isfinite(by_block(self._near).min(-1))
        self._is_near[i : i + len(near), j : j + near.shape[1]] = near
        self._far, self._far_before = self._from_block_to_block()

    def _from_cell_to_cell(self, here: NDArray[np.int64]) -> tuple[Array, NDArray[np.int32]]:
        """Lengths (nx, ny) [m] of the ways to cells nearby, and the cell before each."""
        from scipy.sparse.csgraph import dijkstra

        low, ground = self._low, self._ground
        high = np.minimum(-(-(here + CLOSE) // BLOCK) * BLOCK, ground.shape)
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        free, beside = ground.free[window].copy(), around(here, UNDER)
        first = np.array([side.start for side in beside])
        last = np.minimum([side.stop for side in beside], high)
        free[around(here - low, UNDER)] |= ~ground.solid(self._grid, first, last)
        start = int((here - low) @ [free.shape[1], 1])
        reach, before = dijkstra(
            grid_graph(free, CELL, price(ground.room[window].astype(np.float64))),
            indices=start,
            return_predecessors=True,
        )
        return reach.reshape(free.shape), before

    def _from_block_to_block(self) -> tuple[Array, NDArray[np.int32]]:
        """Likewise to blocks (nx, ny): from the robot to those nearby, and over these to all others."""
        from scipy.sparse.csgraph import dijkstra

        shape, to_near = self._is_near.shape, by_block(self._near).min(-1)
        is_near, near = self._is_near.ravel(), np.flatnonzero(self._is_near)
        last = self._first + shape
        costs = self._ground.costs[:, self._first[0] : last[0], self._first[1] : last[1]]
        links: list[Link] = []
        for (di, dj), cost in zip(KING, costs.reshape(len(KING), -1), strict=True):
            step, rows = di * shape[1] + dj, np.flatnonzero(np.isfinite(cost))
            there, back = ~is_near[rows + step], ~is_near[rows]
            links.append((step, rows[there], cost[rows[there]]))
            links.append((-step, rows[back] + step, cost[rows[back]]))
        reach, before = dijkstra(
            joined(len(is_near), links, (near, to_near[np.isfinite(to_near)])), indices=len(is_near),
            return_predecessors=True,
        )  # fmt: skip
        return reach[:-1].reshape(shape), before

    def _reach(self, cells: NDArray[np.int64]) -> Array:
        """Lengths (n,) [m] of the ways to cells (n, 2); inf where none is known."""
        x, y = cells.T
        i, j = x // BLOCK - self._first[0], y // BLOCK - self._first[1]
        inside = (i >= 0) & (j >= 0) & (i < self._far.shape[0]) & (j < self._far.shape[1])
        x, y, i, j = (np.where(inside, v, other) for v, other in ((x, self._low[0]), (y, self._low[1]), (i, 0), (j, 0)))
        far = np.where(inside & self._ground.free[x, y], self._far[i, j], np.inf)
        near = np.flatnonzero(inside & self._is_near[i, j])
        far[near] = self._near[x[near] - self._low[0], y[near] - self._low[1]]
        return far

    def to(self, goal: Array, near: float = 0.3) -> Array:
        """Points (n, 2) [m] to a free place within `near` [m] of `goal`; none: there is no way."""
        middle, half = self._grid.cells(np.asarray(goal)[None, :2])[0], max(1, round(near / CELL))
        square = np.indices((2 * half + 1, 2 * half + 1)).reshape(2, -1).T + middle - half
        square = square[((square >= 0) & (square < self._ground.shape)).all(axis=1)]
        at = square[np.isfinite(self._reach(square))]
        return self._back(at[np.hypot(*(at - middle).T).argmin()]) if len(at) else np.zeros((0, 2))

    def reached(self) -> tuple[Array, Array]:
        """Points (n, 2) [m] that can be reached and have some room, and the lengths (n,) of the ways there."""
        cells = (np.argwhere(np.isfinite(self._far)) + self._first) * BLOCK  # each of these is enough
        cells = cells[self._ground.room[cells[:, 0], cells[:, 1]] >= ROOMY]
        reach = self._reach(cells)
        known = np.isfinite(reach)
        return self._grid.points(cells[known]), reach[known]

    def lengths(self, points: Array) -> Array:
        """Of the ways (k,) [m] to points (k, 2); inf where none is known."""
        return self._reach(self._grid.cells(points))

    def onward(self, way: Array, most: float) -> int:
        """How many points of a `way` (n, 2) to drive at once: as many as a straight line leads along that is up to
        `most` [m] long and has enough room, or as much as the way. Not into a gap: to before it, or through."""
        away, rooms = np.hypot(*(way - way[0]).T), np.minimum(self._room_at(way), ROOMY)
        out = int((rooms >= ROOMY).argmax())  # how tight it is where the robot stands says nothing of what is beyond
        least, straight = np.minimum.accumulate(rooms), 1
        least[out:] = np.minimum.accumulate(rooms[out:])
        while straight < len(way) and away[straight] <= most:
            steps = max(2, int(away[straight] / CELL))
            line = self._room_at(way[0] + np.linspace(0.0, 1.0, steps)[:, None] * (way[straight] - way[0]))
            tight = (line[:out] < least[out - 1]).any() or (line[out:] < least[straight]).any()
            if straight > UNDER and tight:
                break
            straight += 1
        roomy = np.flatnonzero(rooms >= ROOMY)
        before, beyond = roomy[roomy < straight], roomy[roomy >= straight]
        if len(before) and away[before[-1]] > BEFORE:
            return int(before[-1]) + 1
        if len(beyond) and away[beyond[0]] < most:
            return int(beyond[0]) + 1
        return straight

    def gap(self, way: Array) -> Array | None:
        """Where (2,) a `way` (n, 2) is tightest, if the robot just fits in there."""
        ahead = way[UNDER:]
        room = self._room_at(ahead)
        return np.asarray(ahead[int(room.argmin())]) if len(ahead) and room.min() < ROOMY else None

    def _room_at(self, points: Array) -> Array:
        """Beyond the robot's radius, at points (n, 2): (n,) [m], ROOM at most."""
        cells = self._grid.cells(points)
        return np.asarray(self._ground.room[cells[:, 0], cells[:, 1]], np.float64)

    def to_frontier(self, avoid: list[Array], goal: Array | None = None) -> Array:
        """To the nearest edge of what is known, or to that over which the way to a `goal` (2,) is likely short; none:
        nothing is left, or only what lies near `avoid`."""
        import cv2

        first = self._first * BLOCK
        last = first + np.array(self._far.shape) * BLOCK
        edge = self._ground.edge[first[0] : last[0], first[1] : last[1]]
        _, labels, stats, _ = cv2.connectedComponentsWithStats(edge.astype(np.uint8), connectivity=8)
        at = np.argwhere(edge)
        at = at[stats[labels[at[:, 0], at[:, 1]], cv2.CC_STAT_AREA] >= 4] + first
        far = self._reach(at)
        at, far = at[np.isfinite(far)], far[np.isfinite(far)]
        if len(at) and avoid:
            points = self._grid.points(at)
            kept = np.min([np.hypot(*(points - p).T) for p in avoid], axis=0) > 0.6
            at, far = at[kept], far[kept]
        at, far = at[far > 0.4], far[far > 0.4]
        if goal is not None and len(at):
            far = far + REST * np.hypot(*(self._grid.points(at) - goal).T)
        return self._back(at[far.argmin()]) if len(at) else np.zeros((0, 2))

    def _back(self, cell: NDArray[np.int64]) -> Array:
        """The way (n, 2) [m] to a cell (2,) that can be reached."""
        n, (i, j) = self._far.shape[1], cell // BLOCK - self._first
        beyond = np.zeros((0, 2), np.int64)
        if not self._is_near[i, j]:
            numbers = cells_back(self._far_before, int(i * n + j))[1:]  # from the robot itself, whose number is none
            blocks = np.stack(np.divmod(numbers, n), -1) + self._first
            roomiest = self._ground.roomiest[blocks[:, 0], blocks[:, 1]]
            cells = blocks * BLOCK + np.stack(np.divmod(roomiest, BLOCK), -1)
            x, y = blocks[0] * BLOCK - self._low
            nearest = int(self._near[x : x + BLOCK, y : y + BLOCK].argmin())
            beyond = np.concatenate([cells[1:-1], cell[None]])
            cell = blocks[0] * BLOCK + np.divmod(nearest, BLOCK)
        x, y = cell - self._low
        m = self._near.shape[1]
        close = np.stack(np.divmod(cells_back(self._near_before, int(x * m + y)), m), -1) + self._low
        return self._grid.points(np.concatenate([close, beyond]))
