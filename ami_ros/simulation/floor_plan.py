"""What is solid in a world, seen from above: its obstacles, rays and clearances among them, and doors that open."""

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

ON_WALL = 0.01  # a door's ends may lie this far off the wall's middle line [m]
LEAF = 0.04  # thickness of a door's leaf [m]


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


def disc(name: str, center: Sequence[float] | Array, radius: float, height: float) -> Obstacle:
    """A round one."""
    return Obstacle(name, "cylinder", (float(center[0]), float(center[1])), 0.0, (radius, radius), height)


def outline(obstacle: Obstacle, sides: int = 32) -> Array:
    """The corners (n, 2) of a footprint [m], counter-clockwise: the four of a box, `sides` on a circle."""
    if obstacle.shape == "box":
        c, s = np.cos(obstacle.yaw), np.sin(obstacle.yaw)
        local = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * obstacle.half
        return np.asarray(local @ np.array([[c, s], [-s, c]]) + obstacle.center)
    angles = np.linspace(0.0, 2 * np.pi, sides, endpoint=False)
    return np.asarray(obstacle.half[0] * np.stack([np.cos(angles), np.sin(angles)], axis=-1) + obstacle.center)


# Walls and the doors in them


def wall_length(wall: Wall) -> float:
    """[m]"""
    return float(np.hypot(wall.end[0] - wall.start[0], wall.end[1] - wall.start[1]))


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


def wall_normal(wall: Wall, side: str) -> Array:
    """The direction (2,) in which its "left" or "right" side looks."""
    direction = np.subtract(wall.end, wall.start) / wall_length(wall)
    return np.array([-direction[1], direction[0]]) * (1 if side == "left" else -1)


def door_span(wall: Wall, door: Door) -> tuple[float, float]:
    """From where to where along `wall` a door is [m]."""
    a, b = sorted((along_wall(wall, door.start)[0], along_wall(wall, door.end)[0]))
    return a, b


def _near(wall: Wall, door: Door) -> bool:
    """Whether a door may lie on `wall`: its ends do not lie far from the wall's bounding box."""
    (ax, ay), (bx, by), most = wall.start, wall.end, 2 * ON_WALL
    low, high = (min(ax, bx) - most, min(ay, by) - most), (max(ax, bx) + most, max(ay, by) + most)
    return all(low[i] <= end[i] <= high[i] for end in (door.start, door.end) for i in (0, 1))


def wall_of_door(world: World, door: Door) -> Wall | None:
    """The wall that `door` is a gap of, None if it lies in no wall."""
    for wall in world.walls:
        if _near(wall, door):
            (a, off_a), (b, off_b) = along_wall(wall, door.start), along_wall(wall, door.end)
            inside = min(a, b) >= -ON_WALL and max(a, b) <= wall_length(wall) + ON_WALL
            if inside and abs(off_a) <= ON_WALL and abs(off_b) <= ON_WALL:
                return wall
    return None


def door_frame(world: World, door: Door) -> tuple[Wall, float]:
    """The wall of a door that was checked, and the door's height [m]."""
    wall = wall_of_door(world, door)
    assert wall is not None, f"door '{door.name}' was not checked"
    return wall, door.height or wall.height


def doors_of(world: World, wall: Wall) -> list[Door]:
    """The doors that are gaps of `wall`."""
    return [door for door in world.doors if _near(wall, door) and wall_of_door(world, door) is wall]


def wall_pieces(world: World, wall: Wall) -> list[tuple[float, float]]:
    """What the doors leave of `wall`: intervals along it [m], in order."""
    gaps = sorted(door_span(wall, door) for door in doors_of(world, wall))
    edges = [0.0, *(edge for gap in gaps for edge in gap), wall_length(wall)]
    return [(a, b) for a, b in zip(edges[::2], edges[1::2], strict=True) if b - a > ON_WALL]


def _close(p: Point, q: Point) -> bool:
    return abs(p[0] - q[0]) <= ON_WALL and abs(p[1] - q[1]) <= ON_WALL


def _beam(name: str, start: Point, end: Point, thickness: float, height: float) -> Obstacle:
    dx, dy = end[0] - start[0], end[1] - start[1]
    half = float(np.hypot(dx, dy)) / 2, thickness / 2
    center = (start[0] + end[0]) / 2, (start[1] + end[1]) / 2
    return Obstacle(name, "box", center, float(np.arctan2(dy, dx)), half, height)


def _joined(strips: list[Wall], new: Wall) -> list[Wall]:
    """`strips` and `new`, which swallows those that go on from it in its own line."""
    rest = []
    for strip in strips:
        yaw, own = (float(np.arctan2(w.end[1] - w.start[1], w.end[0] - w.start[0])) for w in (strip, new))
        same = strip.thickness == new.thickness and strip.height == new.height and abs(np.sin(yaw - own)) < 1e-6
        if same and any(_close(p, q) for p in (strip.start, strip.end) for q in (new.start, new.end)):
            along = np.array([np.cos(own), np.sin(own)])
            ends = sorted((strip.start, strip.end, new.start, new.end), key=lambda p: float(np.dot(p, along)))
            new = replace(new, start=ends[0], end=ends[-1])
        else:
            rest.append(strip)
    return [*rest, new]


def wall_obstacles(world: World) -> list[Obstacle]:
    """The walls as bodies: pieces in one line that touch are one (no seams to catch on), and corners are filled."""
    door_ends = [end for door in world.doors for end in (door.start, door.end)]
    strips: list[Wall] = []
    for wall in world.walls:
        for a, b in wall_pieces(world, wall):
            strips = _joined(strips, replace(wall, start=point_on_wall(wall, a), end=point_on_wall(wall, b)))
    found = []
    for i, strip in enumerate(strips):
        start, end = np.array(strip.start), np.array(strip.end)
        yaw = float(np.arctan2(end[1] - start[1], end[0] - start[0]))
        reach = strip.thickness / 2 * np.array([np.cos(yaw), np.sin(yaw)])
        if not any(_close(strip.start, p) for p in door_ends):
            start = start - reach
        if not any(_close(strip.end, p) for p in door_ends):
            end = end + reach
        found.append(_beam(f"wall_{i}", tuple(start.tolist()), tuple(end.tolist()), strip.thickness, strip.height))
    return found


# Obstacles


def fixed_obstacles(world: World) -> list[Obstacle]:
    """Everything solid but the doors: walls, then furniture."""
    return wall_obstacles(world) + [
        Obstacle(
            f.name, f.shape, f.position, f.yaw, (f.size[0] / 2, f.size[1] / 2), f.base + f.size[2], f.base, f.surface
        )
        for f in world.furniture
    ]


def door_obstacle(world: World, door: Door) -> Obstacle:
    """The panel that fills the gap while `door` is closed, a little thinner than its wall."""
    wall, height = door_frame(world, door)
    return _beam(door.name, door.start, door.end, wall.thickness * 0.6, height)


def leaf_obstacle(world: World, door: Door) -> Obstacle | None:
    """The leaf of `door` as it stands while the door is open, if it has one."""
    if door.leaf is None:
        return None
    _, height = door_frame(world, door)
    start, end = np.array(door.start), np.array(door.end)
    yaw = float(np.arctan2(*(end - start)[::-1]) + door.leaf)
    half = float(np.linalg.norm(end - start)) / 2
    center = start + half * np.array([np.cos(yaw), np.sin(yaw)])
    return Obstacle(door.name, "box", (float(center[0]), float(center[1])), yaw, (half, LEAF / 2), height)


def obstacles_of(world: World, open_doors: dict[str, bool]) -> list[Obstacle]:
    """Everything solid while the doors stand as in `open_doors` (name -> open; those not named as in the file)."""
    closed = [door for door in world.doors if not open_doors.get(door.name, door.open)]
    leaves = [leaf_obstacle(world, door) for door in world.doors if door not in closed]
    panels = [door_obstacle(world, door) for door in closed]
    return fixed_obstacles(world) + [leaf for leaf in leaves if leaf is not None] + panels


def in_the_way(obstacles: Iterable[Obstacle]) -> list[Obstacle]:
    """Those that a robot can touch: they do not hang above it."""
    return [obstacle for obstacle in obstacles if obstacle.base < HEADROOM]


def at_height(obstacles: Iterable[Obstacle], height: float) -> list[Obstacle]:
    """Those that a level plane meets at `height` [m], BLIND at the lowest."""
    level = max(height, BLIND)
    return [obstacle for obstacle in obstacles if obstacle.base <= level < obstacle.height]


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
        # What falls on glass farther than 25 degrees from its normal passes, or is thrown elsewhere.
        hit = np.minimum(plain.cast(o, a), glass._cast_boxes(o, direction, a, float(np.cos(np.radians(25.0)))))
        dark = black.cast(o, a)
        return np.where(dark < hit, np.where(dark <= 2.5, dark, np.inf), hit)  # [m] farther nothing returns from black

    @cached_property
    def _by_surface(self) -> list[FloorPlan]:
        """Of what is plain, glass and black."""
        return [
            FloorPlan([replace(o, surface="plain") for o in self.obstacles if o.surface == surface])
            for surface in ("plain", "glass", "black")
        ]

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
        turn = 2 * np.pi
        order = np.argsort(angles % turn)
        sorted_angles = (angles % turn)[order]
        distance = np.hypot(offset[:, 0], offset[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            half = np.where(distance > self._box_reach, np.arcsin(np.minimum(self._box_reach / distance, 1.0)), np.pi)
        low = (np.arctan2(offset[:, 1], offset[:, 0]) - half - 1e-6) % turn
        first = np.searchsorted(sorted_angles, low)
        high = low + np.minimum(2 * half + 2e-6, turn)
        twice = np.concatenate([sorted_angles, sorted_angles + turn])
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
        for obstacle in self.obstacles:
            reach, (x, y) = float(np.hypot(*obstacle.half)) + most, obstacle.center
            i = slice(*np.searchsorted(xs, (x - reach, x + reach)))
            j = slice(*np.searchsorted(ys, (y - reach, y + reach)))
            if i.start < i.stop and j.start < j.stop:
                window = np.stack(np.meshgrid(xs[i], ys[j], indexing="ij"), axis=-1).reshape(-1, 2)
                distance = _distance(obstacle, window).reshape(i.stop - i.start, -1)
                nearest[i, j] = np.minimum(nearest[i, j], distance)
        return nearest

    def clearance(self, points: ArrayLike) -> Array:
        """Distance (n,) [m] from each of `points` (n, 2) to the nearest obstacle; 0 inside one."""
        p = np.asarray(points, dtype=np.float64)
        if len(p) > 4:  # for fewer, all obstacles at once cost less than one after the other
            nearest = np.full(len(p), np.inf)
            for obstacle in self.obstacles:
                nearest = np.minimum(nearest, _distance(obstacle, p))
            return nearest
        gap = np.maximum(np.abs(self._into_boxes(p[:, None, :] - self._box_center)) - self._box_half, 0.0)  # (n, b, 2)
        boxes = np.hypot(gap[..., 0], gap[..., 1]).min(axis=1, initial=np.inf)
        offset = p[:, None, :] - self._circle_center
        circles = np.maximum(np.hypot(offset[..., 0], offset[..., 1]) - self._circle_radius, 0.0)
        return np.minimum(boxes, circles.min(axis=1, initial=np.inf))

    def _into_boxes(self, v: Array) -> Array:
        """Vectors (..., b, 2) turned into each box's own frame."""
        x, y = v[..., 0], v[..., 1]
        turned = (self._box_cos * x + self._box_sin * y, self._box_cos * y - self._box_sin * x)
        return np.stack(turned, axis=-1)


def _distance(o: Obstacle, points: Array) -> Array:
    """From `points` (n, 2) to one obstacle (n,) [m]; 0 inside it."""
    x, y = points[:, 0] - o.center[0], points[:, 1] - o.center[1]
    if o.shape == "cylinder":
        return np.maximum(np.hypot(x, y) - o.half[0], 0.0)
    c, s = np.cos(o.yaw), np.sin(o.yaw)
    ahead, aside = np.abs(c * x + s * y) - o.half[0], np.abs(c * y - s * x) - o.half[1]
    return np.hypot(np.maximum(ahead, 0.0), np.maximum(aside, 0.0))


class Doors:
    """The state of a world's doors, for a robot of `radius` [m].

    `plan` is the floor plan that goes with it, of what the robot can touch; `seen` that of what a scanner meets that
    sits at `height` [m]; `open` says name -> is open.
    """

    def __init__(self, world: World, radius: float, height: float = 0.0) -> None:
        self._world, self._radius, self._height = world, radius, height
        self._stand({door.name: door.open for door in world.doors})

    def _stand(self, doors: dict[str, bool]) -> None:
        self.open, obstacles = doors, obstacles_of(self._world, doors)
        self.plan, self.seen = FloorPlan(in_the_way(obstacles)), FloorPlan(at_height(obstacles, self._height))

    def set(self, name: str, is_open: bool, robot: Array) -> None:
        """Opens or closes door `name` with the robot at pose `robot` (3,).

        Raises AmiError for an unknown door, or one that would close on the robot.
        """
        if name not in self.open:
            known = ", ".join(self.open) or "none"
            raise AmiError(f"world '{self._world.name}' has no door '{name}': known are {known}")
        doors, here = {**self.open, name: is_open}, robot[None, :2]
        there = FloorPlan(in_the_way(obstacles_of(self._world, doors))).clearance(here)[0]
        if there < min(self._radius, self.plan.clearance(here)[0]):
            raise AmiError(f"door '{name}' cannot {'open' if is_open else 'close'}: the robot stands in it")
        self._stand(doors)

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
