"""Walls, doors and windows of a plan."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ami_ros.core.ranges import Draw
from ami_ros.simulation.buildings.kinds import Plan, Space, snap
from ami_ros.simulation.world import Door, Point, Poster, Wall

OUTSIDE = -1


@dataclass(frozen=True)
class Side:
    """A stretch of wall, from `start` to `end`, with room `left` on its left side and `right` on its right."""

    start: Point
    end: Point
    left: int
    right: int = OUTSIDE

    @property
    def length(self) -> float:
        return math.dist(self.start, self.end)

    def point(self, along: float) -> Point:
        """`along` metres from its start."""
        share = along / self.length
        (x0, y0), (x1, y1) = self.start, self.end
        return round(x0 + (x1 - x0) * share, 3), round(y0 + (y1 - y0) * share, 3)

    def holds(self, point: Point) -> bool:
        """Whether a point lies on it."""
        return abs(math.dist(self.start, point) + math.dist(point, self.end) - self.length) < 0.01


@dataclass
class Shell:
    """What stands before there is furniture."""

    walls: list[Wall] = field(default_factory=list)
    doors: list[Door] = field(default_factory=list)
    windows: list[Poster] = field(default_factory=list)
    sides: dict[str, Side] = field(default_factory=dict)  # by the name of their wall


def raise_shell(plan: Plan, draw: Draw, height: float, paints: list[str], outer: str) -> Shell:
    """The walls of `plan`, `height` [m], with its doors and windows.

    Args:
        paints: the name of each room's wall texture.
        outer: that of the walls seen from outside.
    """
    shell, thickness = Shell(), snap(draw.number("shell.wall_thickness") * 10) / 10
    color, doors = draw.choice("shell.door_color"), draw.number("shell.door_height")
    for number, side in enumerate(sides(plan)):
        name, pair = f"wall_{number}", (min(side.left, side.right), max(side.left, side.right))
        if plan.links.get(pair) == "open":
            continue
        behind = paints[side.right] if side.right != OUTSIDE else outer
        wall = Wall(name, side.start, side.end, paints[side.left], behind, height, thickness)
        shell.walls.append(wall)
        shell.sides[name] = side
        if side.right == OUTSIDE:
            shell.windows += _windows(draw, wall, side)
    for pair, kind in plan.links.items():
        if kind != "open":
            between = [side for side in shell.sides.values() if {side.left, side.right} == set(pair)]
            side = max(between, key=lambda side: side.length)
            shell.doors.append(_door(draw, side, len(shell.doors), kind == "wide", color, min(doors, height - 0.2)))
    return shell


def sides(plan: Plan) -> list[Side]:
    """All stretches of wall, each with the same two rooms along it, room first on its left."""
    found = []
    for index, space in enumerate(plan.spaces):
        x0, y0, x1, y1 = space.area
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
            found += _stretches(plan, index, start, end)
    return found


def _stretches(plan: Plan, index: int, start: Point, end: Point) -> list[Side]:
    """One side of a room, parted by who is behind it; what another room has already is left to that."""
    upright = start[0] == end[0]
    axis = 1 if upright else 0
    low, high = sorted((start[axis], end[axis]))
    cuts, behind = {low, high}, []
    for other, space in enumerate(plan.spaces):
        area, fixed = space.area, start[1 - axis]
        touching = (area[0], area[2]) if upright else (area[1], area[3])
        a, b = max(area[axis], low), min(area[axis + 2], high)
        if other != index and any(abs(edge - fixed) < 1e-6 for edge in touching) and b - a > 1e-6:
            behind.append((a, b, other))
            cuts |= {a, b}
    ordered, found = sorted(cuts), []
    for a, b in zip(ordered, ordered[1:], strict=False):
        neighbour = next((n for lo, hi, n in behind if lo <= (a + b) / 2 <= hi), OUTSIDE)
        if neighbour == OUTSIDE or neighbour > index:
            ends = [(start[0], a), (start[0], b)] if upright else [(a, start[1]), (b, start[1])]
            first, last = ends if end[axis] > start[axis] else ends[::-1]
            found.append(Side(first, last, index, neighbour))
    return found


def _door(draw: Draw, side: Side, number: int, wide: bool, color: str, height: float) -> Door:
    aside = 0.2  # between it and the end of its wall [m]
    width = draw.number("shell.wide" if wide else "shell.door_width")
    double = not wide and side.length > 2.6 and draw.chance("shell.double_door")
    width = min(width * 1.6 if double else width, side.length - 2 * aside)
    middle = draw.rng.uniform(aside + width / 2, side.length - aside - width / 2 + 1e-9)
    start, end = side.point(middle - width / 2), side.point(middle + width / 2)
    if draw.rng.random() < 0.5:
        start, end = end, start
    leaf = None
    if not wide and not double and not draw.chance("shell.leaf_missing"):
        angle = draw.number("shell.leaf_ajar" if draw.chance("shell.ajar") else "shell.leaf_angle")
        leaf = round(math.radians(angle) * (1 if draw.rng.random() < 0.5 else -1), 4)
    return Door(f"door_{number}", start, end, color=color, leaf=leaf, height=round(height, 3))


def _windows(draw: Draw, wall: Wall, side: Side) -> list[Poster]:
    """Windows along an outer wall, seen from inside; those of one wall are alike."""
    names = ("width", "height", "sill", "spacing", "share")
    width, height, sill, gap, share = (draw.number(f"shell.window_{name}") for name in names)
    seed, room = int(draw.rng.integers(10_000)), side.length - 2 * 0.35  # [m] to the ends of the wall
    width, height = min(width, room), min(height, wall.height - sill - 0.2)
    if width < 0.5 or height < 0.4:
        return []
    count = int((room + gap) // (width + gap))
    first = (side.length - count * width - (count - 1) * gap) / 2 + width / 2
    return [
        Poster(wall.name, "left", round(first + index * (width + gap), 3), seed, round(sill + height / 2, 3),
               (round(width, 3), round(height, 3)), "window")
        for index in range(count)
        if draw.rng.random() < share
    ]  # fmt: skip


def piers(plan: Plan, shell: Shell, draw: Draw, paints: list[str]) -> list[Wall]:
    """Stubs of wall that stand out into some rooms and make alcoves, to be built where they are in nobody's way."""
    walls: list[Wall] = []
    for index, space in enumerate(plan.spaces):
        if min(space.size) < 3.0 or not draw.chance("shell.pier"):
            continue
        long = [side for side in shell.sides.values() if side.left == index and side.length > 2.5]
        own = [side for side in long if not any(side.holds(door.start) for door in shell.doors)]
        if own:
            walls.append(_pier(draw, space, own[int(draw.rng.integers(len(own)))], len(walls), shell, paints[index]))
    return walls


def _pier(draw: Draw, space: Space, side: Side, number: int, shell: Shell, paint: str) -> Wall:
    along = snap(draw.rng.uniform(0.9, side.length - 0.9))
    direction = np.subtract(side.end, side.start) / side.length
    inward = np.array([-direction[1], direction[0]])
    foot = np.array(side.point(along))
    tip = foot + inward * min(draw.number("shell.pier_length"), min(space.size) / 3)
    ends = [(round(float(p[0]), 3), round(float(p[1]), 3)) for p in (foot, tip)]
    return Wall(f"pier_{number}", ends[0], ends[1], paint, paint, shell.walls[0].height, shell.walls[0].thickness)
