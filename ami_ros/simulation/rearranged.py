"""Furniture on another day: some pieces were moved, some taken away, and some are new. Doors stay free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ami_ros.geometry import Array
from ami_ros.simulation.buildings.furnishing import Ground
from ami_ros.simulation.layout import Obstacle
from ami_ros.simulation.world import Furniture, Room, World

MOVED, TAKEN = 0.6, 0.2  # of what changed; the rest is new, and like something that is there
ATTEMPTS = 60  # places tried for a piece; then it stays where it was, or does not come
LEAST = 0.5  # by which a piece is moved [m]


def rearranged(world: World, share: float, seed: int) -> World:
    """`world` with a `share` of its pieces of furniture changed, the same for the same `seed`.

    A piece is all parts that stand together under one name ("desk", "desk.1") or hang over one another. Every place of
    the floor stays in reach, and nothing stands before a door.
    """
    rng = np.random.default_rng([seed, 0xCA6E])
    pieces = _pieces(world.furniture)
    count = round(share * len(pieces))
    chosen = [int(i) for i in rng.permutation(len(pieces))[:count]]
    moved, taken = round(MOVED * count), round(TAKEN * count)
    kept = [part for i, piece in enumerate(pieces) if i not in chosen for part in piece]
    ground = Ground(replace(world, furniture=tuple(kept)))
    for index, piece in enumerate(pieces):
        if index not in chosen:
            ground.take(_outline(piece))
    for number, index in enumerate(chosen):
        piece = pieces[index]
        if number < moved:
            kept += _placed(piece, world, ground, rng, "") or _back(piece, ground)
        elif number >= moved + taken:
            kept += _back(piece, ground)
            kept += _placed(piece, world, ground, rng, f"new_{number}_") or []
    return replace(world, furniture=tuple(kept))


def _pieces(furniture: Sequence[Furniture]) -> list[list[Furniture]]:
    """Parts by what they belong to."""
    found: dict[str, list[Furniture]] = {}
    for part in furniture:
        stem, dot, number = part.name.rpartition(".")
        found.setdefault(stem if dot and number.isdigit() else part.name, []).append(part)
    return list(found.values())


def _back(piece: list[Furniture], ground: Ground) -> list[Furniture]:
    """Where it was."""
    ground.put(piece, _outline(piece))
    return piece


def _placed(
    piece: list[Furniture], world: World, ground: Ground, rng: np.random.Generator, prefix: str
) -> list[Furniture] | None:
    """The piece at another free place, mostly in its own room; None: there is none."""
    middle = np.array(_outline(piece).center)
    for attempt in range(ATTEMPTS):
        room = _room_at(world, middle) if attempt < ATTEMPTS / 2 else None
        room = room or world.rooms[int(rng.integers(len(world.rooms)))]
        x0, y0, x1, y1 = room.area
        place = np.array([rng.uniform(x0, x1), rng.uniform(y0, y1)])
        turn = float(rng.integers(4)) * math.pi / 2 + float(rng.normal(0.0, 0.1))
        if math.dist(place, middle) < LEAST:
            continue
        parts = [_carried(part, middle, place, turn, prefix) for part in piece]
        if all(_inside(part, world) for part in parts) and ground.put(parts, _outline(parts)):
            return parts
    return None


def _carried(part: Furniture, middle: Array, place: Array, turn: float, prefix: str) -> Furniture:
    c, s = math.cos(turn), math.sin(turn)
    offset = np.array(part.position) - middle
    x, y = place + np.array([c * offset[0] - s * offset[1], s * offset[0] + c * offset[1]])
    yaw = math.remainder(part.yaw + turn, 2 * math.pi)
    return replace(part, name=prefix + part.name, position=(round(float(x), 3), round(float(y), 3)), yaw=round(yaw, 4))


def _inside(part: Furniture, world: World) -> bool:
    return 0.0 <= part.position[0] <= world.size[0] and 0.0 <= part.position[1] <= world.size[1]


def _room_at(world: World, point: Array) -> Room | None:
    for room in world.rooms:
        x0, y0, x1, y1 = room.area
        if x0 <= point[0] <= x1 and y0 <= point[1] <= y1:
            return room
    return None


def _outline(piece: Sequence[Furniture]) -> Obstacle:
    """The box around all parts, as its first part is turned."""
    yaw = piece[0].yaw
    c, s = math.cos(yaw), math.sin(yaw)
    corners = []
    for part in piece:
        cp, sp = math.cos(part.yaw), math.sin(part.yaw)
        for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
            dx, dy = i * part.size[0] / 2, j * part.size[1] / 2
            corners.append((part.position[0] + cp * dx - sp * dy, part.position[1] + sp * dx + cp * dy))
    local = np.array(corners) @ np.array([[c, -s], [s, c]])  # into its own axes
    low, high = local.min(axis=0), local.max(axis=0)
    mid, half = (low + high) / 2, (high - low) / 2
    center = float(c * mid[0] - s * mid[1]), float(s * mid[0] + c * mid[1])
    height = max(part.base + part.size[2] for part in piece)
    return Obstacle(piece[0].name, "box", center, yaw, (float(half[0]), float(half[1])), height)
