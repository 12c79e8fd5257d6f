"""Walls, doors and windows of a plan."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ami_ros.core.ranges import Draw
from ami_ros.simulation.buildings.kinds import Plan, Space, snap
from ami_ros.simulation.world import Door, Point, Poster, Wall

END = 0.2  # between a door and the end of its wall [m]
WINDOW_END = 0.35  # between a window and the end of its wall [m]
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


@dataclass
class Shell:
    """What stands before there is furniture. `left_bare`: gaps without any wall; they are walls nowhere."""

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
        wall = Wall(
            name, side.start, side.end, paints[side.left], paints[side.right] if side.right != OUTSIDE else outer,
            height, thickness,
        )  # fmt: skip
        shell.walls.append(wall)
        shell.sides[name] = side
        if side.right == OUTSIDE:
            shell.windows += _windows(draw, wall, side)
    for pair, kind in plan.links.items():
        if kind == "open":
            continue
        name, side = max(
            ((name, side) for name, side in shell.sides.items() if {side.left, side.right} == set(pair)),
            key=lambda item: item[1].length,
        )
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
        area = space.area
        touching = (area[0], area[2]) if upright else (area[1], area[3])
        fixed = start[1 - axis]
        a, b = max(area[axis], low), min(area[axis + 2], high)
        if other != index and any(abs(edge - fixed) < 1e-6 for edge in touching) and b - a > 1e-6:
            behind.append((a, b, other))
            cuts |= {a, b}
    ordered, found = sorted(cuts), []
    for a, b in zip(ordered, ordered[1:], strict=False):
        neighbour = next((n for lo, hi, n in behind if lo <= (a + b) / 2 <= hi), OUTSIDE)
        if neighbour == OUTSIDE or neighbour > index:
            ends = [(start[0], a), (start[0], b)] if upright else [(a, start[1]), (b, start[1])]
            forwards = end[axis] > start[axis]
            first, last = ends if forwards else ends[::-1]
            found.append(Side(first, last, index, neighbour))
    return found


def _door(draw: Draw, side: Side, number: int, wide: bool, color: str, height: float) -> Door:
    width = draw.number("shell.wide" if wide else "shell.door_width")
    double = not wide and side.length > 2.6 and draw.chance("shell.double_door")
    width = min(width * 1.6 if double else width, side.length - 2 * END)
    middle = draw.rng.uniform(END + width / 2, side.length - END - width / 2 + 1e-9)
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
    width, height = draw.number("shell.window_width"), draw.number("shell.window_height")
    sill, gap = draw.number("shell.window_sill"), draw.number("shell.window_spacing")
    share, seed = draw.number("shell.window_share"), int(draw.rng.integers(10_000))
    width, height = min(width, side.length - 2 * WINDOW_END), min(height, wall.height - sill - 0.2)
    if width < 0.5 or height < 0.4:
        return []
    count = int((side.length - 2 * WINDOW_END + gap) // (width + gap))
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
        own = [
            s for name, s in shell.sides.items() if s.left == index and s.length > 2.5 and not _has_door(shell, name)
        ]
        if own:
            walls.append(_pier(draw, space, own[int(draw.rng.integers(len(own)))], len(walls), shell, paints[index]))
    return walls


def _pier(draw: Draw, space: Space, side: Side, number: int, shell: Shell, paint: str) -> Wall:
    along = snap(draw.rng.uniform(0.9, side.length - 0.9))
    direction = np.subtract(side.end, side.start) / side.length
    inward = np.array([-direction[1], direction[0]])
    foot = np.array(side.point(along))
    tip = foot + inward * min(draw.number("shell.pier_length"), min(space.size) / 3)
    wall = shell.walls[0]
    ends = [(round(float(p[0]), 3), round(float(p[1]), 3)) for p in (foot, tip)]
    return Wall(f"pier_{number}", ends[0], ends[1], paint, paint, wall.height, wall.thickness)


def _has_door(shell: Shell, name: str) -> bool:
    side = shell.sides[name]
    return any(
        abs(math.dist(side.start, d.start) + math.dist(d.start, side.end) - side.length) < 0.01 for d in shell.doors
    )
