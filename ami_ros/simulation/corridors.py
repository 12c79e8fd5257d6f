"""Corridors whose doors are alike, driven twice; and a site without end, streets of drawn buildings along such ones.

Buildings that are drawn are too full of different things to make scans hard to tell apart: there the share of points
that agree tells rooms apart. Between both times some doors are opened and people stand about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.simulation.floor_plan import Doors, FloorPlan, Obstacle, disc
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.world_file import load_world

Ranges = tuple[float, float]


@dataclass(frozen=True)
class CorridorRanges:
    """What corridors are drawn from."""

    length: Ranges = (30.0, 70.0)  # of the ring [m]
    width: Ranges = (12.0, 40.0)  # [m]
    across: Ranges = (1.5, 3.0)  # of a corridor [m]
    period: Ranges = (2.0, 6.0)  # between doors [m]
    door: Ranges = (0.8, 1.2)  # width of one [m]
    depths: tuple[float, ...] = (0.04, 0.1, 0.2, 0.4)  # of its recess [m]
    stray: tuple[float, ...] = (0.0, 0.05, 0.3, 1.0)  # standard deviation of where a door is [m]
    pillar: float = 0.15  # probability of one beside a door
    gap: float = 0.1  # probability of a longer wall
    open: float = 0.15  # probability that a door is open
    people: int = 8  # at most
    aside: float = 0.15  # standard deviation of a drive beside the middle [m]
    sway: float = 0.03  # of its heading [rad]
    step: float = 0.3  # between two poses of a drive [m]


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

    def wall(self, start: float, stop: float, behind: float) -> Obstacle:
        """A piece of it, a metre thick, that lies `behind` the face [m]."""
        near = self.at + self.outwards * behind
        low, high = sorted((near, near + self.outwards * 1.0))
        return _wall(start, stop, low, high) if self.along_x else _wall(low, high, start, stop)


def _wall(x0: float, x1: float, y0: float, y1: float) -> Obstacle:
    return Obstacle("wall", "box", ((x0 + x1) / 2, (y0 + y1) / 2), 0.0, ((x1 - x0) / 2, (y1 - y0) / 2), 2.0)


def draw_corridors(rng: np.random.Generator, ranges: CorridorRanges = CorridorRanges()) -> Corridors:
    """Another one each time."""
    length, width, across = rng.uniform(*ranges.length), rng.uniform(*ranges.width), rng.uniform(*ranges.across)
    walls: list[Obstacle] = []
    doors: list[Callable[[float], Obstacle]] = []
    for inset, inwards in ((0.0, 1), (across, -1)):  # the outer wall, and the inner one
        x0, y0, x1, y1 = inset, inset, length - inset, width - inset
        for at, side in ((y0, -inwards), (y1, inwards)):
            furnish(Face(x0, x1, at, True, side), walls, doors, rng, ranges)
        for at, side in ((x0, -inwards), (x1, inwards)):
            furnish(Face(y0, y1, at, False, side), walls, doors, rng, ranges)
    route = _route(length, width, across, rng, ranges)
    plans = [FloorPlan(walls + _of_a_day(doors, route, across, rng, ranges)) for _ in range(2)]
    return Corridors(plans[0], plans[1], route)


def furnish(
    face: Face, walls: list[Obstacle], doors: list[Callable[[float], Obstacle]], rng: np.random.Generator,
    ranges: CorridorRanges = CorridorRanges(),
) -> None:  # fmt: skip
    """Doors that are alike, and walls and pillars between them; a door is what it is when it is so deep [m]."""
    period, door = rng.uniform(*ranges.period), rng.uniform(*ranges.door)
    stray, depth = float(rng.choice(ranges.stray)), float(rng.choice(ranges.depths))
    at, end = face.start + rng.uniform(0.5, period), face.start
    while at + door < face.stop - 0.5:
        walls.append(face.wall(end, at, 0.0))
        doors.append(lambda more, at=at: face.wall(at, at + door, depth + more))  # type: ignore[misc]
        end = at + door
        if rng.random() < ranges.pillar:
            pillar = end + rng.uniform(0.2, 0.8)
            stop = pillar + rng.uniform(0.2, 0.6)
            if stop < face.stop:
                walls.append(face.wall(pillar, stop, -float(rng.uniform(0.1, 0.4))))
        between = max(0.3, period - door + rng.normal(0.0, 1.0) * stray)
        at = end + between + (rng.random() < ranges.gap) * rng.uniform(0.0, 4.0)
    walls.append(face.wall(end, face.stop, 0.0))


def _of_a_day(
    doors: list[Callable[[float], Obstacle]], route: Array, across: float, rng: np.random.Generator,
    ranges: CorridorRanges,
) -> list[Obstacle]:  # fmt: skip
    """Doors, some of them open, and people along the walls."""
    found = [door(float(rng.uniform(0.5, 4.0)) if rng.random() < ranges.open else 0.0) for door in doors]
    for pose in route[rng.integers(len(route), size=rng.integers(ranges.people))]:
        beside = across * float(rng.choice([-0.42, 0.42])) * np.array([-math.sin(pose[2]), math.cos(pose[2])])
        found.append(disc("person", pose[:2] + beside + rng.normal(0.0, 0.1, 2), 0.2, 1.7))
    return found


def _route(length: float, width: float, across: float, rng: np.random.Generator, ranges: CorridorRanges) -> Array:
    """Twice round, or round and back."""
    inset = across / 2
    corners = np.array(
        [(inset, inset), (length - inset, inset), (length - inset, width - inset), (inset, width - inset)]
    )
    order = [0, 1, 2, 3, 0, 1, 2, 3, 0] if rng.random() < 0.5 else [0, 1, 2, 3, 0, 3, 2, 1, 0]
    poses = []
    for a, b in zip(corners[order[:-1]], corners[order[1:]], strict=True):
        yaw = math.atan2(*(b - a)[::-1])
        aside = float(np.clip(rng.normal(0.0, ranges.aside), -0.35, 0.35)) * np.array([-math.sin(yaw), math.cos(yaw)])
        steps = int(np.hypot(*(b - a)) / ranges.step)
        spots = a + (b - a) * np.arange(steps)[:, None] / steps + aside
        poses.append(np.column_stack([spots, yaw + rng.normal(0.0, ranges.sway, steps)]))
    return np.concatenate(poses)


# A site


@dataclass(frozen=True)
class SiteConfig:
    """How streets, buildings and drives are laid out. A building is at most as deep as streets leave room for."""

    wide: float = 2.2  # across a corridor [m]
    apart: float = 24.0  # from one street to the next [m]
    longest: float = 36.0  # of a building [m]
    door: float = 1.3  # in the wall between a corridor and a building [m]
    square: float = 0.25  # in which a door is looked for [m]
    spots: int = 3  # that are visited in a building
    back: float = 12.0  # that the robot drives into a street that it knows, once it has come round [m]
    step: float = 0.3  # between two scans [m]
    block: float = 12.0  # side of the squares whose surroundings are a floor plan [m]
    seen: float = 14.0  # how far these reach [m]


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

    def __init__(self, seed: int, length: float = 110.0, config: SiteConfig = SiteConfig()) -> None:
        self.seed, self.length, self.config = seed, length, config
        self.street = cache(self._draw)
        self._plan = cache(self._plan_of)

    def plan(self, position: Array) -> FloorPlan:
        """What a laser may meet from `position` (2,)."""
        return self._plan(*np.floor(position / self.config.block).astype(int).tolist())

    def drive(self) -> Iterator[Array]:
        """Poses (n, 3) of the way through one street after the other, and into the one before where it comes round."""
        number, corner = 0, np.array([[-self.config.wide / 2, -self.config.wide / 2]])
        while True:
            way = np.concatenate([corner, self._through(number), self._round(number)])
            corner = way[-1:]
            yield along(way, self.config.step)
            number += 1

    def _through(self, number: int) -> Array:
        """From one end of a street to the other, by all of its buildings."""
        street, y = self.street(number), number * self.config.apart - self.config.wide / 2
        way = [np.array([[x, y], *inside, [x, y]]) for x, inside in street.visits[:: 1 - 2 * (number % 2)]]
        return np.concatenate([*way, [[self._end(number), y]]])

    def _round(self, number: int) -> Array:
        """From the end of a street to the beginning of the one before, some way into it, and back up to the next."""
        apart, x = self.config.apart, self._end(number)
        y = number * apart - self.config.wide / 2
        up = np.array([[x, y + apart]])
        if not number:
            return up
        into = x + self.config.back * (1 if number % 2 else -1)
        return np.concatenate([[[x, y - apart], [into, y - apart], [x, y - apart], [x, y]], up])

    def _end(self, number: int) -> float:
        """x of the corridor across in which the way through a street ends."""
        return -self.config.wide / 2 if number % 2 else self.length + self.config.wide / 2

    def _draw(self, number: int) -> Street:
        rng, wide = np.random.default_rng([self.seed, number]), self.config.wide
        y, left = number * self.config.apart, 1.0
        walls: list[Obstacle] = []
        visits: list[tuple[float, Array]] = []
        while True:
            width, obstacles, door, inside = self._building(rng)
            if left + width > self.length - 1.0:
                break
            shift = np.array([left, y])
            walls += [replace(o, center=(o.center[0] + left, o.center[1] + y)) for o in obstacles]
            visits.append((left + door, inside + shift))
            walls.append(_wall(left + width, left + width + 1.0, y, y + 0.1))
            left += width + 1.0
        walls += [_wall(left, self.length, y, y + 0.1), _wall(0.0, 1.0, y, y + 0.1)]
        end = y + self.config.apart - wide  # where the next street begins
        faces = [Face(0.0, self.length, y - wide, True, -1)]
        faces += [Face(y, end, x, False, side) for x, side in ((0.0, 1), (self.length, -1))]
        faces += [Face(y - wide, end, x, False, side) for x, side in ((-wide, -1), (self.length + wide, 1))]
        doors: list[Callable[[float], Obstacle]] = []
        for face in faces:
            furnish(face, walls, doors, rng)
        return Street(walls + [door(0.0) for door in doors], visits)

    def _building(self, rng: np.random.Generator) -> tuple[float, list[Obstacle], float, Array]:
        """Width [m] of a building, what stands in it, x of its door, and a way (n, 2) from there around and back."""
        config = self.config
        while True:
            world = load_world(f"building:{rng.integers(1, 100_000)}")
            if world.size[1] > config.apart - config.wide - 1.0 or world.size[0] > config.longest:
                continue
            space = FreeSpace(world)
            square = config.square
            squares = [((i + 0.5) * square, (j + 0.5) * square) for i, j in sorted(space.cells(square))]
            doors = [(x, y) for x, y in squares if y < 0.8 and config.door < x < world.size[0] - config.door]
            if not doors:
                continue
            door = doors[int(rng.integers(len(doors)))]
            spots = [door, *(tuple(space.sample_pose(rng)[:2]) for _ in range(config.spots)), door]
            ways = [space.path(a, b) for a, b in zip(spots[:-1], spots[1:], strict=True)]
            if all(len(way) > 1 for way in ways):
                inside = np.concatenate([[door], *ways, [door]])
                return world.size[0], self._opened(Doors(world, 0.18, 0.25).seen.obstacles, door[0]), door[0], inside

    def _opened(self, obstacles: list[Obstacle], x: float) -> list[Obstacle]:
        """Without what stands in the way from the corridor through a door at `x` [m]."""
        kept, left, right = [], x - self.config.door / 2, x + self.config.door / 2
        for o in obstacles:
            low, high = o.center[0] - o.half[0], o.center[0] + o.half[0]
            if o.center[1] > 0.1 or high < left or low > right:
                kept.append(o)
                continue
            kept += [_wall(a, b, -o.half[1], o.half[1]) for a, b in ((low, left), (right, high)) if b > a]
        return kept

    def _plan_of(self, i: int, j: int) -> FloorPlan:
        block, seen, apart = self.config.block, self.config.seen, self.config.apart
        middle = (np.array([i, j]) + 0.5) * block
        first = int(np.floor((middle[1] - block / 2 - seen) / apart)) - 1
        last = int(np.floor((middle[1] + block / 2 + seen) / apart)) + 1
        streets = [self.street(number) for number in range(max(0, first), last + 1)]
        return FloorPlan(near([o for street in streets for o in street.obstacles], middle, seen + 0.71 * block))


def near(obstacles: list[Obstacle], middle: Array, reach: float) -> list[Obstacle]:
    """Those of which some part may be within `reach` [m] of a point (2,)."""
    return [o for o in obstacles if math.dist(o.center, middle) - math.hypot(*o.half) < reach]


def along(corners: Array, step: float, most: float = math.inf) -> Array:
    """Poses (n, 3), `step` apart, along straight lines between `corners` (k, 2), over `most` [m] of way."""
    way = np.append(0.0, np.cumsum(np.hypot(*np.diff(corners, axis=0).T)))
    at = np.arange(0.0, min(most, way[-1]), step)
    spots = np.column_stack([np.interp(at, way, corners[:, k]) for k in (0, 1)])
    ahead = np.diff(spots, axis=0, append=2 * spots[-1:] - spots[-2:-1])
    return np.column_stack([spots, np.arctan2(ahead[:, 1], ahead[:, 0])])
