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
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle

ROWS, PITCH = (3, 5), (38.0, 70.0)  # paths in each direction; [m] from one to the next
PATH = (4.0, 9.0)  # [m] across
KINDS, ODDS = ("building", "court", "lawn", "cars"), (0.45, 0.1, 0.25, 0.2)  # what is in a block, and how often
AVENUE, FENCE, HEDGE = 0.5, 0.15, 0.3  # probabilities of a side of a path
TREE, POST, TRUNK, LEAVES = (6.0, 11.0), (2.0, 4.0), (0.12, 0.4), (0.05, 0.2)  # [m] apart, radii
CAR = (2.1, 0.9)  # [m] half length and width
PARKED = (0.5, 0.85)  # share of bays that are taken; it is another car the second time
PEOPLE, PERSON = 12, 0.25
ASIDE, SWAY = 0.6, 0.04  # [m] beside the middle of a path, [rad]
TURN = 3.0  # [m] before a crossing from which the robot turns
BLOCK = 16.0  # [m] side of the squares that share a floor plan
HEIGHT = 0.4  # [m] of the laser
TILT, ROLLS = 0.012, 6.0  # [rad] standard deviation of pitch and of roll, [m] of way that they last


@dataclass(frozen=True)
class Yard:
    """Open ground on two days, and a way over it.

    Attributes:
        days: what stands there on each.
        route: (n, 3) of the robot; on the first day in its first half.
        tilts: (n, 2) [rad] pitch and roll there.
        farthest: [m] that a laser sees.
    """

    days: tuple[list[Obstacle], list[Obstacle]]
    route: Array
    tilts: Array
    farthest: float
    _plans: dict[tuple[int, int, int], FloorPlan] = field(default_factory=dict, repr=False)

    def plan(self, k: int) -> FloorPlan:
        """What a laser may meet at pose `k` of the route."""
        day = int(2 * k >= len(self.route))
        i, j = np.floor(self.route[k, :2] / BLOCK).astype(int).tolist()
        if (day, i, j) not in self._plans:
            middle, reach = (np.array([i, j]) + 0.5) * BLOCK, self.farthest + 0.71 * BLOCK
            near = [o for o in self.days[day] if math.dist(o.center, middle) - math.hypot(*o.half) < reach]
            self._plans[day, i, j] = FloorPlan(near)
        return self._plans[day, i, j]

    def ground(self, k: int) -> Callable[[Array], Array]:
        """Of directions (m,) [rad] of the robot, how far off (m,) [m] its laser, tilted, meets the ground there."""
        pitch, roll = self.tilts[k]

        def distances(angles: Array) -> Array:
            down = pitch * np.cos(angles) + roll * np.sin(angles)
            return np.where(down > 1e-4, HEIGHT / np.maximum(down, 1e-4), np.inf)

        return distances


def draw_yard(rng: np.random.Generator, length: float, step: float, farthest: float) -> Yard:
    """Another one each time, driven for `length` [m] with a pose each `step` [m]."""
    xs, ys = (np.cumsum(rng.uniform(*PITCH, rng.integers(ROWS[0], ROWS[1] + 1))) for _ in range(2))
    across = rng.uniform(*PATH, 2)
    things: list[Obstacle] = []
    bays: list[Obstacle] = []
    for x0, x1 in zip(np.append(xs[0] - 50.0, xs), np.append(xs, xs[-1] + 50.0), strict=True):
        for y0, y1 in zip(np.append(ys[0] - 50.0, ys), np.append(ys, ys[-1] + 50.0), strict=True):
            box = (x0 + across[0] / 2, y0 + across[1] / 2, x1 - across[0] / 2, y1 - across[1] / 2)
            _fill(box, things, bays, rng)
    share = rng.uniform(*PARKED)
    route = _route(xs, ys, min(across), length, step, rng)
    days = []
    for half in np.array_split(route, 2):
        cars = [car for car in bays if rng.random() < share]
        people = [
            Obstacle("person", "cylinder", (float(x), float(y)), 0.0, (PERSON, PERSON), 1.7)
            for x, y in half[rng.integers(len(half), size=PEOPLE), :2] + rng.normal(0.0, 2.0, (PEOPLE, 2))
        ]
        days.append([*things, *cars, *people])
    keep = math.exp(-step / ROLLS)
    tilts = np.zeros((len(route), 2))
    for k in range(1, len(route)):
        tilts[k] = keep * tilts[k - 1] + math.sqrt(1 - keep**2) * rng.normal(0.0, TILT, 2)
    return Yard((days[0], days[1]), route, tilts, farthest)


def _box(name: str, at: Array, half: tuple[float, float], yaw: float) -> Obstacle:
    return Obstacle(name, "box", (float(at[0]), float(at[1])), yaw, half, 2.0)


def _round(name: str, at: Array, radius: float) -> Obstacle:
    return Obstacle(name, "cylinder", (float(at[0]), float(at[1])), 0.0, (radius, radius), 2.0)


Box = tuple[float, float, float, float]  # x and y [m] of two corners


def _fill(box: Box, things: list[Obstacle], bays: list[Obstacle], rng: np.random.Generator) -> None:
    """What stands in a block, and along its sides."""
    x0, y0, x1, y1 = box
    kind = str(rng.choice(KINDS, p=ODDS))
    inset = rng.uniform(3.0, 9.0, 4)
    inner = (x0 + inset[0], y0 + inset[1], x1 - inset[2], y1 - inset[3])
    if kind in ("building", "court"):
        _building(inner, things, rng)
        if kind == "court":
            _open_up(inner, things)
    elif kind == "cars":
        _car_park(inner, bays, rng)
    else:
        for spot in rng.uniform(inner[:2], inner[2:], (rng.integers(3, 16), 2)):
            things.append(_round("tree", spot, rng.uniform(*TRUNK)))
        for spot in rng.uniform(inner[:2], inner[2:], (rng.integers(0, 5), 2)):
            _bush(spot, rng.uniform(0.8, 2.5), rng.uniform(0.8, 2.5), things, rng)
    for start, stop in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
        _side(np.array(start), np.array(stop), things, rng)


def _side(start: Array, stop: Array, things: list[Obstacle], rng: np.random.Generator) -> None:
    """Trees, a fence or a hedge along a path."""
    length, yaw = math.dist(start, stop), math.atan2(*(stop - start)[::-1])
    along, inwards = (stop - start) / length, np.array([-math.sin(yaw), math.cos(yaw)])
    if rng.random() < AVENUE:
        apart, radius, stray = rng.uniform(*TREE), rng.uniform(*TRUNK), rng.choice([0.05, 0.3])
        for at in np.arange(rng.uniform(1.0, apart), length - 1.0, apart):
            spot = start + at * along + 0.8 * inwards + rng.normal(0.0, stray, 2)
            things.append(_round("tree", spot, radius * rng.uniform(0.8, 1.25)))
    if rng.random() < FENCE:
        for at in np.arange(3.0, length - 3.0, rng.uniform(*POST)):
            things.append(_round("post", start + at * along + 1.6 * inwards, 0.05))
    elif rng.random() < HEDGE:
        a, b = np.sort(rng.uniform(2.0, length - 2.0, 2))
        wide, deep = ((b - a) / 2, 0.5) if abs(along[0]) > 0.5 else (0.5, (b - a) / 2)
        _bush(start + (a + b) / 2 * along + 1.8 * inwards, wide, deep, things, rng)


def _bush(at: Array, wide: float, deep: float, things: list[Obstacle], rng: np.random.Generator) -> None:
    """A rough face of leaves, as wide and deep as said, each to both sides [m]."""
    count = int(np.clip(7 * (wide + deep), 8, 150))
    t = rng.uniform(0.0, 2 * (wide + deep), count) - (wide + deep)
    on_x = np.abs(t) < wide
    px = np.where(on_x, t, np.sign(t) * wide)
    py = np.where(on_x, rng.choice([-deep, deep], count), (np.abs(t) - wide) * rng.choice([-1, 1], count))
    for spot in at + np.column_stack([px, py]) + rng.normal(0.0, 0.12, (count, 2)):
        things.append(_round("leaves", spot, rng.uniform(*LEAVES)))


def _building(box: Box, things: list[Obstacle], rng: np.random.Generator) -> None:
    """Walls with windows, entrances and columns that repeat along a front."""
    x0, y0, x1, y1 = box
    if rng.random() < 0.6:  # a wing of the block
        share = rng.uniform(0.35, 0.7)
        if rng.random() < 0.5:
            x1 = x0 + share * (x1 - x0)
        else:
            y1 = y0 + share * (y1 - y0)
    for (ax, ay), (bx, by) in (((x0, y0), (x1, y0)), ((x1, y0), (x1, y1)), ((x1, y1), (x0, y1)), ((x0, y1), (x0, y0))):
        _front(np.array([ax, ay]), np.array([bx, by]), things, rng)


def _front(start: Array, stop: Array, things: list[Obstacle], rng: np.random.Generator) -> None:
    length = math.dist(start, stop)
    along = (stop - start) / length
    yaw, inwards = math.atan2(along[1], along[0]), np.array([-along[1], along[0]])
    period, deep, wide = rng.uniform(2.4, 7.0), float(rng.choice([0.0, 0.1, 0.25, 0.5])), rng.uniform(1.0, 2.2)
    column = rng.random() < 0.2
    at = 0.0
    while at < length:
        end = min(at + period, length)
        solid = min(end, at + max(0.4, period - wide))
        entrance = rng.random() < 0.08
        pieces = [(at, solid, 0.0), (solid, end, 2.0 if entrance else deep)]
        for a, b, back in pieces:
            if b - a > 0.05:
                middle = start + (a + b) / 2 * along + (back + 0.15) * inwards
                things.append(_box("wall", middle, ((b - a) / 2, 0.15), yaw))
        if column:
            things.append(_round("column", start + at * along - 1.2 * inwards, 0.2))
        if rng.random() < 0.06:  # steps, a bin, bicycles
            spot = start + (at + 1.0) * along - 0.7 * inwards
            things.append(_box("stand", spot, (rng.uniform(0.3, 1.5), rng.uniform(0.2, 0.5)), yaw))
        at = end


def _open_up(box: Box, things: list[Obstacle]) -> None:
    """A way through the middle of a block into its court."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    things[:] = [o for o in things if not (abs(o.center[0] - x) < 3.0 and box[1] - 2 < o.center[1] < box[3] + 2)]
    things.append(_round("well", np.array([x + 5.0, y]), 1.2))


def _car_park(box: Box, bays: list[Obstacle], rng: np.random.Generator) -> None:
    """Bays in rows."""
    x0, y0, x1, y1 = box
    for y in np.arange(y0 + 3.0, y1 - 3.0, 8.5):
        for x in np.arange(x0 + 1.5, x1 - 1.5, 2.5):
            spot = rng.normal([x, y], [0.12, 0.25])
            bays.append(_box("car", spot, CAR, math.pi / 2 + rng.normal(0.0, 0.03)))


def _back(corners: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """To the first corner from the last, first along x."""
    return [spot for spot in ((corners[0][0], corners[-1][1]), corners[0]) if spot != corners[-1]]


def _route(xs: Array, ys: Array, across: float, length: float, step: float, rng: np.random.Generator) -> Array:
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
    corners += corners[-2::-1] if rng.random() < 0.5 else [*_back(corners), *corners[1:]]
    points = []
    for a, b in ((np.array(a), np.array(b)) for a, b in pairwise(corners) if a != b):
        along = (b - a) / math.dist(a, b)
        aside = float(np.clip(rng.normal(0.0, ASIDE), -across / 3, across / 3)) * np.array([-along[1], along[0]])
        points += [a + TURN * along + aside, b - TURN * along + aside]
    spots = np.array(points)
    driven = np.append(0.0, np.cumsum(np.hypot(*np.diff(spots, axis=0).T)))
    at_way = np.arange(0.0, min(length, driven[-1]), step)
    found = np.column_stack([np.interp(at_way, driven, spots[:, k]) for k in (0, 1)])
    ahead = np.diff(found, axis=0, append=2 * found[-1:] - found[-2:-1])
    return np.column_stack([found, np.arctan2(ahead[:, 1], ahead[:, 0]) + rng.normal(0.0, SWAY, len(found))])
