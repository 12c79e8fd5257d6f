"""Long corridors whose doors are alike, driven twice: where scans are hardest to tell apart.

Buildings that are drawn are too full of different things for that: there the share of points that agree tells rooms
apart. Between both times some doors are opened and people stand about.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.layout import Obstacle

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
