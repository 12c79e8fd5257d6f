"""Drawn open ground: buildings, lawns, car parks and paths, on which a laser gets few, far and curved returns.

Paths cross at right angles and leave blocks between them. What stands in a block repeats, as it does outdoors: windows
and columns of a front, trees of an avenue, cars of a row, posts of a fence.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.simulation.corridors import along, near
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle, disc

Range = tuple[float, float]
Box = tuple[float, float, float, float]  # x and y [m] of two corners


@dataclass(frozen=True)
class YardRanges:
    """What open ground, and a drive over it, are drawn from."""

    rows: tuple[int, int] = (3, 5)  # paths in each direction
    pitch: Range = (38.0, 70.0)  # from one to the next [m]
    path: Range = (4.0, 9.0)  # across [m]
    kinds: tuple[str, ...] = ("building", "court", "lawn", "cars")  # what is in a block ...
    odds: tuple[float, ...] = (0.45, 0.1, 0.25, 0.2)  # ... and how often
    avenue: float = 0.5  # probability of one along a path
    fence: float = 0.15  # likewise
    hedge: float = 0.3  # likewise, where there is no fence
    tree: Range = (6.0, 11.0)  # from one to the next [m]
    post: Range = (2.0, 4.0)  # from one to the next [m]
    trunk: Range = (0.12, 0.4)  # radius [m]
    leaves: Range = (0.05, 0.2)  # radius [m]
    car: Range = (2.1, 0.9)  # half length and width [m]
    parked: Range = (0.5, 0.85)  # share of bays that are taken; it is another car the second time
    people: int = 12
    aside: float = 0.6  # standard deviation of a drive beside the middle of a path [m]
    sway: float = 0.04  # of its heading [rad]
    turn: float = 3.0  # before a crossing from which the robot turns [m]
    tilt: float = 0.012  # standard deviation of pitch and of roll [rad]
    rolls: float = 6.0  # of way that they last [m]


@dataclass(frozen=True)
class Yard:
    """Open ground on two days, and a way over it.

    Attributes:
        days: what stands there on each.
        route: (n, 3) of the robot; on the first day in its first half.
        tilts: (n, 2) [rad] pitch and roll there.
        farthest: [m] that a laser sees.
        block: [m] side of the squares that share a floor plan.
    """

    days: tuple[list[Obstacle], list[Obstacle]]
    route: Array
    tilts: Array
    farthest: float
    block: float = 16.0
    _plans: dict[tuple[int, int, int], FloorPlan] = field(default_factory=dict, repr=False)

    def plan(self, k: int) -> FloorPlan:
        """What a laser may meet at pose `k` of the route."""
        day = int(2 * k >= len(self.route))
        i, j = np.floor(self.route[k, :2] / self.block).astype(int).tolist()
        if (day, i, j) not in self._plans:
            middle, reach = (np.array([i, j]) + 0.5) * self.block, self.farthest + 0.71 * self.block
            self._plans[day, i, j] = FloorPlan(near(self.days[day], middle, reach))
        return self._plans[day, i, j]

    def ground(self, k: int) -> Callable[[Array], Array]:
        """Of directions (m,) [rad] of the robot, how far off (m,) [m] its laser, tilted, meets the ground there."""
        pitch, roll = self.tilts[k]
        height = 0.4  # [m] of the laser

        def distances(angles: Array) -> Array:
            down = pitch * np.cos(angles) + roll * np.sin(angles)
            return np.where(down > 1e-4, height / np.maximum(down, 1e-4), np.inf)

        return distances


def draw_yard(rng: np.random.Generator, length: float, step: float, farthest: float) -> Yard:
    """Another one each time, driven for `length` [m] with a pose each `step` [m]."""
    draw = _Drawing(rng, YardRanges())
    ranges = draw.ranges
    few, many = ranges.rows
    xs, ys = (np.cumsum(rng.uniform(*ranges.pitch, rng.integers(few, many + 1))) for _ in range(2))
    across = rng.uniform(*ranges.path, 2)
    for x0, x1 in zip(np.append(xs[0] - 50.0, xs), np.append(xs, xs[-1] + 50.0), strict=True):
        for y0, y1 in zip(np.append(ys[0] - 50.0, ys), np.append(ys, ys[-1] + 50.0), strict=True):
            draw.fill((x0 + across[0] / 2, y0 + across[1] / 2, x1 - across[0] / 2, y1 - across[1] / 2))
    share = rng.uniform(*ranges.parked)
    route = _route(xs, ys, min(across), length, step, rng, ranges)
    days = []
    for half in np.array_split(route, 2):
        cars = [car for car in draw.bays if rng.random() < share]
        spots = half[rng.integers(len(half), size=ranges.people), :2] + rng.normal(0.0, 2.0, (ranges.people, 2))
        days.append([*draw.things, *cars, *(disc("person", spot, 0.25, 1.7) for spot in spots)])
    keep = math.exp(-step / ranges.rolls)
    tilts = np.zeros((len(route), 2))
    for k in range(1, len(route)):
        tilts[k] = keep * tilts[k - 1] + math.sqrt(1 - keep**2) * rng.normal(0.0, ranges.tilt, 2)
    return Yard((days[0], days[1]), route, tilts, farthest)


def _sides(box: Box) -> list[tuple[Array, Array]]:
    x0, y0, x1, y1 = box
    corners = [np.array(corner) for corner in ((x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0))]
    return list(pairwise(corners))


class _Drawing:
    """What stands about, as it is drawn: `things` that stay, and `bays` in which there may be cars."""

    def __init__(self, rng: np.random.Generator, ranges: YardRanges) -> None:
        self.rng, self.ranges = rng, ranges
        self.things: list[Obstacle] = []
        self.bays: list[Obstacle] = []

    def _round(self, name: str, at: Array, radius: float) -> None:
        self.things.append(disc(name, at, radius, 2.0))

    def fill(self, box: Box) -> None:
        """What stands in a block, and along its sides."""
        rng, ranges = self.rng, self.ranges
        x0, y0, x1, y1 = box
        kind = str(rng.choice(ranges.kinds, p=ranges.odds))
        inset = rng.uniform(3.0, 9.0, 4)
        inner = (x0 + inset[0], y0 + inset[1], x1 - inset[2], y1 - inset[3])
        if kind in ("building", "court"):
            self._building(inner)
            if kind == "court":  # a way through the middle of the block into it
                x, y = (inner[0] + inner[2]) / 2, (inner[1] + inner[3]) / 2
                low, high = inner[1] - 2, inner[3] + 2
                self.things = [o for o in self.things if not (abs(o.center[0] - x) < 3.0 and low < o.center[1] < high)]
                self._round("well", np.array([x + 5.0, y]), 1.2)
        elif kind == "cars":  # bays in rows
            for y in np.arange(inner[1] + 3.0, inner[3] - 3.0, 8.5):
                for x in np.arange(inner[0] + 1.5, inner[2] - 1.5, 2.5):
                    spot = rng.normal([x, y], [0.12, 0.25])
                    self.bays.append(_box("car", spot, ranges.car, math.pi / 2 + rng.normal(0.0, 0.03)))
        else:
            for spot in rng.uniform(inner[:2], inner[2:], (rng.integers(3, 16), 2)):
                self._round("tree", spot, rng.uniform(*ranges.trunk))
            for spot in rng.uniform(inner[:2], inner[2:], (rng.integers(0, 5), 2)):
                self._bush(spot, rng.uniform(0.8, 2.5), rng.uniform(0.8, 2.5))
        for start, stop in _sides(box):
            self._side(start, stop)

    def _side(self, start: Array, stop: Array) -> None:
        """Trees, a fence or a hedge along a path."""
        rng, ranges = self.rng, self.ranges
        length, yaw = math.dist(start, stop), math.atan2(*(stop - start)[::-1])
        ahead, inwards = (stop - start) / length, np.array([-math.sin(yaw), math.cos(yaw)])
        if rng.random() < ranges.avenue:
            apart, radius, stray = rng.uniform(*ranges.tree), rng.uniform(*ranges.trunk), rng.choice([0.05, 0.3])
            for at in np.arange(rng.uniform(1.0, apart), length - 1.0, apart):
                spot = start + at * ahead + 0.8 * inwards + rng.normal(0.0, stray, 2)
                self._round("tree", spot, radius * rng.uniform(0.8, 1.25))
        if rng.random() < ranges.fence:
            for at in np.arange(3.0, length - 3.0, rng.uniform(*ranges.post)):
                self._round("post", start + at * ahead + 1.6 * inwards, 0.05)
        elif rng.random() < ranges.hedge:
            a, b = np.sort(rng.uniform(2.0, length - 2.0, 2))
            wide, deep = ((b - a) / 2, 0.5) if abs(ahead[0]) > 0.5 else (0.5, (b - a) / 2)
            self._bush(start + (a + b) / 2 * ahead + 1.8 * inwards, wide, deep)

    def _bush(self, at: Array, wide: float, deep: float) -> None:
        """A rough face of leaves, as wide and deep as said, each to both sides [m]."""
        rng = self.rng
        count = int(np.clip(7 * (wide + deep), 8, 150))
        t = rng.uniform(0.0, 2 * (wide + deep), count) - (wide + deep)
        on_x = np.abs(t) < wide
        px = np.where(on_x, t, np.sign(t) * wide)
        py = np.where(on_x, rng.choice([-deep, deep], count), (np.abs(t) - wide) * rng.choice([-1, 1], count))
        for spot in at + np.column_stack([px, py]) + rng.normal(0.0, 0.12, (count, 2)):
            self._round("leaves", spot, rng.uniform(*self.ranges.leaves))

    def _building(self, box: Box) -> None:
        """Walls with windows, entrances and columns that repeat along a front."""
        x0, y0, x1, y1 = box
        if self.rng.random() < 0.6:  # a wing of the block
            share = self.rng.uniform(0.35, 0.7)
            if self.rng.random() < 0.5:
                x1 = x0 + share * (x1 - x0)
            else:
                y1 = y0 + share * (y1 - y0)
        for start, stop in _sides((x0, y0, x1, y1)):
            self._front(start, stop)

    def _front(self, start: Array, stop: Array) -> None:
        rng, length = self.rng, math.dist(start, stop)
        ahead = (stop - start) / length
        yaw, inwards = math.atan2(ahead[1], ahead[0]), np.array([-ahead[1], ahead[0]])
        period, deep, wide = rng.uniform(2.4, 7.0), float(rng.choice([0.0, 0.1, 0.25, 0.5])), rng.uniform(1.0, 2.2)
        column = rng.random() < 0.2
        at = 0.0
        while at < length:
            end = min(at + period, length)
            solid = min(end, at + max(0.4, period - wide))
            entrance = rng.random() < 0.08
            for a, b, back in ((at, solid, 0.0), (solid, end, 2.0 if entrance else deep)):
                if b - a > 0.05:
                    middle = start + (a + b) / 2 * ahead + (back + 0.15) * inwards
                    self.things.append(_box("wall", middle, ((b - a) / 2, 0.15), yaw))
            if column:
                self._round("column", start + at * ahead - 1.2 * inwards, 0.2)
            if rng.random() < 0.06:  # steps, a bin, bicycles
                spot = start + (at + 1.0) * ahead - 0.7 * inwards
                self.things.append(_box("stand", spot, (rng.uniform(0.3, 1.5), rng.uniform(0.2, 0.5)), yaw))
            at = end


def _box(name: str, at: Array, half: tuple[float, float], yaw: float) -> Obstacle:
    return Obstacle(name, "box", (float(at[0]), float(at[1])), yaw, half, 2.0)


def _route(
    xs: Array, ys: Array, across: float, length: float, step: float, rng: np.random.Generator, ranges: YardRanges
) -> Array:
    """Along paths from crossing to crossing, and the same way again or back."""
    at = [int(rng.integers(len(xs))), int(rng.integers(len(ys)))]
    corners, before, way = [(xs[at[0]], ys[at[1]])], (0, 0), 0.0
    while way < length / 2:
        moves = [(a, b) for a, b in ((1, 0), (-1, 0), (0, 1), (0, -1)) if (a, b) != (-before[0], -before[1])]
        moves = [(a, b) for a, b in moves if 0 <= at[0] + a < len(xs) and 0 <= at[1] + b < len(ys)]
        before = moves[int(rng.integers(len(moves)))]
        at = [at[0] + before[0], at[1] + before[1]]
        spot = (xs[at[0]], ys[at[1]])
        way += math.dist(corners[-1], spot)
        corners.append(spot)
    if rng.random() < 0.5:
        corners += corners[-2::-1]
    else:  # to the first corner, first along x, and on from there
        back = ((corners[0][0], corners[-1][1]), corners[0])
        corners += [*(spot for spot in back if spot != corners[-1]), *corners[1:]]
    points = []
    for a, b in ((np.array(a), np.array(b)) for a, b in pairwise(corners) if a != b):
        ahead = (b - a) / math.dist(a, b)
        aside = float(np.clip(rng.normal(0.0, ranges.aside), -across / 3, across / 3)) * np.array([-ahead[1], ahead[0]])
        points += [a + ranges.turn * ahead + aside, b - ranges.turn * ahead + aside]
    found = along(np.array(points), step, length)
    found[:, 2] += rng.normal(0.0, ranges.sway, len(found))
    return found
