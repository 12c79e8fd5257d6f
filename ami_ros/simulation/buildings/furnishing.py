"""Furniture in the rooms of a building, put where doors stay free and every place stays in reach."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.ranges import Draw
from ami_ros.simulation.buildings.items import Item, build
from ami_ros.simulation.buildings.kinds import Plan, Space
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle, in_the_way, leaf_obstacle, obstacles_of
from ami_ros.simulation.world import HEADROOM, Furniture, Wall, World

CELL = 0.05  # [m]
ROBOT = 0.25  # half of what stays passable between things [m]

Spot = tuple[float, float, float]  # x, y, yaw from the room's lower left corner [m, rad]


class Ground:
    """The floor of a building: where things stand, and where a robot can still get. `world` has no leaves of doors."""

    def __init__(self, world: World) -> None:
        self._xs, self._ys = ((np.arange(round(length / CELL)) + 0.5) * CELL for length in world.size)
        plan = FloorPlan(in_the_way(obstacles_of(world, {})))
        clearance = plan.grid_clearance(self._xs, self._ys, 2 * ROBOT)
        inside = np.zeros(clearance.shape, bool)
        for room in world.rooms:
            x0, y0, x1, y1 = room.area
            inside |= ((self._xs >= x0) & (self._xs <= x1))[:, None] & ((self._ys >= y0) & (self._ys <= y1))
        self._free: NDArray[np.bool_] = inside & (clearance >= ROBOT)
        doorways = []
        for door in world.doors:  # so much is kept free before and behind it [m]
            (ax, ay), (bx, by), half = door.start, door.end, (math.dist(door.start, door.end) / 2, 0.75)
            yaw = math.atan2(by - ay, bx - ax)
            doorways.append(Obstacle("", "box", ((ax + bx) / 2, (ay + by) / 2), yaw, half, 2.0))
        self._doorways = self._covered(doorways, 0.0)
        self._taken: NDArray[np.bool_] = ~inside | (clearance <= 0.0) | self._doorways
        self._pockets = self._out_of_reach(self._free)

    def in_doorway(self, thing: Obstacle) -> bool:
        """Whether it would stand before a door."""
        return bool((self._doorways & self._covered([thing], 0.0)).any())

    def take(self, outline: Obstacle) -> None:
        """Nothing else is put within `outline` from now on: something hangs there."""
        self._taken |= self._covered([outline], 0.0)

    def put(self, parts: list[Furniture], outline: Obstacle) -> bool:
        """Whether there is room for `parts` within `outline`; if so they stand there from now on."""
        area = self._covered([outline], 0.0)
        if not area.any() or (self._taken & area).any():
            return False
        low = [
            Obstacle(p.name, p.shape, p.position, p.yaw, (p.size[0] / 2, p.size[1] / 2), p.base + p.size[2])
            for p in parts if p.base < HEADROOM
        ]  # fmt: skip
        if not self.stand(low):
            return False
        self._taken |= area
        return True

    def stand(self, things: list[Obstacle]) -> bool:
        """Whether `things` leave every place in reach; if so they stand there from now on."""
        free = self._free & ~self._covered(things, ROBOT)
        pockets = self._out_of_reach(free)
        if pockets > max(self._pockets, 0.15):  # [m^2]
            return False
        self._free, self._pockets = free, pockets
        self._taken |= self._covered(things, 0.0)
        return True

    def _covered(self, things: list[Obstacle], margin: float) -> NDArray[np.bool_]:
        return np.asarray(FloorPlan(things).grid_clearance(self._xs, self._ys, margin + CELL) <= margin)

    @staticmethod
    def _out_of_reach(free: NDArray[np.bool_]) -> float:
        """The largest free place that is not connected with the main one [m^2]."""
        _, _, stats, _ = cv2.connectedComponentsWithStats(free.astype(np.uint8), connectivity=4)
        areas = np.sort(stats[1:, cv2.CC_STAT_AREA])
        return float(areas[-2]) * CELL**2 if len(areas) > 1 else 0.0


def build_piers(world: World, ground: Ground, wanted: list[Wall]) -> World:
    """`world` with those of the `wanted` piers that are in nobody's way."""
    built = []
    for pier in wanted:
        (x0, y0), (x1, y1) = pier.start, pier.end
        half = (math.dist(pier.start, pier.end) / 2 + pier.thickness / 2, pier.thickness / 2)
        place = Obstacle("", "box", ((x0 + x1) / 2, (y0 + y1) / 2), math.atan2(y1 - y0, x1 - x0), half, pier.height)
        if not ground.in_doorway(place) and ground.stand([place]):
            built.append(pier)
    return replace(world, walls=(*world.walls, *built))


def hang_leaves(world: World, ground: Ground) -> World:
    """`world` with leaves of doors that open to the other side where they would be in the way, or are left out."""
    doors = []
    for door in world.doors:
        for leaf in (door.leaf, -door.leaf) if door.leaf else ():
            tried = replace(door, leaf=leaf)
            place = leaf_obstacle(world, tried)
            if place is not None and ground.stand([place]):
                doors.append(tried)
                break
        else:
            doors.append(replace(door, leaf=None))
    return replace(world, doors=tuple(doors))


def furnish(plan: Plan, ground: Ground, draw: Draw, seed: int, alike: bool) -> list[Furniture]:
    """The furniture of an empty building.

    Args:
        ground: what stands already.
        seed: of the arrangement; rooms that are `alike` (one use, one size) are drawn from the same numbers.
    """
    found: list[Furniture] = []
    clutter = draw.number("clutter.share")
    same: dict[tuple[str, float, float], int] = {}
    for index, space in enumerate(plan.spaces):
        key = (space.use, *space.size)
        again = alike and key in same and draw.chance("same_again")
        number = same[key] if again else same.setdefault(key, index)
        own = draw.with_rng(np.random.default_rng([seed, number if again else index, 17]))
        room = _Room(space, ground, own, f"{space.use}_{index}", _flipped(plan, index))
        for item, fewest, most, where in draw["rooms"][space.use]:
            room.place(item, int(own.rng.integers(fewest, most + 1)), where)
        if draw.rng.random() < clutter:
            room.draw = draw
            for _ in range(draw.count("clutter.count")):
                room.place(draw.choice("clutter.items"), 1, "corner" if draw.rng.random() < 0.3 else "middle")
        found += room.furniture
    return found


def _flipped(plan: Plan, index: int) -> bool:
    """Whether the corridor that a room opens to lies above it."""
    for pair in plan.links:
        if index in pair:
            other = plan.spaces[pair[0] if pair[1] == index else pair[1]]
            if other.use == "corridor":
                return other.area[1] >= plan.spaces[index].area[3] - 1e-6
    return False


class _Room:
    """One room in the making. `flipped`: it is arranged upside down, as seen from a corridor above it."""

    def __init__(self, space: Space, ground: Ground, draw: Draw, name: str, flipped: bool) -> None:
        self.space, self.ground, self.draw, self.name, self.flipped = space, ground, draw, name, flipped
        self.furniture: list[Furniture] = []
        self._placed = 0
        self._tables: list[tuple[Item, Spot]] = []

    def place(self, item: str, count: int, where: str) -> None:
        """Up to `count` of an item; what finds no room in a dozen places is left out."""
        if where == "rows":
            built = build(item, self.draw)
            taken = float(self.draw[f"rows.{item}"].get("taken", 1.0))
            for spot in self._rows(item, built, count):
                if taken == 1.0 or self.draw.rng.random() < taken:
                    self._put(item, built, spot)
            return
        for _ in range(count):
            built = build(item, self.draw)
            for _ in range(12):
                if self._put(item, built, self._spot(item, built, where)):
                    break

    def _spot(self, item: str, built: Item, where: str) -> Spot:
        rng, (width, depth) = self.draw.rng, self.space.size
        askew = math.radians(self.draw["askew"]) * rng.normal()
        if item in ("chair", "school_chair", "swivel") and self._tables:
            return self._beside(*self._tables[int(rng.integers(len(self._tables)))], built)
        if where in ("wall", "corner"):
            side = int(rng.integers(4))
            share = rng.uniform(0.0, 1.0) if where == "wall" else float(rng.integers(2))
            return self._at_wall(side, share, built, askew)
        quarter = math.pi / 2 * int(rng.integers(4))
        return rng.uniform(0.2, 0.8) * width, rng.uniform(0.2, 0.8) * depth, quarter + askew

    def _at_wall(self, side: int, share: float, built: Item, askew: float) -> Spot:
        """With its back to a wall (0: the lower one, then counter-clockwise), `share` of the way along it."""
        width, depth = self.space.size
        gap = self.draw.number("gap_to_wall") + 0.08  # half the thickness of the wall
        out, along = gap + built.width / 2, (width, depth)[side % 2]
        at = gap + built.length / 2 + share * max(along - 2 * gap - built.length, 0.0)
        x, y = [(at, out), (width - out, at), (width - at, depth - out), (out, depth - at)][side]
        return x, y, side * math.pi / 2 + askew / 3

    def _beside(self, table: Item, spot: Spot, built: Item) -> Spot:
        rng, (x, y, yaw) = self.draw.rng, spot
        side = int(rng.choice([0, 1, 2, 3], p=[0.4, 0.1, 0.4, 0.1]))
        half = (table.width, table.length)[side % 2] / 2
        along = rng.uniform(-0.4, 0.4) * (table.length, table.width)[side % 2]
        out = half + built.width / 2 + rng.uniform(0.02, 0.25)
        dx, dy = [(along, out), (-out, along), (along, -out), (out, along)][side]
        c, s = math.cos(yaw), math.sin(yaw)
        facing = yaw + (math.pi, -math.pi / 2, 0.0, math.pi / 2)[side]  # backs are towards -y
        return x + c * dx - s * dy, y + s * dx + c * dy, facing + math.pi + math.radians(12) * rng.normal()

    def _rows(self, item: str, built: Item, count: int) -> Iterator[Spot]:
        """Places on a grid along the longer side of the room."""
        draw, (width, depth) = self.draw, self.space.size
        turned = depth > width
        along, across = (depth, width) if turned else (width, depth)
        gap, aisle = draw.number(f"rows.{item}.along"), draw.number(f"rows.{item}.across")
        edge = draw.number(f"rows.{item}.from_wall") + 0.08
        first, made = max(edge, 0.5) + draw.rng.uniform(0.0, 0.6), 0
        v = edge + built.width / 2
        while v + built.width / 2 < across - 0.3 and made < count:
            u = first + built.length / 2
            while u + built.length / 2 < along - 0.4 and made < count:
                yield (across - v, u, math.pi / 2) if turned else (u, v, 0.0)
                made += 1
                u += built.length + gap
            v += built.width + aisle

    def _put(self, item: str, built: Item, spot: Spot) -> bool:
        x, y, yaw = spot
        if self.flipped:
            y, yaw = self.space.size[1] - y, math.pi - yaw
        x, y = x + self.space.area[0], y + self.space.area[1]
        parts = built.at(f"{self.name}.{item}_{self._placed}", x, y, yaw)
        outline = Obstacle("", "box", (x, y), yaw, (built.length / 2, built.width / 2), 1.0)
        if not self.ground.put(parts, outline):
            return False
        self._placed += 1
        if item in ("desk", "teacher_desk", "school_desk", "dining_table", "conference_table", "high_table"):
            self._tables.append((built, spot))
        self.furniture += parts
        return True
