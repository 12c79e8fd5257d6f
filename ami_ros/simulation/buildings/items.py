"""Pieces of furniture, each built of boxes and cylinders around the origin, its back towards -y.

A part that stands on the floor is at least TALL high, and one that hangs does so above 0.68 m: what a robot can touch
is seen by a laser at any height up to TALL, and what it can drive under does not meet its camera. Chairs hang lower,
but their legs let no robot between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ami_ros.core.ranges import Draw
from ami_ros.simulation.world import Furniture

TALL = 0.45  # [m]
SEAT = 0.43  # height of the underside of seats [m]


@dataclass(frozen=True)
class Item:
    """Parts around the origin, and the rectangle that they take [m]."""

    parts: tuple[Furniture, ...]
    length: float
    width: float

    def at(self, name: str, x: float, y: float, yaw: float) -> list[Furniture]:
        """The parts in the world, named `name`."""
        c, s = math.cos(yaw), math.sin(yaw)
        found = []
        for number, part in enumerate(self.parts):
            px, py = part.position
            place = (round(x + c * px - s * py, 3), round(y + s * px + c * py, 3))
            turned = round(math.remainder(yaw + part.yaw, 2 * math.pi), 4)
            found.append(replace(part, name=f"{name}.{number}" if number else name, position=place, yaw=turned))
        return found


def build(name: str, draw: Draw) -> Item:
    """An item of those in the ranges."""
    spec = draw[f"items.{name}"]
    length = draw.number(f"items.{name}.length")
    width = draw.number(f"items.{name}.width") if "width" in spec else length
    height = draw.number(f"items.{name}.height")
    color = draw.choice(f"colors.{spec['color']}")
    plain = _PLAIN.get(spec["build"])
    parts = plain(length, width, height, color) if plain else _DRAWN[spec["build"]](length, width, height, color, draw)
    if draw.chance("black_things"):
        parts = [replace(part, color="#17181a", surface="black") for part in parts]
    if spec["build"] == "bed":  # its length stands out from the wall
        length, width = width, length
    return Item(tuple(parts), round(length, 3), round(width, 3))


def box(x: float, y: float, size: tuple[float, float, float], color: str, base: float = 0.0) -> Furniture:
    """A part; its `size` is rounded to millimetres."""
    whole = (round(size[0], 3), round(size[1], 3), round(size[2], 3))
    return Furniture("part", "box", (round(x, 3), round(y, 3)), whole, color=color, base=round(base, 3))


def drum(diameter: float, height: float, color: str, base: float = 0.0) -> Furniture:
    """A round part in the middle."""
    d = round(diameter, 3)
    return Furniture("part", "cylinder", (0, 0), (d, d, round(height, 3)), color=color, base=round(base, 3))


def shade(color: str, factor: float) -> str:
    """A colour, darker or lighter by `factor`."""
    values = (min(255, round(int(color[i : i + 2], 16) * factor)) for i in (1, 3, 5))
    return "#" + "".join(f"{value:02x}" for value in values)


Parts = list[Furniture]


def _legs(a: float, w: float, h: float, color: str, thick: float = 0.045) -> Parts:
    x, y = a / 2 - thick, w / 2 - thick
    return [box(sx * x, sy * y, (thick, thick, h), color) for sx in (-1, 1) for sy in (-1, 1)]


# What takes length `a`, width `w` and height `h` [m] and a colour.
_PLAIN: dict[str, Callable[[float, float, float, str], Parts]] = {
    "block": lambda a, w, h, c: [box(0, 0, (a, w, h), c)],
    "round": lambda a, w, h, c: [drum(a, h, c)],
    "plinth": lambda a, w, h, c: [
        box(0, 0, (a, w, h - 0.03), c), box(0, 0, (a + 0.02, w + 0.02, 0.03), shade(c, 0.75), h - 0.03),
    ],
    "table": lambda a, w, h, c: [box(0, 0, (a, w, 0.03), c, h - 0.03), *_legs(a, w, h - 0.03, shade(c, 0.7))],
    "pedestal_table": lambda a, w, h, c: [drum(a, 0.03, c, h - 0.03), drum(0.12, h - 0.03, "#6d7478")],
    "bench": lambda a, w, h, c: [
        box(0, 0, (a, w, 0.05), c, h - 0.05), box(0, 0, (a - 0.12, w - 0.1, h - 0.05), shade(c, 0.6)),
    ],
    "stand": lambda a, w, h, c: [
        drum(a * 0.9, TALL, c), drum(0.05, h - TALL - 0.3, c, TALL), drum(a, 0.3, "#f2e8d0", h - 0.3),
    ],
    "board": lambda a, w, h, c: [
        box(0, 0, (a, w * 0.5, h - 0.75), c, 0.75),
        *(box(s * (a / 2 - 0.05), 0, (0.05, w, 0.78), "#7a8085") for s in (-1, 1)),
    ],
    "sofa": lambda a, w, h, c: [
        box(0, 0.1, (a - 0.32, w - 0.2, TALL), c),
        box(0, -w / 2 + 0.1, (a, 0.2, h), shade(c, 0.92)),
        *(box(s * (a - 0.16) / 2, 0.1, (0.16, w - 0.2, 0.58), shade(c, 0.85)) for s in (-1, 1)),
    ],
    "car": lambda a, w, h, c: [  # between two others, its front to -y
        box(0, 0, (a, w, 0.6 * h), c), box(0, 0.08 * w, (0.85 * a, 0.55 * w, 0.4 * h), "#2b3138", 0.6 * h),
    ],
    "pane": lambda a, w, h, c: [  # a screen of glass between two posts
        *(box(s * (a / 2 - 0.03), 0, (0.05, w, h), c) for s in (-1, 1)),
        replace(box(0, 0, (a - 0.1, 0.02, h - 0.04), "#cfe3e6"), surface="glass"),
        box(0, 0, (a, w, 0.04), c, h - 0.04),
    ],
}  # fmt: skip


def _panels(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    sides = [box(s * (a / 2 - 0.02), 0, (0.03, w - 0.06, h - 0.03), shade(color, 0.85)) for s in (-1, 1)]
    found = [box(0, 0, (a, w, 0.03), color, h - 0.03), *sides]
    if draw.rng.random() < 0.6:  # a screen on it
        found.append(box(draw.rng.uniform(-0.2, 0.2), -w / 4, (0.55, 0.04, 0.34), "#1c1e22", h + 0.1))
    if draw.rng.random() < 0.5:  # drawers below
        found.append(box(a / 2 - 0.26, 0, (0.42, w - 0.1, 0.6), shade(color, 0.9)))
    return found


def _chair(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    frame, near = draw.choice("colors.metal"), 0.32  # between legs: too narrow for any robot
    back = box(0, -a / 2 + 0.02, (a, 0.03, h - SEAT - 0.1), color, SEAT + 0.1)
    return [box(0, 0, (a, a, 0.04), color, SEAT), back, *_legs(near, near, TALL - 0.01, frame)]


def _swivel(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    turn = draw.rng.uniform(-0.5, 0.5)
    back = replace(box(0, -0.2, (0.42, 0.06, h - 0.6), color, 0.6), yaw=round(turn, 3))
    return [drum(0.44, 0.07, color, SEAT), back, drum(0.3, TALL - 0.01, "#3a3d42")]


def _bed(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    frame = draw.choice("colors.wood")
    return [
        box(0, 0, (w, a, 0.3), frame), box(0, 0.02, (w - 0.04, a - 0.06, h - 0.3), color, 0.3),
        box(0, -a / 2 + 0.03, (w, 0.05, h + 0.35), frame), box(0, -a / 2 + 0.3, (w * 0.7, 0.35, 0.09), "#f4f3ee", h),
    ]  # fmt: skip


def _shelves(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    """Boards between two sides with things on them; the lowest compartment is filled: nothing gets below it."""
    side = shade(color, 0.85)
    found = [box(s * (a / 2 - 0.015), 0, (0.03, w, h), side) for s in (-1, 1)]
    found += [box(0, 0, (a - 0.06, w, TALL), color), box(0, 0, (a, w, 0.03), side, h - 0.03)]
    boards = np.arange(TALL + 0.38, h - 0.2, 0.38)
    found += [box(0, 0, (a - 0.06, w, 0.025), side, float(z)) for z in boards]
    for z in (TALL, *(boards + 0.025)):
        if draw.rng.random() < 0.85:
            length = (a - 0.1) * draw.rng.uniform(0.35, 1.0)
            x = draw.rng.uniform(-1, 1) * (a - 0.08 - length) / 2
            size = (length, w * 0.8, draw.rng.uniform(0.15, 0.3))
            found.append(box(x, 0, size, draw.choice("colors.goods"), float(z)))
    return found


def _rack(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    """Uprights and boards high enough to drive under, pallets of goods; some bays are empty on the floor."""
    x, y, levels = a / 2 - 0.05, w / 2 - 0.05, np.arange(1.15, h, 1.0)
    found = [box(sx * x, sy * y, (0.09, 0.09, h), color) for sx in (-1, 1) for sy in (-1, 1)]
    found += [box(0, 0, (a, w, 0.1), "#c9722b" if color != "#d0672a" else "#5a6268", float(z)) for z in levels]
    for z in (0.0, *(levels + 0.1)):
        for s in (-1, 1):
            if draw.rng.random() < (0.8 if z == 0.0 else 0.7):
                size = ((a / 2 - 0.16), w - 0.06, draw.rng.uniform(0.5, 0.9))
                found.append(box(s * (a / 4 - 0.02), 0, size, draw.choice("colors.goods"), float(z)))
    return found


def _plant(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    pot = max(TALL, 0.4 * h)
    return [drum(a * 0.8, pot, draw.choice("colors.any")), drum(a * 1.1, h - pot, color, pot)]


def _statue(a: float, w: float, h: float, color: str, draw: Draw) -> Parts:
    stone, size = draw.choice("colors.any"), draw.rng.uniform(0.2, 0.8)
    slim = draw.rng.random() < 0.5
    top = drum(a * 0.6, size, stone, h) if slim else box(0, 0, (a * 0.5, a * 0.3, size), stone, h)
    return [box(0, 0, (a, a, h), color), replace(top, yaw=round(float(draw.rng.uniform(-1.5, 1.5)), 3))]


_DRAWN: dict[str, Callable[[float, float, float, str, Draw], Parts]] = {
    "panels": _panels, "chair": _chair, "swivel": _swivel, "bed": _bed, "shelves": _shelves, "rack": _rack,
    "plant": _plant, "statue": _statue,
}  # fmt: skip
