"""What of a grid a robot fits into: cell by cell, and in blocks of cells that stand for them far away.

Both are kept, and worked out anew only where the grid has changed: the cost does not grow with the map.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.grid_graph import KING
from ami_ros.mission.area import Closed
from ami_ros.mission.occupancy import CELL, Grid

MARGIN = 0.03  # [m] beyond the robot's radius that has to be free: what the gate keeps
SHUT = 3  # cells to each side of a point in a gap that the robot does not get through
ROOM, NEAR = 0.27, 2.5  # [m] beyond the radius, with less of which a way counts as longer, and by how much at most
ROOMY, TIGHT = 0.1, 10.0  # likewise: a gap into which the robot just fits is taken where there is no other way
BLOCK = 4  # cells along the side of a block


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
