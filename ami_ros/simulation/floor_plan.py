"""What is solid in a world, seen from above: its obstacles, rays and clearances among them, and doors that open and
close."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.simulation.world import BLIND, HEADROOM, Door, Point, Surface, Wall, World

# The geometry of a world on its floor plan: pieces of walls between doors, and the obstacles they make.

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


# Distances on the floor plan: rays and clearances against the obstacles' footprints, all at once in NumPy.

TURN = 2 * np.pi
GLASS = float(np.cos(np.radians(25.0)))  # what falls on glass farther from its normal passes, or is thrown elsewhere
BLACK = 2.5  # from farther away nothing comes back from black [m]
FEW = 4  # points for which all obstacles at once cost less than one after the other


class FloorPlan:
    """The footprints of `obstacles`: exact for a scan if they are those at its height."""

    def __init__(self, obstacles: Sequence[Obstacle]) -> None:
        boxes = [o for o in obstacles if o.shape == "box"]
        circles = [o for o in obstacles if o.shape == "cylinder"]
        self.obstacles = [*boxes, *circles]
        self._odd = any(o.surface != "plain" for o in obstacles)
        self._box_reach = np.hypot(*np.array([o.half for o in boxes]).reshape(-1, 2).T)
        self._box_center = np.array([o.center for o in boxes]).reshape(-1, 2)
        self._box_half = np.array([o.half for o in boxes]).reshape(-1, 2)
        self._box_cos = np.cos([o.yaw for o in boxes])
        self._box_sin = np.sin([o.yaw for o in boxes])
        self._circle_center = np.array([o.center for o in circles]).reshape(-1, 2)
        self._circle_radius = np.array([o.half[0] for o in circles])

    def cast(self, origin: ArrayLike, angles: ArrayLike) -> Array:
        """Distance (n,) [m] from `origin` (2,) to the first obstacle in each direction of `angles` (n,), or inf."""
        o, a = np.asarray(origin, dtype=np.float64), np.asarray(angles, dtype=np.float64)
        direction = np.stack([np.cos(a), np.sin(a)], axis=-1)  # (n, 2)
        return np.minimum(self._cast_boxes(o, direction, a), self._cast_circles(o, direction))

    def returned(self, origin: ArrayLike, angles: ArrayLike) -> Array:
        """As `cast`, of what a laser gets back: from glass where it is met straight, from black what is near."""
        if not self._odd:
            return self.cast(origin, angles)
        o, a = np.asarray(origin, dtype=np.float64), np.asarray(angles, dtype=np.float64)
        plain, glass, black = self._by_surface
        direction = np.stack([np.cos(a), np.sin(a)], axis=-1)
        hit = np.minimum(plain.cast(o, a), glass._cast_boxes(o, direction, a, GLASS))
        dark = black.cast(o, a)
        return np.where(dark < hit, np.where(dark <= BLACK, dark, np.inf), hit)

    @cached_property
    def _by_surface(self) -> tuple[FloorPlan, FloorPlan, FloorPlan]:
        plain, glass, black = (
            FloorPlan([replace(o, surface="plain") for o in self.obstacles if o.surface == surface])
            for surface in ("plain", "glass", "black")
        )
        return plain, glass, black

    def _cast_boxes(self, origin: Array, direction: Array, angles: Array, straight: float = 0.0) -> Array:
        """Slab test in the frame of each box, of the rays that may meet it at no less than cosine `straight`."""
        offset = self._box_center - origin
        ray, box = self._pairs(offset, angles)
        p, d = self._into_boxes(-offset), direction[ray]
        c, s = self._box_cos[box], self._box_sin[box]
        d = np.stack([c * d[:, 0] + s * d[:, 1], c * d[:, 1] - s * d[:, 0]], axis=-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse = 1.0 / np.where(d == 0.0, 1e-300, d)
            middle, reach = -p[box] * inverse, np.abs(inverse) * self._box_half[box]
        enter, leave = (middle - reach).max(axis=-1), (middle + reach).min(axis=-1)
        hit = (leave >= enter) & (leave > 0.0)
        if straight:
            hit &= np.abs(d[np.arange(len(box)), self._box_half.argmin(axis=1)[box]]) >= straight
        nearest = np.full(len(angles), np.inf)
        np.minimum.at(nearest, ray[hit], np.maximum(enter[hit], 0.0))
        return nearest

    def _pairs(self, offset: Array, angles: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rays and boxes (k,) that may meet: the ray points into the circle around the box. `offset`: (b, 2) [m]."""
        order = np.argsort(angles % TURN)
        sorted_angles = (angles % TURN)[order]
        distance = np.hypot(offset[:, 0], offset[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.where(distance > self._box_reach, np.arcsin(np.minimum(self._box_reach / distance, 1.0)), np.pi)
        low = (np.arctan2(offset[:, 1], offset[:, 0]) - half - 1e-6) % TURN
        first = np.searchsorted(sorted_angles, low)
        high = low + np.minimum(2 * half + 2e-6, TURN)
        twice = np.concatenate([sorted_angles, sorted_angles + TURN])
        count = np.minimum(np.searchsorted(twice, high, side="right") - first, len(angles))
        box = np.repeat(np.arange(len(offset)), count)
        within = np.arange(len(box)) - np.repeat(np.cumsum(count) - count, count)
        return order[(first[box] + within) % max(len(angles), 1)], box

    def _cast_circles(self, origin: Array, direction: Array) -> Array:
        to_center = self._circle_center - origin  # (c, 2)
        along = direction @ to_center.T  # (n, c)
        square = self._circle_radius**2 - ((to_center**2).sum(axis=-1) - along**2)
        half_chord = np.sqrt(np.maximum(square, 0.0))
        hit = (square >= 0.0) & (along + half_chord > 0.0)
        return np.where(hit, np.maximum(along - half_chord, 0.0), np.inf).min(axis=1, initial=np.inf)

    def grid_clearance(self, xs: NDArray[Any], ys: NDArray[Any], most: float) -> Array:
        """As `clearance`, of the points of a grid (nx, ny) with rising `xs`, `ys`; more than `most` [m] may be inf."""
        nearest = np.full((len(xs), len(ys)), np.inf)
        for number, obstacle in enumerate(self.obstacles):
            reach, (x, y) = float(np.hypot(*obstacle.half)) + most, obstacle.center
            i = slice(*np.searchsorted(xs, (x - reach, x + reach)))
            j = slice(*np.searchsorted(ys, (y - reach, y + reach)))
            if i.start < i.stop and j.start < j.stop:
                window = np.stack(np.meshgrid(xs[i], ys[j], indexing="ij"), axis=-1).reshape(-1, 2)
                distance = self._distance(number, window).reshape(i.stop - i.start, -1)
                nearest[i, j] = np.minimum(nearest[i, j], distance)
        return nearest

    def _distance(self, number: int, points: Array) -> Array:
        """From `points` (n, 2) to one obstacle (n,) [m]; 0 inside it."""
        o = self.obstacles[number]
        x, y = points[:, 0] - o.center[0], points[:, 1] - o.center[1]
        if o.shape == "cylinder":
            return np.maximum(np.hypot(x, y) - o.half[0], 0.0)
        c, s = np.cos(o.yaw), np.sin(o.yaw)
        return np.hypot(
            np.maximum(np.abs(c * x + s * y) - o.half[0], 0.0), np.maximum(np.abs(c * y - s * x) - o.half[1], 0.0)
        )

    def clearance(self, points: ArrayLike) -> Array:
        """Distance (n,) [m] from each of `points` (n, 2) to the nearest obstacle; 0 inside one."""
        p = np.asarray(points, dtype=np.float64)
        if len(p) <= FEW:
            return self._clearance_of_few(p)
        nearest = np.full(len(p), np.inf)
        for center, half, c, s in zip(self._box_center, self._box_half, self._box_cos, self._box_sin, strict=True):
            x, y = p[:, 0] - center[0], p[:, 1] - center[1]
            dx = np.maximum(np.abs(c * x + s * y) - half[0], 0.0)
            dy = np.maximum(np.abs(c * y - s * x) - half[1], 0.0)
            nearest = np.minimum(nearest, np.hypot(dx, dy))
        for center, radius in zip(self._circle_center, self._circle_radius, strict=True):
            distance = np.hypot(p[:, 0] - center[0], p[:, 1] - center[1]) - radius
            nearest = np.minimum(nearest, np.maximum(distance, 0.0))
        return nearest

    def _clearance_of_few(self, p: Array) -> Array:
        local = self._into_boxes(p[:, None, :] - self._box_center)  # (n, b, 2)
        gap = np.maximum(np.abs(local) - self._box_half, 0.0)
        boxes = np.hypot(gap[..., 0], gap[..., 1]).min(axis=1, initial=np.inf)
        offset = p[:, None, :] - self._circle_center
        circles = np.maximum(np.hypot(offset[..., 0], offset[..., 1]) - self._circle_radius, 0.0)
        return np.minimum(boxes, circles.min(axis=1, initial=np.inf))

    def _into_boxes(self, v: Array) -> Array:
        """Vectors (..., b, 2) turned into each box's own frame."""
        x, y = v[..., 0], v[..., 1]
        turned = (self._box_cos * x + self._box_sin * y, self._box_cos * y - self._box_sin * x)
        return np.stack(turned, axis=-1)


# Which doors are open, and what is solid because of it.


class Doors:
    """The state of a world's doors, for a robot of `radius` [m].

    `plan` is the floor plan that goes with it, of what the robot can touch; `seen` that of what a scanner meets that
    sits at `height` [m]; `open` says name -> is open.
    """

    def __init__(self, world: World, radius: float, height: float = 0.0) -> None:
        self._world, self._radius, self._height = world, radius, height
        self.open = {door.name: door.open for door in world.doors}
        self._stand(obstacles_of(world, self.open))

    def _stand(self, obstacles: list[Obstacle]) -> None:
        self.plan, self.seen = FloorPlan(in_the_way(obstacles)), FloorPlan(at_height(obstacles, self._height))

    def set(self, name: str, is_open: bool, robot: Array) -> None:
        """Opens or closes door `name` with the robot at pose `robot` (3,).

        Raises AmiError for an unknown door, or one that would close on the robot.
        """
        if name not in self.open:
            known = ", ".join(self.open) or "none"
            raise AmiError(f"world '{self._world.name}' has no door '{name}': known are {known}")
        doors = {**self.open, name: is_open}
        obstacles = obstacles_of(self._world, doors)
        there = FloorPlan(in_the_way(obstacles)).clearance(robot[None, :2])[0]
        if there < min(self._radius, self.plan.clearance(robot[None, :2])[0]):
            raise AmiError(f"door '{name}' cannot {'open' if is_open else 'close'}: the robot stands in it")
        self.open = doors
        self._stand(obstacles)

    def checked_pose(self, pose: ArrayLike) -> Array:
        """`pose` as an array (3,). Raises AmiError unless the robot fits there, doors as they are."""
        checked = np.array(pose, dtype=np.float64)
        if checked.shape != (3,) or not np.isfinite(checked).all():
            raise AmiError(f"a pose is x, y, yaw in metres and radians, found {checked.tolist()}")
        x, y, _ = checked
        if not (0.0 <= x <= self._world.size[0] and 0.0 <= y <= self._world.size[1]):
            raise AmiError(f"({x:.2f}, {y:.2f}) lies outside world '{self._world.name}'")
        if self.plan.clearance(checked[None, :2])[0] < self._radius:
            raise AmiError(f"the robot does not fit at ({x:.2f}, {y:.2f}): something solid is within {self._radius} m")
        return checked
