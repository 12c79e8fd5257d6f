"""Corridors whose doors are alike, driven twice, and a site without end: streets of drawn buildings along such
corridors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.simulation.floor_plan import Doors, FloorPlan, Obstacle
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world

# Long corridors whose doors are alike, driven twice: where scans are hardest to tell apart.
#
# Buildings that are drawn are too full of different things for that: there the share of points that agree tells rooms
# apart. Between both times some doors are opened and people stand about.

LENGTH, WIDTH, ACROSS = (30.0, 70.0), (12.0, 40.0), (1.5, 3.0)  # [m] of the ring, and across a corridor
PERIOD, DOOR, DEPTHS = (2.0, 6.0), (0.8, 1.2), (0.04, 0.1, 0.2, 0.4)  # [m] between doors, of one, and of its recess
STRAY = (0.0, 0.05, 0.3, 1.0)  # [m] standard deviation of where a door is
PILLAR, OPEN, GAP = 0.15, 0.15, 0.1  # probabilities: of one beside a door; that a door is open; of a longer wall
PEOPLE, PERSON = 8, 0.2  # at most, [m] radius
THICK = 1.0  # [m] of walls
ASIDE, SWAY, STEP = 0.15, 0.03, 0.3  # [m] beside the middle, [rad], [m] of a drive


@dataclass(frozen=True)
class Corridors:
    """A ring of corridors.

    Attributes:
        first: what a laser meets when the robot comes the first time ...
        second: ... and the second time.
        route: (n, 3) of the robot; its first half is the first time.
    """

    first: FloorPlan
    second: FloorPlan
    route: Array


@dataclass(frozen=True)
class Face:
    """A side of a corridor, from `start` to `stop` along x (or y), `at` on the other axis; its wall lies `outwards`."""

    start: float
    stop: float
    at: float
    along_x: bool
    outwards: int

    def wall(self, start: float, stop: float, behind: float, thick: float = THICK) -> Obstacle:
        """A piece of it that lies `behind` the face [m]."""
        near = self.at + self.outwards * behind
        far = near + self.outwards * thick
        (x0, x1), (y0, y1) = (start, stop), sorted((near, far))
        if not self.along_x:
            (x0, x1), (y0, y1) = (y0, y1), (x0, x1)
        return Obstacle("wall", "box", ((x0 + x1) / 2, (y0 + y1) / 2), 0.0, ((x1 - x0) / 2, (y1 - y0) / 2), 2.0)


def draw_corridors(rng: np.random.Generator) -> Corridors:
    """Another one each time."""
    length, width, across = rng.uniform(*LENGTH), rng.uniform(*WIDTH), rng.uniform(*ACROSS)
    walls: list[Obstacle] = []
    doors: list[Callable[[float], Obstacle]] = []
    for face in _faces(length, width, across):
        furnish(face, walls, doors, rng)
    route = _route(length, width, across, rng)
    plans = [FloorPlan(walls + _of_a_day(doors, route, across, rng)) for _ in range(2)]
    return Corridors(plans[0], plans[1], route)


def _faces(length: float, width: float, across: float) -> list[Face]:
    """Of the outer and of the inner wall."""
    faces = []
    for inset, inwards in ((0.0, 1), (across, -1)):
        x0, y0, x1, y1 = inset, inset, length - inset, width - inset
        faces += [Face(x0, x1, y0, True, -inwards), Face(x0, x1, y1, True, inwards)]
        faces += [Face(y0, y1, x0, False, -inwards), Face(y0, y1, x1, False, inwards)]
    return faces


def furnish(
    face: Face, walls: list[Obstacle], doors: list[Callable[[float], Obstacle]], rng: np.random.Generator
) -> None:
    """Doors that are alike, and walls and pillars between them; a door is what it is when it is so deep [m]."""
    period, door = rng.uniform(*PERIOD), rng.uniform(*DOOR)
    stray, depth = float(rng.choice(STRAY)), float(rng.choice(DEPTHS))
    at, end = face.start + rng.uniform(0.5, period), face.start
    while at + door < face.stop - 0.5:
        walls.append(face.wall(end, at, 0.0))
        doors.append(lambda more, at=at: face.wall(at, at + door, depth + more))  # type: ignore[misc]
        end = at + door
        if rng.random() < PILLAR:
            pillar = end + rng.uniform(0.2, 0.8)
            stop = pillar + rng.uniform(0.2, 0.6)
            if stop < face.stop:
                walls.append(face.wall(pillar, stop, -float(rng.uniform(0.1, 0.4))))
        at = end + max(0.3, period - door + rng.normal(0.0, 1.0) * stray) + (rng.random() < GAP) * rng.uniform(0.0, 4.0)
    walls.append(face.wall(end, face.stop, 0.0))


def _of_a_day(
    doors: list[Callable[[float], Obstacle]], route: Array, across: float, rng: np.random.Generator
) -> list[Obstacle]:
    """Doors, some of them open, and people along the walls."""
    found = [door(float(rng.uniform(0.5, 4.0)) if rng.random() < OPEN else 0.0) for door in doors]
    for pose in route[rng.integers(len(route), size=rng.integers(PEOPLE))]:
        beside = across * float(rng.choice([-0.42, 0.42])) * np.array([-math.sin(pose[2]), math.cos(pose[2])])
        x, y = pose[:2] + beside + rng.normal(0.0, 0.1, 2)
        found.append(Obstacle("person", "cylinder", (float(x), float(y)), 0.0, (PERSON, PERSON), 1.7))
    return found


def _route(length: float, width: float, across: float, rng: np.random.Generator) -> Array:
    """Twice round, or round and back."""
    inset = across / 2
    corners = np.array(
        [(inset, inset), (length - inset, inset), (length - inset, width - inset), (inset, width - inset)]
    )
    order = [0, 1, 2, 3, 0, 1, 2, 3, 0] if rng.random() < 0.5 else [0, 1, 2, 3, 0, 3, 2, 1, 0]
    poses = []
    for a, b in zip(corners[order[:-1]], corners[order[1:]], strict=True):
        yaw = math.atan2(*(b - a)[::-1])
        aside = float(np.clip(rng.normal(0.0, ASIDE), -0.35, 0.35)) * np.array([-math.sin(yaw), math.cos(yaw)])
        steps = int(np.hypot(*(b - a)) / STEP)
        spots = a + (b - a) * np.arange(steps)[:, None] / steps + aside
        poses.append(np.column_stack([spots, yaw + rng.normal(0.0, SWAY, steps)]))
    return np.concatenate(poses)


# A site without end, and a drive through it: streets of drawn buildings along corridors that meet at both ends.

WIDE = 2.2  # [m] across a corridor
SITE_LENGTH = 110.0  # [m] of a street
APART = 24.0  # [m] from one street to the next
DEEPEST, LONGEST = APART - WIDE - 1.0, 36.0  # [m] of a building
SITE_DOOR = 1.3  # [m], in the wall between a corridor and a building
SQUARE = 0.25  # [m] in which a door is looked for
SPOTS = 3  # that are visited in a building
BACK = 12.0  # [m] that the robot drives into a street that it knows, once it has come round
SITE_STEP = 0.3  # [m] between two scans
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

    def __init__(self, seed: int, length: float = SITE_LENGTH) -> None:
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
            if (j + 0.5) * SQUARE < 0.8 and SITE_DOOR < (i + 0.5) * SQUARE < world.size[0] - SITE_DOOR
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
        if o.center[1] > 0.1 or high < x - SITE_DOOR / 2 or low > x + SITE_DOOR / 2:
            kept.append(o)
            continue
        kept += [
            _wall(a, b, -o.half[1], o.half[1])
            for a, b in ((low, x - SITE_DOOR / 2), (x + SITE_DOOR / 2, high))
            if b > a
        ]
    return kept


def _wall(x0: float, x1: float, y0: float, y1: float) -> Obstacle:
    return Obstacle("wall", "box", ((x0 + x1) / 2, (y0 + y1) / 2), 0.0, ((x1 - x0) / 2, (y1 - y0) / 2), 2.0)


def _driven(corners: Array) -> Array:
    """Poses (n, 3), STEP apart, along straight lines between `corners` (k, 2)."""
    way = np.append(0.0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T)))
    at = np.arange(0.0, way[-1], SITE_STEP)
    spots = np.column_stack([np.interp(at, way, corners[:, k]) for k in (0, 1)])
    ahead = np.diff(spots, axis=0, append=2 * spots[-1:] - spots[-2:-1])
    return np.column_stack([spots, np.arctan2(ahead[:, 1], ahead[:, 0])])
