"""The geometry of a world on its floor plan: pieces of walls between doors, and the obstacles they make."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ami_ros.geometry import Array
from ami_ros.simulation.world import BLIND, HEADROOM, Door, Point, Surface, Wall, World

ON_WALL = 0.01  # a door's ends may lie this far off the wall's middle line [m]
LEAF = 0.04  # thickness of a door's leaf [m]


@dataclass(frozen=True)
class Strip:
    """A stretch of wall along its middle line, from `start` to `end`, of `thickness` and `height` [m]."""

    start: Point
    end: Point
    thickness: float
    height: float

    @property
    def length(self) -> float:
        """[m]"""
        return float(np.hypot(self.end[0] - self.start[0], self.end[1] - self.start[1]))

    @property
    def yaw(self) -> float:
        """Direction from start to end [rad]."""
        return float(np.arctan2(self.end[1] - self.start[1], self.end[0] - self.start[0]))

    @property
    def center(self) -> Point:
        """[m]"""
        return (self.start[0] + self.end[0]) / 2, (self.start[1] + self.end[1]) / 2


@dataclass(frozen=True)
class Obstacle:
    """The footprint of a solid thing. `half`: half length and width [m]; a circle has its radius twice."""

    name: str
    shape: Literal["box", "cylinder"]
    center: Point
    yaw: float
    half: tuple[float, float]
    height: float  # of its top [m]
    base: float = 0.0  # of its underside [m]
    surface: Surface = "plain"


def along_wall(wall: Wall, point: Point) -> tuple[float, float]:
    """Where `point` lies seen from the wall's start: metres along it, and metres to its left."""
    start, end, p = np.array(wall.start), np.array(wall.end), np.array(point)
    direction = (end - start) / np.linalg.norm(end - start)
    offset = p - start
    return float(offset @ direction), float(direction[0] * offset[1] - direction[1] * offset[0])


def point_on_wall(wall: Wall, along: float) -> Point:
    """The point of the middle line `along` metres from the wall's start."""
    start, end = np.array(wall.start), np.array(wall.end)
    point = start + (end - start) / np.linalg.norm(end - start) * along
    return float(point[0]), float(point[1])


def wall_length(wall: Wall) -> float:
    """[m]"""
    return float(np.hypot(wall.end[0] - wall.start[0], wall.end[1] - wall.start[1]))


def wall_of_door(world: World, door: Door) -> Wall | None:
    """The wall that `door` is a gap of, None if it lies in no wall."""
    for wall in world.walls:
        if not (_near(wall, door.start) and _near(wall, door.end)):
            continue
        (a, off_a), (b, off_b) = along_wall(wall, door.start), along_wall(wall, door.end)
        inside = min(a, b) >= -ON_WALL and max(a, b) <= wall_length(wall) + ON_WALL
        if inside and abs(off_a) <= ON_WALL and abs(off_b) <= ON_WALL:
            return wall
    return None


def _near(wall: Wall, point: Point) -> bool:
    """Whether `point` may lie on `wall`: it does not lie far from its bounding box."""
    (x, y), (ax, ay), (bx, by) = point, wall.start, wall.end
    most = 2 * ON_WALL
    return min(ax, bx) - most <= x <= max(ax, bx) + most and min(ay, by) - most <= y <= max(ay, by) + most


def doors_of(world: World, wall: Wall) -> list[Door]:
    """The doors that are gaps of `wall`."""
    return [
        door for door in world.doors if _near(wall, door.start) and _near(wall, door.end)
        if wall_of_door(world, door) is wall
    ]  # fmt: skip


def wall_pieces(world: World, wall: Wall) -> list[tuple[float, float]]:
    """What the doors leave of `wall`: intervals along it [m], in order."""
    gaps = sorted(
        sorted((along_wall(wall, door.start)[0], along_wall(wall, door.end)[0])) for door in doors_of(world, wall)
    )
    edges = [0.0, *(edge for gap in gaps for edge in gap), wall_length(wall)]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > ON_WALL]


def solid_strips(world: World) -> list[Strip]:
    """The walls as bodies: pieces in one line that touch are one (no seams to catch on), and corners are filled."""
    door_ends = [end for door in world.doors for end in (door.start, door.end)]
    strips: list[Strip] = []
    for wall in world.walls:
        for a, b in wall_pieces(world, wall):
            strip = Strip(point_on_wall(wall, a), point_on_wall(wall, b), wall.thickness, wall.height)
            strips = _joined(strips, strip)
    return [_with_filled_corners(strip, door_ends) for strip in strips]


def _joined(strips: list[Strip], new: Strip) -> list[Strip]:
    """`strips` and `new`, which swallows those that go on from it in its own line."""
    rest = []
    for strip in strips:
        parallel = abs(np.sin(strip.yaw - new.yaw)) < 1e-6
        same = strip.thickness == new.thickness and strip.height == new.height
        if parallel and same and any(_close(p, q) for p in (strip.start, strip.end) for q in (new.start, new.end)):
            direction = np.array([np.cos(new.yaw), np.sin(new.yaw)])
            ends = sorted((strip.start, strip.end, new.start, new.end), key=lambda p: float(np.dot(p, direction)))
            new = Strip(ends[0], ends[-1], new.thickness, new.height)
        else:
            rest.append(strip)
    return [*rest, new]


def _with_filled_corners(strip: Strip, door_ends: list[Point]) -> Strip:
    reach = strip.thickness / 2 * np.array([np.cos(strip.yaw), np.sin(strip.yaw)])
    start, end = np.array(strip.start), np.array(strip.end)
    if not any(_close(strip.start, p) for p in door_ends):
        start = start - reach
    if not any(_close(strip.end, p) for p in door_ends):
        end = end + reach
    return Strip((float(start[0]), float(start[1])), (float(end[0]), float(end[1])), strip.thickness, strip.height)


def _close(p: Point, q: Point) -> bool:
    return abs(p[0] - q[0]) <= ON_WALL and abs(p[1] - q[1]) <= ON_WALL


def fixed_obstacles(world: World) -> list[Obstacle]:
    """Everything solid but the doors: walls, then furniture."""
    walls = [
        Obstacle(f"wall_{i}", "box", s.center, s.yaw, (s.length / 2, s.thickness / 2), s.height)
        for i, s in enumerate(solid_strips(world))
    ]
    furniture = [
        Obstacle(
            f.name, f.shape, f.position, f.yaw, (f.size[0] / 2, f.size[1] / 2), f.base + f.size[2], f.base, f.surface
        )
        for f in world.furniture
    ]  # fmt: skip
    return walls + furniture


def door_obstacle(world: World, door: Door) -> Obstacle:
    """The panel that fills the gap while `door` is closed, a little thinner than its wall."""
    wall = wall_of_door(world, door)
    assert wall is not None, f"door '{door.name}' was not checked"
    strip = Strip(door.start, door.end, wall.thickness * 0.6, door.height or wall.height)
    return Obstacle(door.name, "box", strip.center, strip.yaw, (strip.length / 2, strip.thickness / 2), strip.height)


def leaf_obstacle(world: World, door: Door) -> Obstacle | None:
    """The leaf of `door` as it stands while the door is open, if it has one."""
    if door.leaf is None:
        return None
    wall = wall_of_door(world, door)
    assert wall is not None, f"door '{door.name}' was not checked"
    start, end = np.array(door.start), np.array(door.end)
    yaw = float(np.arctan2(*(end - start)[::-1]) + door.leaf)
    half = float(np.linalg.norm(end - start)) / 2
    center = start + half * np.array([np.cos(yaw), np.sin(yaw)])
    height = door.height or wall.height
    return Obstacle(door.name, "box", (float(center[0]), float(center[1])), yaw, (half, LEAF / 2), height)


def obstacles_of(world: World, open_doors: dict[str, bool]) -> list[Obstacle]:
    """Everything solid while the doors stand as in `open_doors` (name -> open; those not named as in the file)."""
    closed = [door for door in world.doors if not open_doors.get(door.name, door.open)]
    leaves = [leaf_obstacle(world, door) for door in world.doors if door not in closed]
    return (
        fixed_obstacles(world)
        + [leaf for leaf in leaves if leaf is not None]
        + [door_obstacle(world, door) for door in closed]
    )


def in_the_way(obstacles: Iterable[Obstacle]) -> list[Obstacle]:
    """Those that a robot can touch: they do not hang above it."""
    return [obstacle for obstacle in obstacles if obstacle.base < HEADROOM]


def at_height(obstacles: Iterable[Obstacle], height: float) -> list[Obstacle]:
    """Those that a level plane meets at `height` [m], BLIND at the lowest."""
    level = max(height, BLIND)
    return [obstacle for obstacle in obstacles if obstacle.base <= level < obstacle.height]


def corners(obstacle: Obstacle) -> Array:
    """The corners (4, 2) of a box's footprint [m], counter-clockwise."""
    c, s = np.cos(obstacle.yaw), np.sin(obstacle.yaw)
    local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * obstacle.half
    return np.asarray(local @ np.array([[c, s], [-s, c]]) + obstacle.center)
