"""An interior as shapes: surfaces with their light painted in, a ceiling, lintels over doors."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ami_ros.geometry import Array
from ami_ros.simulation import layout
from ami_ros.simulation.lightmaps import LightField, face_point
from ami_ros.simulation.scene import HORIZON, PANEL, SKY, Beam, Material, Scene, Surroundings
from ami_ros.simulation.textures import Picture, encode_png, rgb
from ami_ros.simulation.wall_pictures import draw_wall_picture
from ami_ros.simulation.world import Furniture, Interior, Poster, Wall, World

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
