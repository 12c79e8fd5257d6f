"""A site without end, and a drive through it: streets of drawn buildings along corridors that meet at both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ami_ros.geometry import Array
from ami_ros.simulation.corridors import Face, furnish
from ami_ros.simulation.doors import Doors
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.layout import Obstacle
from ami_ros.simulation.world_file import load_world

WIDE = 2.2  # [m] across a corridor
LENGTH = 110.0  # [m] of a street
APART = 24.0  # [m] from one street to the next
DEEPEST, LONGEST = APART - WIDE - 1.0, 36.0  # [m] of a building
DOOR = 1.3  # [m], in the wall between a corridor and a building
SQUARE = 0.25  # [m] in which a door is looked for
SPOTS = 3  # that are visited in a building
BACK = 12.0  # [m] that the robot drives into a street that it knows, once it has come round
STEP = 0.3  # [m] between two scans
BLOCK, SEEN = 12.0, 14.0  # [m] side of the squares whose surroundings are a floor plan, and how far they reach


@dataclass(frozen=True)
class Street:
    """A corridor along x, with buildings on its left side."""

    obstacles: list[Obstacle]
    visits: list[tuple[float, Array]]  # x of a door, and the way (n, 2) in and out again; by x


class Site:
    """Draws streets as they are needed.

    Args:
        seed: of buildings, walls and the drive.
        length: [m] of a street.
    """

    def __init__(self, seed: int, length: float = LENGTH) -> None:
        self.seed, self.length = seed, length
        self.street = cache(self._draw)
        self._plan = cache(self._plan_of)

    def plan(self, position: Array) -> FloorPlan:
        """What a laser may meet from `position` (2,)."""
        return self._plan(*np.floor(position / BLOCK).astype(int).tolist())

    def drive(self) -> Iterator[Array]:
        """Poses (n, 3) of the way through one street after the other, and into the one before where it comes round."""
        number, corner = 0, np.array([[-WIDE / 2, -WIDE / 2]])
        while True:
            way = np.concatenate([corner, self._through(number), self._round(number)])
            corner = way[-1:]
            yield _driven(way)
            number += 1

    def _through(self, number: int) -> Array:
        """From one end of a street to the other, by all of its buildings."""
        street, y = self.street(number), number * APART - WIDE / 2
        way = [np.array([[x, y], *inside, [x, y]]) for x, inside in street.visits[:: 1 - 2 * (number % 2)]]
        return np.concatenate([*way, [[self._end(number), y]]])

    def _round(self, number: int) -> Array:
        """From the end of a street to the beginning of the one before, some way into it, and back up to the next."""
        x, y = self._end(number), number * APART - WIDE / 2
        up = np.array([[x, y + APART]])
        if not number:
            return up
        into = x + BACK * (1 if number % 2 else -1)
        return np.concatenate([[[x, y - APART], [into, y - APART], [x, y - APART], [x, y]], up])

    def _end(self, number: int) -> float:
        """x of the corridor across in which the way through a street ends."""
        return -WIDE / 2 if number % 2 else self.length + WIDE / 2

    def _draw(self, number: int) -> Street:
        rng = np.random.default_rng([self.seed, number])
        y, left = number * APART, 1.0
        walls: list[Obstacle] = []
        visits: list[tuple[float, Array]] = []
        while True:
            width, obstacles, door, inside = _building(rng)
            if left + width > self.length - 1.0:
                break
            shift = np.array([left, y])
            walls += [replace(o, center=(o.center[0] + left, o.center[1] + y)) for o in obstacles]
            visits.append((left + door, inside + shift))
            walls.append(_wall(left + width, left + width + 1.0, y, y + 0.1))
            left += width + 1.0
        walls += [_wall(left, self.length, y, y + 0.1), _wall(0.0, 1.0, y, y + 0.1)]
        end = y + APART - WIDE  # where the next street begins
        faces = [
            Face(0.0, self.length, y - WIDE, True, -1),
            Face(y, end, 0.0, False, 1),
            Face(y, end, self.length, False, -1),
        ]
        faces += [Face(y - WIDE, end, x, False, side) for x, side in ((-WIDE, -1), (self.length + WIDE, 1))]
        doors: list[Callable[[float], Obstacle]] = []
        for face in faces:
            furnish(face, walls, doors, rng)
        walls += [door(0.0) for door in doors]
        return Street(walls, visits)

    def _plan_of(self, i: int, j: int) -> FloorPlan:
        middle = (np.array([i, j]) + 0.5) * BLOCK
        first = int(np.floor((middle[1] - BLOCK / 2 - SEEN) / APART)) - 1
        last = int(np.floor((middle[1] + BLOCK / 2 + SEEN) / APART)) + 1
        reach = SEEN + 0.71 * BLOCK
        near = [
            o
            for number in range(max(0, first), last + 1)
            for o in self.street(number).obstacles
            if np.hypot(o.center[0] - middle[0], o.center[1] - middle[1]) - np.hypot(*o.half) < reach
        ]
        return FloorPlan(near)


def _building(rng: np.random.Generator) -> tuple[float, list[Obstacle], float, Array]:
    """Width [m] of a building, what stands in it, x of its door, and a way (n, 2) from there around and back."""
    while True:
        world = load_world(f"building:{rng.integers(1, 100_000)}")
        if world.size[1] > DEEPEST or world.size[0] > LONGEST:
            continue
        space = FreeSpace(world)
        doors = [
            ((i + 0.5) * SQUARE, (j + 0.5) * SQUARE)
            for i, j in sorted(space.cells(SQUARE))
            if (j + 0.5) * SQUARE < 0.8 and DOOR < (i + 0.5) * SQUARE < world.size[0] - DOOR
        ]
        if not doors:
            continue
        door = doors[int(rng.integers(len(doors)))]
        spots = [door, *(tuple(space.sample_pose(rng)[:2]) for _ in range(SPOTS)), door]
        ways = [space.path(a, b) for a, b in zip(spots[:-1], spots[1:], strict=True)]
        if not all(len(way) > 1 for way in ways):
            continue
        inside = np.concatenate([[door], *ways, [door]])
        return world.size[0], _opened(Doors(world, 0.18, 0.25).seen.obstacles, door[0]), door[0], inside


def _opened(obstacles: list[Obstacle], x: float) -> list[Obstacle]:
    """Without what stands in the way from the corridor through a door at `x` [m]."""
    kept = []
    for o in obstacles:
        low, high = o.center[0] - o.half[0], o.center[0] + o.half[0]
        if o.center[1] > 0.1 or high < x - DOOR / 2 or low > x + DOOR / 2:
            kept.append(o)
            continue
        kept += [_wall(a, b, -o.half[1], o.half[1]) for a, b in ((low, x - DOOR / 2), (x + DOOR / 2, high)) if b > a]
    return kept


def _wall(x0: float, x1: float, y0: float, y1: float) -> Obstacle:
    return Obstacle("wall", "box", ((x0 + x1) / 2, (y0 + y1) / 2), 0.0, ((x1 - x0) / 2, (y1 - y0) / 2), 2.0)


def _driven(corners: Array) -> Array:
    """Poses (n, 3), STEP apart, along straight lines between `corners` (k, 2)."""
    way = np.append(0.0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T)))
    at = np.arange(0.0, way[-1], STEP)
    spots = np.column_stack([np.interp(at, way, corners[:, k]) for k in (0, 1)])
    ahead = np.diff(spots, axis=0, append=2 * spots[-1:] - spots[-2:-1])
    return np.column_stack([spots, np.arctan2(ahead[:, 1], ahead[:, 0])])
