"""Drives with a purpose: a robot that knows the plan visits every room, then goes from room to room and looks around.

It is how experience is gathered in buildings, where a robot that roams at random would not come far: commands are as
uneven as those of `Explorer`, and what its laser sees stops it all the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from ami_ros.core.commands import Command, of_width
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, wrap
from ami_ros.core.grid_graph import grid_graph, largest_part, shortest_way
from ami_ros.core.robots.description import RobotDescription
from ami_ros.core.scan import Scan
from ami_ros.simulation.exploration import PERIOD, Explorer, Strokes, scan_ends, slowed
from ami_ros.simulation.free_space import FreeSpace, within_rooms

CELL = 0.1  # of the map that routes are found on [m]


class Routes:
    """Ways for a robot in `space` that keep clear of things where there is room: nearer than `comfort` [m] they cost
    more."""

    def __init__(self, space: FreeSpace, radius: float, comfort: float = 0.45) -> None:
        self.space, self._comfort = space, comfort
        nx, ny = (math.ceil(length / CELL) for length in space.world.size)
        self._xs, self._ys = (np.arange(nx) + 0.5) * CELL, (np.arange(ny) + 0.5) * CELL
        self._clearance = space.plan.grid_clearance(self._xs, self._ys, 1.0)
        self._free = within_rooms(space.world, self._xs, self._ys) & (self._clearance > radius + 0.03)

    @cached_property
    def _graph(self) -> csr_array:
        price = 1.0 + 6.0 * np.clip(1.0 - self._clearance / self._comfort, 0.0, 1.0)
        return grid_graph(self._free, CELL, price)

    @cached_property
    def _main_part(self) -> NDArray[np.int64]:
        """Numbers of the cells of the largest connected part."""
        return np.flatnonzero(largest_part(self._graph, self._free))

    def draw(self, rng: np.random.Generator) -> Array:
        """A random place (2,) from which all others are in reach. Raises AmiError if there is none."""
        if not self._free.any():
            raise AmiError(f"world '{self.space.world.name}' has no room for who goes about in it")
        i, j = np.divmod(int(rng.choice(self._main_part)), len(self._ys))
        return np.array([self._xs[i], self._ys[j]])

    def clear(self, points: Array) -> NDArray[np.bool_]:
        """Whether there is room at `points` (n, 2), by their cells."""
        i, j = ((points[:, axis] / CELL).astype(int).clip(0, n - 1) for axis, n in enumerate(self._free.shape))
        return np.asarray(self._free[i, j])

    def way(self, start: Array, goal: Array) -> Array:
        """Points (n, 2) [m] from `start` to `goal` (2 or 3,); none if there is no way."""
        first, last = (self._nearest(p) for p in (start, goal))
        i, j = np.divmod(shortest_way(self._graph, first, last), len(self._ys))
        return np.column_stack([self._xs[i], self._ys[j]])

    def _nearest(self, point: Array) -> int:
        i, j = np.nonzero(self._free)
        if len(i) == 0:
            raise AmiError(f"world '{self.space.world.name}' has no room for the robot")
        best = int(np.argmin((self._xs[i] - point[0]) ** 2 + (self._ys[j] - point[1]) ** 2))
        return int(i[best] * len(self._ys) + j[best])


@dataclass(frozen=True)
class RouteDriving:
    """How a robot drives that knows the plan."""

    roam: float = 0.15  # probability that it roams at random before a way
    roams: tuple[float, float] = (5.0, 25.0)  # how long [s]
    clear: float = 0.04  # between the robot's edge and what the scan saw [m]
    ahead: tuple[float, float] = (0.35, 0.7)  # how far ahead on its way the robot aims [m]
    arrived: float = 0.25  # [m]
    stuck: float = 6.0  # without progress for so long it goes elsewhere [s]


class RouteDriver:
    """Call `command` once every PERIOD with the true pose: it drives along ways, roams at times, and looks around."""

    def __init__(
        self, routes: Routes, rng: np.random.Generator, robot: RobotDescription, config: RouteDriving = RouteDriving()
    ) -> None:
        self._routes, self._rng, self._robot, self._config = routes, rng, robot, config
        self._explorer = Explorer(rng, robot)
        self._strokes = Strokes(robot, PERIOD) if robot.drive.kind == "ackermann" else None
        self._clear = robot.shape.radius + config.clear
        self._unseen = [room.name for room in routes.space.world.rooms]
        self._way, self._left, self._spin = np.zeros((0, 2)), 0.0, 0.0
        self._since, self._nearest = 0.0, math.inf  # progress on the way
        self._speed, self._swerve = 0.3, 0.0

    def command(self, pose: Array, scan: Scan) -> Command:
        """The next command (see `ami_ros.core.commands`) at `pose` (3,), with what the laser sees."""
        if self._left > 0.0:  # roaming
            self._left -= PERIOD
            return self._explorer.command(scan)
        if abs(self._spin) > 0.2:
            rate = math.copysign(min(0.4 + abs(self._spin), self._robot.planned.angular), self._spin)
            self._spin -= rate * PERIOD
            return of_width(self._safe(scan, 0.0, rate, rate), self._robot.command_dim)
        if len(self._way) == 0:
            self._choose(pose)
        return of_width(self._follow(pose, scan), self._robot.command_dim)

    def _choose(self, pose: Array) -> None:
        """A new way: to a room not seen yet as long as there are some, then to any."""
        rng, space = self._rng, self._routes.space
        if rng.random() < self._config.roam:
            self._left = rng.uniform(*self._config.roams)
        here = space.room_of(pose)
        self._unseen = [name for name in self._unseen if name != here]
        names = self._unseen or [room.name for room in space.world.rooms]
        try:
            goal = space.sample_pose(rng, names[int(rng.integers(len(names)))], 0.05)
        except AmiError:  # a room that is full
            goal = space.sample_pose(rng, None, 0.05)
        self._unseen = [name for name in self._unseen if name != space.room_of(goal)]
        self._way = self._routes.way(pose, goal)
        self._speed = rng.uniform(0.5, 1.0) * self._robot.planned.linear
        self._since, self._nearest = 0.0, math.inf

    def _follow(self, pose: Array, scan: Scan) -> Command:
        rng, limits, config = self._rng, self._robot.planned, self._config
        distance = np.hypot(*(self._way - pose[:2]).T)
        if len(distance) == 0 or distance[-1] < config.arrived or self._is_stuck(float(distance[-1])):
            self._way = np.zeros((0, 2))
            if rng.random() < 0.6:
                self._spin = rng.uniform(0.5, 2 * math.pi) * rng.choice([-1.0, 1.0])
            return 0.0, 0.0
        nearest = int(distance.argmin())
        aim = min(nearest + round(rng.uniform(*config.ahead) / CELL), len(self._way) - 1)
        dx, dy = self._way[aim] - pose[:2]
        self._swerve = 0.8 * self._swerve + rng.normal(0.0, 0.06)
        bearing = float(wrap(math.atan2(dy, dx) - pose[2])) + self._swerve
        angular = float(np.clip(1.8 * bearing, -limits.angular, limits.angular))
        linear = self._speed * max(0.0, math.cos(bearing)) ** 2 if abs(bearing) < 1.2 else 0.0
        turn = angular if abs(angular) > 0.3 else 0.6 * (1.0 if bearing >= 0 else -1.0)
        return self._safe(scan, linear, angular, turn)

    def _safe(self, scan: Scan, linear: float, angular: float, turn: float) -> Command:
        """The command, slowed down until its arc is clear, or a `turn` [rad/s] on the spot; of a car a stroke."""
        points = scan_ends(scan)
        if self._strokes is not None:
            return self._strokes.command(points, (linear, angular), self._clear)
        found = slowed(points, (linear, angular, 0.0), self._clear, (1.0, 0.6, 0.3))
        return (0.0, turn) if found is None else found[:2]

    def _is_stuck(self, left: float) -> bool:
        self._since += PERIOD
        if left < self._nearest - 0.1:
            self._since, self._nearest = 0.0, left
        return self._since > self._config.stuck
