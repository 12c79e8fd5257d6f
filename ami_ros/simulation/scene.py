"""A world as shapes, materials and lights: what is seen of it and what is solid. MJCF and SDF are written from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.simulation import floor_plan as layout
from ami_ros.simulation.lightmaps import LightField, face_point
from ami_ros.simulation.textures import Picture, draw_wall_picture, encode_png, poster_png, rgb, texture_png
from ami_ros.simulation.world import HEADROOM, Furniture, Interior, Point, Poster, Wall, World

PANEL = 0.003  # half thickness of wallpaper, floors and posters [m]
SKY, HORIZON = (0.86, 0.9, 0.95), (0.65, 0.7, 0.78)
WALL_CORE = (0.24, 0.26, 0.29, 1.0)  # what is seen of walls from above and in door frames
UPRIGHT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))

Vector = tuple[float, ...]
Solid = Literal["floor", "obstacle"]
Layer = Literal["scenery", "ceiling", "hidden"]


@dataclass(frozen=True)
class Material:
    """A picture on a face of a shape, or around all of it.

    Attributes:
        picture: name of a file of the scene.
        repeat: how often it is shown across and up a face.
        kind: "cube": the same on every face, else on the one that is looked at.
        shines: it is seen as it is, in whatever light.
    """

    picture: str
    repeat: tuple[float, float] = (1.0, 1.0)
    kind: Literal["2d", "cube"] = "2d"
    shines: bool = False


@dataclass(frozen=True)
class Shape:
    """A box, a cylinder, or an endless plane.

    Attributes:
        position: of its middle (3,) [m].
        size: half length, width and height [m]; of a cylinder radius and half its height.
        axes: its own x and y axis (2, 3).
        solid: what it is for those who touch it; None: it is only looked at.
        layer: the ceiling hides the world from above, and what is hidden is only touched.
        name: of furniture and doors.
        rgba: its colour without a material (0..1).
        material: name of a material of the scene.
        panel: of it only the face is looked at that its z axis points out of.
    """

    kind: Literal["box", "cylinder", "plane"]
    position: Vector
    size: Vector
    axes: tuple[Vector, Vector] = UPRIGHT
    solid: Solid | None = None
    layer: Layer = "scenery"
    name: str = ""
    rgba: Vector | None = None
    material: str = ""
    panel: bool = False


@dataclass(frozen=True)
class Beam:
    """A light without shadows: a lamp at `position` [m], or from far away along `direction`."""

    strength: float  # of each colour
    position: Vector | None = None
    direction: Vector = (0.0, 0.0, -1.0)


@dataclass
class Surroundings:
    """Light from everywhere and along the view (0..1), and the sky (3,): above and at the horizon."""

    ambient: float = 0.45
    frontal: float = 0.25
    sky: tuple[Vector, Vector] = field(default=(SKY, HORIZON))


LAMP_FALL = 0.02  # of lamps: light is divided by 1 + LAMP_FALL times the square of the distance [1/m^2]
LAMP_CONE = 10  # and multiplied by this power of the cosine of the angle to the lamp's direction


class Scene:
    """Shapes, materials and lights of `world`; `files` holds the pictures. Its doors are all closed as well as open."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.files: dict[str, bytes] = {}
        self.materials: dict[str, Material] = {}
        self.shapes: list[Shape] = []
        self.beams: list[Beam] = []
        self.surroundings = Surroundings()
        self.floors()
        self.walls()
        self.doors()
        for furniture in world.furniture:
            self.furniture(furniture)
        for poster in world.posters:
            self.poster(poster)
        self.lights()

    def floors(self) -> None:
        self.add_floor()
        for room in self.world.rooms:
            x0, y0, x1, y1 = room.area
            material = self._repeated(room.floor, [x1 - x0, y1 - y0])
            half = [(x1 - x0) / 2, (y1 - y0) / 2, PANEL]
            self.add("box", [(x0 + x1) / 2, (y0 + y1) / 2, -PANEL], half, material=material, panel=True)

    def add_floor(self) -> None:
        """What wheels stand on."""
        self.add("plane", [0, 0, 0], [0, 0, 1], solid="floor", name="floor", layer="hidden")

    def walls(self) -> None:
        for s in layout.solid_strips(self.world):
            half = [s.length / 2, s.thickness / 2, s.height / 2]
            self.add("box", [*s.center, half[2]], half, yaw=s.yaw, solid="obstacle", rgba=WALL_CORE)
        for wall in self.world.walls:
            for a, b in layout.wall_pieces(self.world, wall):
                size = (b - a, wall.height)
                for side, texture in (("left", wall.left), ("right", wall.right)):
                    if texture:
                        self.panel(wall, side, ((a + b) / 2, wall.height / 2), size, self._repeated(texture, size))

    def doors(self) -> None:
        for door in self.world.doors:
            o = layout.door_obstacle(self.world, door)
            half = [*o.half, o.height / 2]
            name, rgba = door_shape(door.name), rgba_of(door.color)
            self.add("box", [*o.center, half[2]], half, yaw=o.yaw, solid="obstacle", name=name, rgba=rgba)
            leaf = layout.leaf_obstacle(self.world, door)
            if leaf is not None:
                half = [*leaf.half, leaf.height / 2]
                name = leaf_shape(door.name)
                self.add("box", [*leaf.center, half[2]], half, yaw=leaf.yaw, solid="obstacle", name=name, rgba=rgba)

    def furniture(self, furniture: Furniture) -> None:
        length, width, height = furniture.size
        look: dict[str, Any] = {"rgba": self.color(furniture)}
        if furniture.texture:
            texture = self.world.textures[furniture.texture]
            repeat = [max(round(length / texture.tile), 1), 1]
            look = {"material": self.material(f"cube_{furniture.texture}", texture_png(texture), repeat, kind="cube")}
        half = [length / 2, width / 2, height / 2] if furniture.shape == "box" else [length / 2, height / 2]
        self.add(
            furniture.shape, [*furniture.position, furniture.base + height / 2], half, yaw=furniture.yaw,
            solid="obstacle" if furniture.base < HEADROOM else None, name=furniture.name, **look,
        )  # fmt: skip

    def color(self, furniture: Furniture) -> list[float]:
        """Of a piece without a texture."""
        return rgba_of(furniture.color)

    def poster(self, poster: Poster) -> None:
        wall = next(w for w in self.world.walls if w.name == poster.wall)
        material = self.material(f"poster_{poster.seed}", poster_png(poster.seed), [1, 1])
        self.panel(wall, poster.side, (poster.along, poster.height), poster.size, material, lift=2 * PANEL)

    def lights(self) -> None:
        self.beams = [Beam(light.brightness, position=light.position) for light in self.world.lights]
        usual, share = Surroundings(), self.world.brightness
        self.surroundings = Surroundings(usual.ambient * share, usual.frontal * share)

    def panel(
        self, wall: Wall, side: str, middle: Point, size: Sequence[float], material: str, lift: float = 0.0
    ) -> None:
        """A picture of `size` (width, height) on a wall, its `middle` along the wall and above the floor [m]."""
        direction = np.subtract(wall.end, wall.start) / layout.wall_length(wall)
        outward = np.array([-direction[1], direction[0]]) * (1 if side == "left" else -1)
        point = np.array(layout.point_on_wall(wall, middle[0])) + outward * (wall.thickness / 2 + lift)
        to_the_right = [-outward[1], outward[0], 0]  # for one who looks at the wall
        half = [size[0] / 2, size[1] / 2, PANEL]
        axes = (to_the_right, [0, 0, 1])
        self.add("box", [*point, middle[1]], half, material=material, axes=axes, panel=True)

    def _repeated(self, texture: str, size: Sequence[float]) -> str:
        """The name of a material that covers `size` [m] with a texture of the world."""
        spec = self.world.textures[texture]
        return self.material(texture, texture_png(spec), [size[0] / spec.tile, size[1] / spec.tile])

    def material(self, texture: str, png: bytes, repeat: Sequence[float], kind: Literal["2d", "cube"] = "2d") -> str:
        """The name of a material that shows the picture `png` so many times across and up a face."""
        self.files.setdefault(f"{texture}.png", png)
        name = f"{texture}:{len(self.materials)}"
        self.materials[name] = Material(f"{texture}.png", (float(repeat[0]), float(repeat[1])), kind)
        return name

    def add(
        self, kind: Literal["box", "cylinder", "plane"], position: Sequence[float], size: Sequence[float], *,
        yaw: float = 0.0, axes: tuple[Sequence[float], Sequence[float]] | None = None,
        rgba: Sequence[float] | None = None, **others: Any,
    ) -> None:  # fmt: skip
        """Adds a shape, turned by `yaw` [rad] where no `axes` are given."""
        c, s = float(np.cos(yaw)), float(np.sin(yaw))
        x, y = axes or ([c, s, 0.0], [-s, c, 0.0])
        floats = [tuple(float(v) for v in vector) for vector in (position, size, x, y, rgba or ())]
        shape = Shape(kind, floats[0], floats[1], (floats[2], floats[3]), rgba=floats[4] or None, **others)
        self.shapes.append(shape)


def door_shape(name: str) -> str:
    """The name of the panel of a closed door."""
    return f"door:{name}"


def leaf_shape(name: str) -> str:
    """The name of the leaf of an open door."""
    return f"leaf:{name}"


def rgba_of(color: str) -> list[float]:
    """A colour and its opacity (0..1)."""
    return [*(rgb(color) / 255), 1.0]


# An interior as shapes: surfaces with their light painted in, a ceiling, lintels over doors.

NIGHT = (0.05, 0.06, 0.09)
UP = (0.0, 0.0, 1.0)
GLASS = 0.18  # opacity
CHEST = 0.7  # height at which things are lit [m]


class InteriorScene(Scene):
    """Surfaces shine with the light that `LightField` has painted on them; only furniture is shaded by lights."""

    @cached_property
    def interior(self) -> Interior:
        assert self.world.interior is not None
        return self.world.interior

    @cached_property
    def light(self) -> LightField:
        return LightField(self.world)

    def floors(self) -> None:
        self.add_floor()
        height = self.interior.height
        for number, room in enumerate(self.world.rooms):
            x0, y0, x1, y1 = room.area
            middle, half = [(x0 + x1) / 2, (y0 + y1) / 2], [(x1 - x0) / 2, (y1 - y0) / 2, PANEL]
            floor = self.shining(f"floor_of_{number}", self.light.floor(number))
            self.add("box", [*middle, -PANEL], half, material=floor, panel=True)
            ceiling = self.shining(f"ceiling_of_{number}", self.light.ceiling(number))
            down = ([1, 0, 0], [0, -1, 0])
            place = [*middle, height + PANEL]
            self.add("box", place, half, material=ceiling, layer="ceiling", axes=down, panel=True)

    def walls(self) -> None:
        for s in layout.solid_strips(self.world):
            half = [s.length / 2, s.thickness / 2, s.height / 2]
            color = self.lit(self.interior.frame, (*s.center, CHEST))
            self.add("box", [*s.center, half[2]], half, yaw=s.yaw, solid="obstacle", rgba=color)
        for wall in self.world.walls:
            for side, texture in (("left", wall.left), ("right", wall.right)):
                if texture:
                    self._face(wall, side, self.light.wall(wall, side, texture))
            self._lintels(wall)

    def _face(self, wall: Wall, side: str, picture: Picture) -> None:
        """One side of a wall, in pieces between and above its doors."""
        pieces = [(a, b, 0.0) for a, b in layout.wall_pieces(self.world, wall)]
        pieces += [(a, b, height) for a, b, height in self._gaps(wall)]
        length = layout.wall_length(wall)
        for a, b, low in pieces:
            left, right = (length - b, length - a) if side == "left" else (a, b)
            columns = [round(edge / length * picture.shape[1]) for edge in (left, right)]
            rows = round((1 - low / wall.height) * len(picture))
            crop = picture[: max(rows, 1), columns[0] : max(columns[1], columns[0] + 1)]
            material = self.shining(f"{wall.name}:{side}:{a:.2f}:{low:.2f}", crop)
            self.panel(wall, side, ((a + b) / 2, (low + wall.height) / 2), (b - a, wall.height - low), material)

    def _gaps(self, wall: Wall) -> list[tuple[float, float, float]]:
        """Doors that do not reach to the top: from, to along the wall, height [m]."""
        found = []
        for door in layout.doors_of(self.world, wall):
            if door.height is not None and door.height < wall.height:
                a, b = sorted((layout.along_wall(wall, door.start)[0], layout.along_wall(wall, door.end)[0]))
                found.append((a, b, door.height))
        return found

    def _lintels(self, wall: Wall) -> None:
        (x0, y0), (x1, y1) = wall.start, wall.end
        for a, b, low in self._gaps(wall):
            x, y = layout.point_on_wall(wall, (a + b) / 2)
            half = [(b - a) / 2, wall.thickness / 2, (wall.height - low) / 2]
            color = self.lit(self.interior.frame, (x, y, CHEST))
            self.add("box", [x, y, (low + wall.height) / 2], half, yaw=float(np.arctan2(y1 - y0, x1 - x0)), rgba=color)

    def poster(self, poster: Poster) -> None:
        wall = next(w for w in self.world.walls if w.name == poster.wall)
        picture = draw_wall_picture(poster, self.interior)
        name = f"{poster.kind}_{poster.seed}_{poster.size[0]:g}_{poster.size[1]:g}"
        if poster.kind != "window":  # it is lit as the wall is
            point, normal = face_point(wall, poster.side, poster.along)
            place = np.array([[*(point + normal * 0.1), poster.height]])
            light = self.light.at(place, (*normal, 0.0), self.light.room_at(*place[0, :2]))[0]
            picture = np.clip(picture * light, 0, 255).astype(np.uint8)
            name += f"_{poster.wall}_{poster.along:g}"
        self.panel(
            wall, poster.side, (poster.along, poster.height), poster.size, self.shining(name, picture), lift=2 * PANEL
        )

    def lights(self) -> None:
        """Where light comes from on the whole: from above, a little from one side."""
        turn = self.interior.gloom_direction
        aside = float(np.cos(turn)), float(np.sin(turn))
        self.beams = [
            Beam(0.38, direction=(0.25 * aside[0], 0.25 * aside[1], -1.0)), Beam(0.16, direction=(*aside, -0.2)),
        ]  # fmt: skip
        share = min(1.0, self.interior.daylight * 1.6)
        sky = tuple(tuple(((1 - share) * np.array(NIGHT) + share * np.array(day)).tolist()) for day in (SKY, HORIZON))
        self.surroundings = Surroundings(0.62, 0.12, (sky[0], sky[1]))

    def color(self, furniture: Furniture) -> list[float]:
        color = self.lit(furniture.color, (*furniture.position, furniture.base + furniture.size[2]))
        return [*color[:3], GLASS] if furniture.surface == "glass" else color

    def lit(self, color: str, place: tuple[float, float, float]) -> list[float]:
        """A colour in the light of a place [m]."""
        room = self.light.room_at(*place[:2])
        light: Array = self.light.at(np.array([place]), UP, room)[0]
        return [*np.clip(rgb(color) / 255 * np.minimum(light, 1.35), 0.0, 1.0), 1.0]

    def shining(self, name: str, picture: Picture) -> str:
        """The name of a material that shows `picture` as it is, once; the same name again is the same picture."""
        if name not in self.materials:
            self.files[f"{name}.png"] = encode_png(picture)
            self.materials[name] = Material(f"{name}.png", shines=True)
        return name


def scene_of(world: World) -> Scene:
    """The scene of any world."""
    return InteriorScene(world) if world.interior else Scene(world)


def light_on_people(world: World) -> float:
    """How bright those are who go about in all rooms, as a share of how they look in plain daylight."""
    if world.interior is None:
        return world.brightness
    light = LightField(world)
    middles = [((x0 + x1) / 2, (y0 + y1) / 2, CHEST) for x0, y0, x1, y1 in (room.area for room in world.rooms)]
    found = [light.at(np.array([place]), UP, number)[0].mean() for number, place in enumerate(middles)]
    return float(np.clip(np.mean(found), 0.05, 1.35))
