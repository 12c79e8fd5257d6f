"""Where the robot fits, and how far it is from here to there: for start poses and for evaluation only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.grid_graph import KNIGHT, grid_graph, largest_part, shortest_way
from ami_ros.core.robots.description import default_robot
from ami_ros.simulation.floor_plan import FloorPlan, in_the_way, obstacles_of
from ami_ros.simulation.world import Rectangle, World


@dataclass(frozen=True)
class FreeSpaceConfig:
    """How finely free space is divided, and what fits."""

    cell: float = 0.025  # [m]
    large: float = 100.0  # a world of more than so many square metres has cells of twice the size
    margin: float = 0.02  # kept between the robot and anything solid [m]
    most: float = 1.0  # clearances beyond this are all the same [m]
    snap: float = 0.1  # a pose this near to free space counts as in it [m]


class FreeSpace:
    """The free space of `world`, its doors as in `doors` (name -> open; those not named as in the file), for a robot
    of `radius` [m] (None: that of the simulated robot)."""

    def __init__(
        self, world: World, doors: Mapping[str, bool] | None = None, radius: float | None = None,
        config: FreeSpaceConfig = FreeSpaceConfig(),
    ) -> None:  # fmt: skip
        self.world, self._snap = world, config.snap
        self._fits = (default_robot().shape.radius if radius is None else radius) + config.margin
        self.plan = FloorPlan(in_the_way(obstacles_of(world, dict(doors or {}))))
        self.cell = config.cell if world.size[0] * world.size[1] <= config.large else 2 * config.cell
        nx, ny = (round(length / self.cell) for length in world.size)
        self._xs, self._ys = (np.arange(nx) + 0.5) * self.cell, (np.arange(ny) + 0.5) * self.cell
        self._clearance = self.plan.grid_clearance(self._xs, self._ys, config.most)
        in_room = within_rooms(world, self._xs, self._ys)
        self._free: NDArray[np.bool_] = (self._clearance >= self._fits) & in_room

    def free(self, poses: ArrayLike, clearance: float = 0.0) -> NDArray[np.bool_]:
        """Whether the robot fits at each of `poses` (..., 2 or 3), with `clearance` [m] more than the usual margin."""
        p = np.asarray(poses, dtype=np.float64)
        points = p[..., :2].reshape(-1, 2)
        in_room = np.array([self.world.room_at(*point) is not None for point in points], dtype=bool)
        fits = in_room & (self.plan.clearance(points) >= self._fits + clearance)
        return fits.reshape(p.shape[:-1])

    def room_of(self, xy: ArrayLike) -> str | None:
        """Name of the room around a point or pose (2 or 3,), None outside of all."""
        number = self.world.room_at(*np.asarray(xy, dtype=np.float64)[:2])
        return None if number is None else self.world.rooms[number].name

    def sample_pose(self, rng: np.random.Generator, room: str | None = None, clearance: float = 0.0) -> Array:
        """A random free pose (3,), in the largest connected part of the free space, anywhere or in `room`.

        Raises AmiError if `room` is unknown or has no such place.
        """
        area = (0.0, 0.0, *self.world.size)
        if room is not None:
            rooms = {r.name: r.area for r in self.world.rooms}
            if room not in rooms:
                raise AmiError(f"world '{self.world.name}' has no room '{room}': known are {', '.join(rooms)}")
            area = rooms[room]
        return self._sample(rng, area, clearance)

    def sample_start(self, rng: np.random.Generator) -> Array:
        """A random free pose (3,) in the world's start area."""
        return self._sample(rng, self.world.start or (0.0, 0.0, *self.world.size), 0.0)

    def path_length(self, a: ArrayLike, b: ArrayLike) -> float:
        """Length [m] of the shortest way of the robot's middle from `a` to `b` (2 or 3,); inf if there is none."""
        return float(self.distances(a, np.asarray(b)[None])[0])

    def path(self, a: ArrayLike, b: ArrayLike) -> Array:
        """Cells (n, 2) [m] along the shortest way from `a` to `b` (2 or 3,); none if there is no way."""
        first, last = self._cell(a), self._cell(b)
        if first is None or last is None:
            return np.zeros((0, 2))
        i, j = np.divmod(shortest_way(self._graph, first, last), len(self._ys))
        return np.column_stack([self._xs[i], self._ys[j]])

    def distances(self, a: ArrayLike, points: ArrayLike) -> Array:
        """Path lengths (n,) [m] from `a` (2 or 3,) to each of `points` (n, 2 or 3), inf where there is no way."""
        first, cells = self._cell(a), [self._cell(point) for point in np.asarray(points)]
        if first is None or all(cell is None for cell in cells):
            return np.full(len(cells), np.inf)
        reach = dijkstra(self._graph, indices=first)
        return np.array([np.inf if cell is None else reach[cell] for cell in cells])

    def share_within(self, points: ArrayLike, distance: float) -> float:
        """Share of the largest connected part from which one of `points` (n, 2 or 3) is at most `distance` [m] of
        driving away."""
        cells = {cell for cell in map(self._cell, np.asarray(points)) if cell is not None}
        if not cells:
            return 0.0
        reach = dijkstra(self._graph, indices=sorted(cells), min_only=True, limit=distance)
        return float(np.isfinite(reach.reshape(self.main_part.shape)[self.main_part]).mean())

    @cached_property
    def main_part(self) -> NDArray[np.bool_]:
        """Cells (nx, ny) of the largest connected part of the free space."""
        return largest_part(self._graph, self._free)

    @property
    def area(self) -> float:
        """Of the largest connected part: where the robot's middle can be [m^2]."""
        return float(self.main_part.sum() * self.cell**2)

    def cells(self, size: float) -> set[tuple[int, int]]:
        """The squares of `size` [m] (as x // size, y // size) that the robot's middle can get into."""
        i, j = np.nonzero(self.main_part)
        return {(int(x // size), int(y // size)) for x, y in zip(self._xs[i], self._ys[j], strict=True)}

    def _sample(self, rng: np.random.Generator, area: Rectangle, clearance: float) -> Array:
        roomy = self._clearance >= self._fits + self.cell + clearance
        i, j = np.nonzero(self.main_part & within(area, self._xs, self._ys) & roomy)
        if len(i) == 0:
            raise AmiError(f"world '{self.world.name}': the robot fits nowhere in the area {list(area)}")
        k = rng.integers(len(i))
        jitter = rng.uniform(-self.cell / 2, self.cell / 2, 2)
        return np.array([self._xs[i[k]] + jitter[0], self._ys[j[k]] + jitter[1], rng.uniform(-np.pi, np.pi)])

    def _cell(self, xy: ArrayLike) -> int | None:
        """Number of the free cell nearest to `xy`, None if there is none near it."""
        x, y = np.asarray(xy, dtype=np.float64)[:2]
        nx, ny = self._free.shape
        reach = round(self._snap / self.cell)
        i0, j0 = int(x // self.cell), int(y // self.cell)
        i, j = np.mgrid[max(i0 - reach, 0) : min(i0 + reach + 1, nx), max(j0 - reach, 0) : min(j0 + reach + 1, ny)]
        i, j = i[self._free[i, j]], j[self._free[i, j]]
        if i.size == 0:
            return None
        nearest = np.hypot(self._xs[i] - x, self._ys[j] - y).argmin()
        return int(i[nearest] * ny + j[nearest])

    @cached_property
    def _graph(self) -> csr_array:
        return grid_graph(self._free, self.cell, moves=KNIGHT)


def within(area: Rectangle, xs: NDArray[np.floating], ys: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which cells (nx, ny) with their middles at `xs` (nx,) and `ys` (ny,) [m] lie in a rectangle."""
    x0, y0, x1, y1 = area
    return np.asarray(((xs >= x0) & (xs <= x1))[:, None] & ((ys >= y0) & (ys <= y1)))


def within_rooms(world: World, xs: NDArray[np.floating], ys: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which of them lie in any room."""
    return np.any([within(room.area, xs, ys) for room in world.rooms], axis=0)
