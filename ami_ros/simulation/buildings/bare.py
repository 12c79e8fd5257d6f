"""Plain buildings as people write them by hand: walls of few colours, boxes, and rooms or aisles that are alike.

They are open to the sky and evenly lit, as many worlds of simulators are, and hard to find one's way in: what tells a
room from the next is a box that is missing or a wall that is a little warmer.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ami_ros.core.ranges import Draw
from ami_ros.simulation.world import Door, Furniture, Light, Point, Poster, Room, Texture, Wall, World


@dataclass(frozen=True)
class _Box:
    """What stands in each of the rooms: at `along` [m] from its left corner, `away` [m] from its far wall."""

    along: float
    away: float
    size: tuple[float, float, float]
    color: str


@dataclass
class _Parts:
    """Of a world, as they come."""

    rooms: list[Room] = field(default_factory=list)
    walls: list[Wall] = field(default_factory=list)
    doors: list[Door] = field(default_factory=list)
    furniture: list[Furniture] = field(default_factory=list)
    posters: list[Poster] = field(default_factory=list)
    lights: list[Light] = field(default_factory=list)

    def box(self, name: str, x: float, y: float, size: tuple[float, float, float], color: str) -> None:
        self.furniture.append(Furniture(name, "box", (round(x, 2), round(y, 2)), size, color=color))

    def enclose(self, room: Room, south: bool, paints: tuple[str, str], height: float, door: float) -> None:
        """Outer wall, wall to the corridor, and the door in it, `door` [m] from the room's left corner."""
        left, bottom, right, top = room.area
        across, own = paints
        y, outer = (top, bottom) if south else (bottom, top)
        ends: tuple[Point, Point] = ((left, outer), (right, outer)) if south else ((right, outer), (left, outer))
        self.walls.append(Wall(f"{room.name}_outer", *ends, left=own, height=height))
        above, below = (across, own) if south else (own, across)
        self.walls.append(Wall(f"{room.name}_inner", (left, y), (right, y), above, below, height))
        at = round(left + door, 2)
        self.doors.append(Door(f"{room.name}_door", (at, y), (round(at + 1.0, 2), y)))

    def world(self, name: str, size: Point, textures: dict[str, Texture]) -> World:
        return World(
            name, size, textures, tuple(self.rooms), tuple(self.walls), tuple(self.doors), tuple(self.furniture),
            tuple(self.posters), tuple(self.lights),
        )  # fmt: skip


def bare(name: str, draw: Draw) -> World:
    """A building called `name`: a row of rooms along a corridor, or a hall with racks."""
    return _hall(name, draw) if draw.chance("hall") else _rooms(name, draw)


# Rooms along a corridor


def _rooms(name: str, draw: Draw) -> World:
    parts, count, width = _Parts(), draw.count("row"), round(draw.number("width"), 2)
    both, height = draw.chance("both_sides"), draw.number("height")
    low = round(draw.number("depth"), 2)
    high = round(low + draw.number("corridor"), 2)
    length, top = round(count * width, 2), round(high + draw.number("depth"), 2) if both else high
    textures = _paints(draw) | {"corridor": _floor(draw), "room": _floor(draw)}
    parts.rooms.append(Room("corridor", (0.0, low, length, high), "corridor"))
    boxes, doors = _furnishing(draw, width), [draw.rng.uniform(0.4, width - 1.4) for _ in range(2)]
    across = draw.choice("corridor_paint")
    sides = [("south", 0.0, low)] + ([("north", high, top)] if both else [])
    for side, bottom, upper in sides:
        own = draw.choice("room_paint")
        for index in range(count):
            area = (round(index * width, 2), bottom, round((index + 1) * width, 2), upper)
            room = Room(f"{side}_{index}", area, "room")
            paint = draw.choice("room_paint") if draw.chance("other_paint") else own
            mirrored = draw.chance("mirrored")
            door = width - 1.0 - doors[0] if mirrored else doors[0] if draw.chance("same_door") else doors[1]
            parts.rooms.append(room)
            parts.enclose(room, side == "south", (across, paint), height, door)
            _fill(parts, draw, room, side == "south", boxes, mirrored)
    _close(parts, sides, (low, high, length), count, across, height)
    for x in np.arange(count) * width + width / 2:
        parts.lights += [Light((float(x), (a + b) / 2, 2.6)) for _, a, b in sides]
        parts.lights.append(Light((float(x), (low + high) / 2, 2.6)))
    if draw.chance("corridor_poster"):
        parts.posters.append(Poster("west_1", "left", (high - low) / 2, draw.count("seeds")))
    return parts.world(name, (length, top), textures)


def _fill(parts: _Parts, draw: Draw, room: Room, south: bool, boxes: list[_Box], mirrored: bool) -> None:
    """The boxes that all rooms have, but for one here and there, and sometimes a cupboard or a poster."""
    left, bottom, right, top = room.area
    for k, box in enumerate(boxes):
        if draw.chance("missing"):
            continue
        color = draw.choice("furniture") if draw.chance("other_color") else box.color
        along = right - box.along if mirrored else left + box.along
        away = box.away + 0.05  # [m] from the wall
        parts.box(f"{room.name}_box_{k}", along, bottom + away if south else top - away, box.size, color)
    if draw.chance("cupboard"):
        size = (0.45, 1.0, draw.number("cupboard_height"))
        parts.box(f"{room.name}_cupboard", right - 0.3, (bottom + top) / 2, size, draw.choice("furniture"))
    if draw.chance("poster"):
        along = round(draw.rng.uniform(0.5, right - left - 0.5), 2)
        parts.posters.append(Poster(f"{room.name}_outer", "left", along, draw.count("seeds")))


def _furnishing(draw: Draw, width: float) -> list[_Box]:
    """What stands in every room."""
    style, color = draw.choice("style"), draw.choice("furniture")
    if style == "beds":
        beds = [0.9 + 1.9 * k for k in range(draw.count("beds")) if 1.4 + 1.9 * k < width]
        stands = [_Box(x + 0.72, 0.2, (0.4, 0.4, 0.6), color) for x in beds if x + 0.95 < width]
        return [*(_Box(x, 1.0, (0.9, 2.0, 0.55), str(draw["linen"])) for x in beds), *stands]
    if style == "desk":
        chair = _Box(width / 2 + draw.rng.uniform(-0.3, 0.3), 1.3, (0.5, 0.5, 0.9), draw.choice("furniture"))
        return [_Box(width / 2, 0.5, (1.4, 0.7, 0.74), color), chair]
    sizes = [tuple(draw.number(f"box_{side}") for side in ("width", "depth", "height")) for _ in range(2)]
    return [_Box(x, 0.5 * s[1], (s[0], s[1], s[2]), color) for x, s in zip((0.8, width - 0.8), sizes, strict=True)]


def _close(
    parts: _Parts, sides: list[tuple[str, float, float]], corridor: tuple[float, float, float], count: int, across: str,
    height: float,
) -> None:  # fmt: skip
    """The walls between the `count` rooms of each side, and those at the ends of the building."""
    low, high, length = corridor
    for side, bottom, top in sides:
        for k in range(1, count):
            x = round(k * length / count, 2)
            parts.walls.append(Wall(f"{side}_between_{k}", (x, bottom), (x, top), "paint_0", "paint_0", height))
    south, *north = [(bottom, top) for _, bottom, top in sides]
    for k, (bottom, top) in enumerate([south, (low, high), *north]):
        parts.walls.append(Wall(f"east_{k}", (length, bottom), (length, top), left="paint_0", height=height))
        parts.walls.append(Wall(f"west_{k}", (0.0, top), (0.0, bottom), left="paint_0", height=height))
    if not north:
        parts.walls.append(Wall("north_end", (length, high), (0.0, high), left=across, height=height))


# A hall with racks


def _hall(name: str, draw: Draw) -> World:
    parts, length, depth = _Parts(), round(draw.number("hall_length"), 2), round(draw.number("hall_depth"), 2)
    textures = {
        "panel": Texture(draw.choice("panel"), (draw.choice("white"), draw.choice("white")), 1.0),
        "floor": _floor(draw),
        "rack": Texture(
            draw.choice("rack"), tuple(draw.choice("furniture") for _ in range(3)), draw.number("rack_tile"),
            draw.count("seeds"),
        ),
    }  # fmt: skip
    parts.rooms.append(Room("hall", (0.0, 0.0, length, depth), "floor"))
    corners: list[Point] = [(0.0, 0.0), (length, 0.0), (length, depth), (0.0, depth)]
    for k, side in enumerate(("south", "east", "north", "west")):
        parts.walls.append(Wall(side, corners[k], corners[(k + 1) % 4], left="panel", height=draw.number("height")))
        if draw.chance("hall_poster"):
            along = round(draw.rng.uniform(1.0, (length, depth)[k % 2] - 1.0), 2)
            parts.posters.append(Poster(side, "left", along, draw.count("seeds")))
    count, tall = draw.count("racks"), draw.number("rack_height")
    spans = [(1.6, depth / 2 - 0.6), (depth / 2 + 0.6, depth - 1.6)] if draw.chance("split") else [(1.6, depth - 1.6)]
    for k, x in enumerate(1.2 + (length - 2.4) / count * (np.arange(count) + 0.5)):
        for j, (low, high) in enumerate(spans):
            size = (0.8, round(high - low, 2), tall)
            at = (round(float(x), 2), round((low + high) / 2, 2))
            parts.furniture.append(Furniture(f"rack_{k}_{j}", "box", at, size, texture="rack"))
    for k in range(draw.count("pallets")):
        y = (0.6, depth - 0.6)[int(draw.rng.integers(2))]
        size = (1.0, 0.8, draw.number("pallet_height"))
        parts.box(f"pallet_{k}", draw.rng.uniform(1.0, length - 1.0), y, size, draw.choice("furniture"))
    parts.lights += [Light((length * a, depth * b, 3.5)) for a in (0.25, 0.75) for b in (0.25, 0.75)]
    return parts.world(name, (length, depth), textures)


# Surfaces


def _paints(draw: Draw) -> dict[str, Texture]:
    """Three plain ones that are nearly white, and one with a coloured band below."""
    white, tint = draw.choice("white"), draw.choice("tint")
    plain = {f"paint_{k}": Texture("plain", (draw.choice("white"),)) for k in range(3)}
    return plain | {"dado": Texture("bands", (tint, white, white), 2.4)}


def _floor(draw: Draw) -> Texture:
    colors = draw.choice("floor"), draw.choice("floor")
    return Texture(draw.choice("floor_pattern"), colors, draw.number("floor_tile"), draw.count("seeds"))
