"""A world as shapes, materials and lights: what is seen of it and what is solid. MJCF and SDF are written from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ami_ros.core.geometry import Array
from ami_ros.simulation.floor_plan import (
    Obstacle,
    door_obstacle,
    door_span,
    doors_of,
    leaf_obstacle,
    point_on_wall,
    wall_length,
    wall_normal,
    wall_obstacles,
    wall_pieces,
)
from ami_ros.simulation.lightmaps import LightField, face_point
from ami_ros.simulation.textures import Picture, draw_wall_picture, encode_png, poster_png, rgb, texture_png
from ami_ros.simulation.world import HEADROOM, Furniture, Interior, Point, Poster, Wall, World

PANEL = 0.003  # half thickness of wallpaper, floors and posters [m]
CHEST = 0.7  # height at which things are lit [m]

Vector = tuple[float, ...]


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
        name: of furniture, of closed doors ("door:NAME") and of leaves of open ones ("leaf:NAME").
        rgba: its colour without a material (0..1).
        material: name of a material of the scene.
        panel: of it only the face is looked at that its z axis points out of.
    """

    kind: Literal["box", "cylinder", "plane"]
    position: Vector
    size: Vector
    axes: tuple[Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    solid: Literal["floor", "obstacle"] | None = None
    layer: Literal["scenery", "ceiling", "hidden"] = "scenery"
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
    fall: float = 0.02  # of lamps: light is divided by 1 + `fall` times the square of the distance [1/m^2]
    cone: int = 10  # of lamps: it is multiplied by this power of the cosine of the angle to the direction


@dataclass
class Surroundings:
    """Light from everywhere and along the view (0..1), and the sky (3,): above and at the horizon."""

    ambient: float = 0.45
    frontal: float = 0.25
    sky: tuple[Vector, Vector] = ((0.86, 0.9, 0.95), (0.65, 0.7, 0.78))


class Scene:
    """Shapes, materials and lights of `world`; `files` holds the pictures. Its doors are all closed as well as open."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.files: dict[str, bytes] = {}
        self.materials: dict[str, Material] = {}
        self.shapes: list[Shape] = []
        self.beams: list[Beam] = []
        self.surroundings = Surroundings()
        self.add("plane", [0, 0, 0], [0, 0, 1], solid="floor", name="floor", layer="hidden")  # what wheels stand on
        self.floors()
        for o in wall_obstacles(world):
            self.add_obstacle(o, "", self.core_color(o.center))
        for wall in world.walls:
            self.faces(wall)
        for door in world.doors:
            self.add_obstacle(door_obstacle(world, door), f"door:{door.name}", rgba_of(door.color))
            if (leaf := leaf_obstacle(world, door)) is not None:
                self.add_obstacle(leaf, f"leaf:{door.name}", rgba_of(door.color))
        for furniture in world.furniture:
            self.furniture(furniture)
        for poster in world.posters:
            self.poster(next(w for w in world.walls if w.name == poster.wall), poster)
        self.lights()

    def floors(self) -> None:
        for room in self.world.rooms:
            x0, y0, x1, y1 = room.area
            material = self._repeated(room.floor, [x1 - x0, y1 - y0])
            half = [(x1 - x0) / 2, (y1 - y0) / 2, PANEL]
            self.add("box", [(x0 + x1) / 2, (y0 + y1) / 2, -PANEL], half, material=material, panel=True)

    def core_color(self, place: Point) -> Sequence[float]:
        """What is seen of walls from above and in door frames."""
        return 0.24, 0.26, 0.29, 1.0

    def faces(self, wall: Wall) -> None:
        """What is seen of both sides of a wall."""
        for a, b in wall_pieces(self.world, wall):
            size = (b - a, wall.height)
            for side, texture in (("left", wall.left), ("right", wall.right)):
                if texture:
                    self.panel(wall, side, ((a + b) / 2, wall.height / 2), size, self._repeated(texture, size))

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

    def poster(self, wall: Wall, poster: Poster) -> None:
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
        outward = wall_normal(wall, side)
        point = np.array(point_on_wall(wall, middle[0])) + outward * (wall.thickness / 2 + lift)
        axes = ([-outward[1], outward[0], 0], [0, 0, 1])  # to the right for one who looks at the wall, and up
        half = [size[0] / 2, size[1] / 2, PANEL]
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

    def add_obstacle(self, o: Obstacle, name: str, rgba: Sequence[float]) -> None:
        """Adds a solid box that stands on the floor."""
        half = [*o.half, o.height / 2]
        self.add("box", [*o.center, half[2]], half, yaw=o.yaw, solid="obstacle", name=name, rgba=rgba)

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


class InteriorScene(Scene):
    """Surfaces shine with the light that `LightField` has painted on them; only furniture is shaded by lights."""

    def __init__(self, world: World, interior: Interior) -> None:
        self.interior, self.light = interior, LightField(world)
        super().__init__(world)

    def floors(self) -> None:
        height = self.interior.height
        for number, room in enumerate(self.world.rooms):
            x0, y0, x1, y1 = room.area
            middle, half = [(x0 + x1) / 2, (y0 + y1) / 2], [(x1 - x0) / 2, (y1 - y0) / 2, PANEL]
            floor = self.shining(f"floor_of_{number}", self.light.floor(number))
            self.add("box", [*middle, -PANEL], half, material=floor, panel=True)
            ceiling = self.shining(f"ceiling_of_{number}", self.light.ceiling(number))
            place, down = [*middle, height + PANEL], ([1, 0, 0], [0, -1, 0])
            self.add("box", place, half, material=ceiling, layer="ceiling", axes=down, panel=True)

    def core_color(self, place: Point) -> Sequence[float]:
        return self.lit(self.interior.frame, (*place, CHEST))

    def faces(self, wall: Wall) -> None:
        """In pieces between and above doors, with lintels over those that do not reach to the top."""
        spans = [(*door_span(wall, door), door.height) for door in doors_of(self.world, wall)]
        gaps = [(a, b, height) for a, b, height in spans if height is not None and height < wall.height]
        pieces = [*((a, b, 0.0) for a, b in wall_pieces(self.world, wall)), *gaps]
        length = wall_length(wall)
        for side, texture in (("left", wall.left), ("right", wall.right)):
            if not texture:
                continue
            picture = self.light.wall(wall, side, texture)
            for a, b, low in pieces:
                left, right = (length - b, length - a) if side == "left" else (a, b)
                columns = [round(edge / length * picture.shape[1]) for edge in (left, right)]
                rows = round((1 - low / wall.height) * len(picture))
                crop = picture[: max(rows, 1), columns[0] : max(columns[1], columns[0] + 1)]
                material = self.shining(f"{wall.name}:{side}:{a:.2f}:{low:.2f}", crop)
                self.panel(wall, side, ((a + b) / 2, (low + wall.height) / 2), (b - a, wall.height - low), material)
        (x0, y0), (x1, y1) = wall.start, wall.end
        for a, b, low in gaps:
            x, y = point_on_wall(wall, (a + b) / 2)
            half, yaw = [(b - a) / 2, wall.thickness / 2, (wall.height - low) / 2], float(np.arctan2(y1 - y0, x1 - x0))
            self.add("box", [x, y, (low + wall.height) / 2], half, yaw=yaw, rgba=self.core_color((x, y)))

    def poster(self, wall: Wall, poster: Poster) -> None:
        picture = draw_wall_picture(poster, self.interior)
        name = f"{poster.kind}_{poster.seed}_{poster.size[0]:g}_{poster.size[1]:g}"
        if poster.kind != "window":  # it is lit as the wall is
            point, normal = face_point(wall, poster.side, poster.along)
            place = np.array([[*(point + normal * 0.1), poster.height]])
            light = self.light.at(place, (*normal, 0.0), self.world.room_at(*place[0, :2]))[0]
            picture = np.clip(picture * light, 0, 255).astype(np.uint8)
            name += f"_{poster.wall}_{poster.along:g}"
        material = self.shining(name, picture)
        self.panel(wall, poster.side, (poster.along, poster.height), poster.size, material, lift=2 * PANEL)

    def lights(self) -> None:
        """Where light comes from on the whole: from above, a little from one side."""
        turn = self.interior.gloom_direction
        aside = float(np.cos(turn)), float(np.sin(turn))
        above = Beam(0.38, direction=(0.25 * aside[0], 0.25 * aside[1], -1.0))
        self.beams = [above, Beam(0.16, direction=(*aside, -0.2))]
        share, night = min(1.0, self.interior.daylight * 1.6), np.array((0.05, 0.06, 0.09))
        up, horizon = (tuple(((1 - share) * night + share * np.array(day)).tolist()) for day in Surroundings().sky)
        self.surroundings = Surroundings(0.62, 0.12, (up, horizon))

    def color(self, furniture: Furniture) -> list[float]:
        color = self.lit(furniture.color, (*furniture.position, furniture.base + furniture.size[2]))
        return [*color[:3], 0.18] if furniture.surface == "glass" else color

    def lit(self, color: str, place: tuple[float, float, float]) -> list[float]:
        """A colour in the light of a place [m]."""
        light: Array = self.light.at(np.array([place]), (0.0, 0.0, 1.0), self.world.room_at(*place[:2]))[0]
        return [*np.clip(rgb(color) / 255 * np.minimum(light, 1.35), 0.0, 1.0), 1.0]

    def shining(self, name: str, picture: Picture) -> str:
        """The name of a material that shows `picture` as it is, once; the same name again is the same picture."""
        if name not in self.materials:
            self.files[f"{name}.png"] = encode_png(picture)
            self.materials[name] = Material(f"{name}.png", shines=True)
        return name


def rgba_of(color: str) -> list[float]:
    """A colour and its opacity (0..1)."""
    return [*(rgb(color) / 255), 1.0]


def scene_of(world: World) -> Scene:
    """The scene of any world."""
    return InteriorScene(world, world.interior) if world.interior else Scene(world)


def light_on_people(world: World) -> float:
    """How bright those are who go about in all rooms, as a share of how they look in plain daylight."""
    if world.interior is None:
        return world.brightness
    light = LightField(world)
    middles = [((x0 + x1) / 2, (y0 + y1) / 2, CHEST) for x0, y0, x1, y1 in (room.area for room in world.rooms)]
    found = [light.at(np.array([place]), (0.0, 0.0, 1.0), n)[0].mean() for n, place in enumerate(middles)]
    return float(np.clip(np.mean(found), 0.05, 1.35))
