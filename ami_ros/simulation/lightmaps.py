"""Light in an interior, as it falls on floors, walls and ceilings, painted into their pictures.

Each room is lit by its own lamps and windows and by what its walls send back; corners are darker, sun falls through
windows onto the floor, and things cast soft shadows on it. The renderer has nothing to do for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array
from ami_ros.simulation.floor_plan import (
    door_span,
    doors_of,
    fixed_obstacles,
    outline,
    point_on_wall,
    wall_length,
    wall_normal,
)
from ami_ros.simulation.textures import Picture, draw_texture, rgb
from ami_ros.simulation.world import HEADROOM, Poster, Room, Texture, Wall, World

FLOOR_SCALE, WALL_SCALE, CEILING_SCALE = 32.0, 40.0, 14.0  # of pictures [pixels/m]
EYE = 0.12  # thickness of a wall at most, within which its room is looked for [m]
DAYLIGHT = np.array([0.93, 0.97, 1.05])
Place = Callable[[Array, Array], Array]  # points in the world (..., 3), by where they are on a picture [m]


class LightField:
    """The light in `world`, which is an interior."""

    def __init__(self, world: World) -> None:
        assert world.interior is not None
        self.world, self.interior = world, world.interior
        walls = {wall.name: wall for wall in world.walls}
        count = len(world.rooms)
        self._lamps: list[list[tuple[Array, Array]]] = [[] for _ in range(count)]  # position, colour
        self._windows: list[list[tuple[Array, Array, float]]] = [[] for _ in range(count)]  # middle, inwards, area
        self._panes: list[list[tuple[Wall, Poster]]] = [[] for _ in range(count)]
        for light in world.lights:
            room = world.room_at(*light.position[:2])
            if room is not None and light.brightness > 0:
                self._lamps[room].append((np.array(light.position), light.brightness * rgb(light.color) / 255))
        for poster in world.posters:
            if poster.kind == "window":
                wall = walls[poster.wall]
                point, normal = face_point(wall, poster.side, poster.along)
                room = world.room_at(*(point + normal * EYE))
                if room is not None:
                    middle = np.array([*point, poster.height])
                    self._windows[room].append((middle, np.array([*normal, 0.0]), poster.size[0] * poster.size[1]))
                    self._panes[room].append((wall, poster))
        self._ambient = [self._from_everywhere(room) for room in range(count)]

    def _from_everywhere(self, room: int) -> Array:
        x0, y0, x1, y1 = self.world.rooms[room].area
        lamps = sum((color for _, color in self._lamps[room]), np.zeros(3))
        day = sum(area for _, _, area in self._windows[room]) * self.interior.daylight * DAYLIGHT
        sent_back = self.interior.bounce * 6.0 * (lamps + 0.5 * day) / ((x1 - x0) * (y1 - y0))
        return np.asarray(self.interior.ambient * np.ones(3) + np.minimum(sent_back, 0.6))

    def at(self, points: Array, normal: Sequence[float], room: int | None) -> Array:
        """Light (n, 3) that falls on a surface of a room at `points` (n, 3), which faces `normal`."""
        turn, size = self.interior.gloom_direction, self.world.size
        across = np.array([math.cos(turn), math.sin(turn)])
        half = (abs(across) * size).sum() / 2
        along = (points[:, :2] - np.array(size) / 2) @ across / half  # towards the dark end of the building
        left = np.asarray(1.0 - self.interior.gloom * np.clip(0.5 + 0.5 * along, 0.0, 1.0))[:, None]
        if room is None:
            return np.full((len(points), 3), self.interior.ambient) * left
        light = np.tile(self._ambient[room], (len(points), 1))
        for position, color in self._lamps[room]:
            way = position - points
            square = (way**2).sum(axis=1) + 0.3
            facing = np.maximum(way @ np.asarray(normal), 0.0) / np.sqrt(square)
            below = np.maximum(way[:, 2], 0.05) / np.sqrt(square)
            light += (0.15 + facing)[:, None] * (below * 4.0 / square)[:, None] * color  # as bright as it is 2 m below
        for middle, inwards, area in self._windows[room]:
            way = middle - points
            square = (way**2).sum(axis=1) + 0.4
            facing = np.maximum(way @ np.asarray(normal), 0.0) / np.sqrt(square)
            ahead = np.maximum(-(way @ inwards), 0.0) / np.sqrt(square)
            strength = self.interior.daylight * area * (0.2 + facing) * ahead / (1.0 + square)
            light += strength[:, None] * DAYLIGHT
        return np.asarray(light * left)

    # Pictures

    def floor(self, number: int) -> Picture:
        """Of a room, from above, y up."""
        room = self.world.rooms[number]
        x0, y0, x1, y1 = room.area
        shape = _pixels(room, FLOOR_SCALE)
        light = self._spread(
            shape, lambda u, v: np.stack([x0 + u, y1 - v, 0 * u], -1), (x1 - x0, y1 - y0), (0, 0, 1), number
        )
        light *= self._corners(shape, FLOOR_SCALE)[..., None]
        light *= 1.0 - self._shadows(room, shape)[..., None]
        light += self._sunshine(number, room, shape)[..., None] * np.array([1.1, 1.0, 0.82])
        return _painted(_tiled(self.world.textures[room.floor], shape, FLOOR_SCALE), light)

    def ceiling(self, number: int) -> Picture:
        """Of a room, from below, y down; its lamps shine."""
        room, height, scale = self.world.rooms[number], self.interior.height, CEILING_SCALE
        x0, y0, x1, y1 = room.area
        shape = _pixels(room, scale)
        light = self._spread(
            shape, lambda u, v: np.stack([x0 + u, y0 + v, 0 * u + height], -1), (x1 - x0, y1 - y0), (0, 0, -1), number
        )
        light *= 0.9 * self._corners(shape, scale)[..., None]
        picture = _painted(_tiled(self.world.textures[self.interior.ceiling], shape, scale), light)
        for lamp in self.world.lights:
            x, y, _ = lamp.position
            if min(lamp.size) > 0 and x0 <= x <= x1 and y0 <= y <= y1:
                start, end = (
                    (round((x - x0 + s * lamp.size[0] / 2) * scale), round((y - y0 + s * lamp.size[1] / 2) * scale))
                    for s in (-1, 1)
                )
                shine = rgb(lamp.color) if lamp.brightness > 0 else np.array([150.0, 150.0, 146.0])
                cv2.rectangle(picture, start, end, tuple(int(v) for v in shine), -1)
        return picture

    def wall(self, wall: Wall, side: str, texture: str) -> Picture:
        """One side of a wall, as one who looks at it sees it; gaps of doors are painted over, frames are there."""
        length = wall_length(wall)
        shape = max(4, round(wall.height * WALL_SCALE)), max(4, round(length * WALL_SCALE))
        middle, normal = face_point(wall, side, length / 2)
        start, way = np.array(wall.start), (np.array(wall.end) - wall.start) / length
        room = self.world.room_at(*(middle + normal * EYE))

        def place(u: Array, v: Array) -> Array:
            along = length - u if side == "left" else u
            xy = start + along[..., None] * way + normal * wall.thickness / 2
            return np.concatenate([xy, (wall.height - v)[..., None]], -1)

        picture = _tiled(self.world.textures[texture], shape, WALL_SCALE).astype(np.float64)
        light = self._spread(shape, place, (length, wall.height), (*normal, 0.0), room)
        if room is not None:
            self._paint_trim(picture, wall, side)
            light *= self._corners(shape, WALL_SCALE)[..., None]
        return _painted(picture, light)

    def _paint_trim(self, picture: NDArray[np.float64], wall: Wall, side: str) -> None:
        """Dado, skirting, and the frames of doors."""
        interior, rows = self.interior, round(self.interior.skirting_height * WALL_SCALE)
        if interior.dado is not None:
            top = len(picture) - round(interior.dado_height * WALL_SCALE)
            picture[top:] = rgb(interior.dado)
            picture[top : top + 2] = rgb(interior.dado) * 0.8
        if rows:
            picture[-rows:] = rgb(interior.skirting)
            picture[-rows] *= 0.8
        width = interior.frame_width
        for door in doors_of(self.world, wall):
            a, b = door_span(wall, door)
            if side == "left":
                length = wall_length(wall)
                a, b = length - b, length - a
            top = len(picture) - round(((door.height or wall.height) + width) * WALL_SCALE)
            left, right = max(0, round((a - width) * WALL_SCALE)), round((b + width) * WALL_SCALE)
            picture[max(top, 0) :, left:right] = rgb(interior.frame)

    def _spread(
        self, shape: tuple[int, int], place: Place, size: tuple[float, float], normal: Sequence[float], room: int | None
    ) -> NDArray[np.float64]:
        """Light (H, W, 3), computed at a few points and spread: it changes slowly."""
        columns, rows = (max(2, round(length * 4.0)) for length in size)  # samples
        u, v = np.meshgrid((np.arange(columns) + 0.5) / columns * size[0], (np.arange(rows) + 0.5) / rows * size[1])
        points = place(u, v).reshape(-1, 3)
        light = self.at(points, normal, room).reshape(rows, columns, 3)
        return np.asarray(cv2.resize(light, shape[::-1], interpolation=cv2.INTER_LINEAR))

    def _corners(self, shape: tuple[int, int], scale: float) -> NDArray[np.float64]:
        """Factor (H, W): darker towards the edges, within about 0.3 m."""
        from_edge = [(np.arange(n) + 0.5) / scale for n in shape]
        rows, columns = (np.asarray(np.exp(-at / 0.3) + np.exp(-at[::-1] / 0.3)) for at in from_edge)
        return 1.0 - self.interior.corner * np.clip(rows[:, None] + columns, 0.0, 1.2)

    def _shadows(self, room: Room, shape: tuple[int, int]) -> NDArray[np.float32]:
        """How dark (H, W) the floor is below and around things."""
        near, wide = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        x0, y0, x1, y1 = room.area
        for thing in fixed_obstacles(self.world)[-len(self.world.furniture) :] if self.world.furniture else []:
            x, y = thing.center
            if x0 <= x <= x1 and y0 <= y <= y1 and thing.base < 1.0:
                edge = outline(thing, 12) - (x0, y0)
                pixels = np.stack([edge[:, 0], (y1 - y0) - edge[:, 1]], -1) * FLOOR_SCALE
                cv2.fillPoly(near if thing.base < HEADROOM else wide, [np.round(pixels).astype(np.int32)], 1.0)
        near, wide = (cv2.GaussianBlur(mask, None, s * FLOOR_SCALE) for mask, s in ((near, 0.08), (wide, 0.2)))
        return np.asarray(0.55 * np.maximum(near, 0.6 * wide))

    def _sunshine(self, number: int, room: Room, shape: tuple[int, int]) -> NDArray[np.float32]:
        """Where (H, W) sun falls through the windows onto the floor."""
        patch = np.zeros(shape, np.float32)
        if self.interior.sun is None:
            return patch
        azimuth, elevation = self.interior.sun
        towards = np.array([math.cos(azimuth), math.sin(azimuth)])
        x0, _, _, y1 = room.area
        for wall, pane in self._panes[number]:
            point, normal = face_point(wall, pane.side, pane.along)
            if -(normal @ towards) < 0.15:
                continue
            aside = np.array([-normal[1], normal[0]]) * pane.size[0] / 2
            low, high = pane.height - pane.size[1] / 2, pane.height + pane.size[1] / 2
            fall = -towards / math.tan(elevation)
            corners = [point + s * aside + z * fall for s, z in ((-1, low), (1, low), (1, high), (-1, high))]
            pixels = [((x - x0) * FLOOR_SCALE, (y1 - y) * FLOOR_SCALE) for x, y in corners]
            cv2.fillPoly(patch, [np.round(pixels).astype(np.int32)], 1.0)
        return np.asarray(0.8 * self.interior.daylight * cv2.GaussianBlur(patch, None, 0.03 * FLOOR_SCALE))


def face_point(wall: Wall, side: str, along: float) -> tuple[Array, Array]:
    """A point (2,) on the middle line of a wall, and the normal (2,) of a side of it."""
    return np.array(point_on_wall(wall, along)), wall_normal(wall, side)


def _pixels(room: Room, scale: float) -> tuple[int, int]:
    x0, y0, x1, y1 = room.area
    return max(4, round((y1 - y0) * scale)), max(4, round((x1 - x0) * scale))


@lru_cache(maxsize=64)
def _tile(texture: Texture, scale: float) -> Picture:
    size = max(4, round(texture.tile * scale))
    return np.asarray(cv2.resize(draw_texture(texture), (size, size), interpolation=cv2.INTER_AREA))


def _tiled(texture: Texture, shape: tuple[int, int], scale: float) -> Picture:
    """A picture of `shape` covered with a texture."""
    tile = _tile(texture, scale)
    rows, columns = (-(-shape[0] // len(tile)), -(-shape[1] // len(tile)))
    return np.tile(tile, (rows, columns, 1))[-shape[0] :, : shape[1]]


def _painted(picture: NDArray[np.float64] | Picture, light: NDArray[np.float64]) -> Picture:
    """A picture in a light: what is too bright tends to white, as cameras have it."""
    bright = picture / 255.0 * light
    soft = np.where(bright > 0.8, 0.8 + 0.2 * np.tanh((bright - 0.8) / 0.2), bright)
    return np.asarray(np.clip(255.0 * soft, 0, 255), dtype=np.uint8)
