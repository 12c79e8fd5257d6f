"""World -> MuJoCo model."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree as Xml

import cv2
import numpy as np
from numpy.typing import ArrayLike

from ami_ros.simulation import layout
from ami_ros.simulation.rendering import HIDDEN_GROUP, mujoco
from ami_ros.simulation.robot_model import FLOOR_CONTACTS, NO_CONTACTS, OBSTACLE_CONTACTS, add_actuators, add_robot
from ami_ros.simulation.textures import Picture, draw_poster, draw_texture, rgb
from ami_ros.simulation.world import Furniture, Poster, Texture, Wall, World

TIMESTEP = 0.01  # of the physics [s]
SCENERY_GROUP = 0  # geometry group of what is only looked at
PANEL = 0.003  # half thickness of wallpaper, floors and posters [m]
WALL_CORE = "0.24 0.26 0.29 1"  # what is seen of walls from above and in door frames
SKY = "0.86 0.9 0.95"


def build_model(world: World, antialiasing: int = 0) -> mujoco.MjModel:
    """The model of `world` with the robot in it. `antialiasing`: samples a pixel of every picture.

    A door called NAME is a geometry called "door:NAME", built closed; the simulator switches it.
    """
    xml, assets = _Builder(world, antialiasing).build()
    return mujoco.MjModel.from_xml_string(xml, assets)


def door_geom(name: str) -> str:
    """The name in the model of the door called `name`."""
    return f"door:{name}"


@dataclass
class _Builder:
    world: World
    antialiasing: int

    def build(self) -> tuple[str, dict[str, bytes]]:
        self._files: dict[str, bytes] = {}
        self._materials = 0
        root = Xml.Element("mujoco", model=self.world.name)
        self._settings(root)
        self._asset = Xml.SubElement(root, "asset")
        Xml.SubElement(
            self._asset, "texture", type="skybox", builtin="gradient", rgb1=SKY, rgb2="0.65 0.7 0.78", width="32", height="192"
        )
        self._body = Xml.SubElement(root, "worldbody")
        self._floors()
        self._walls()
        for furniture in self.world.furniture:
            self._furniture(furniture)
        for poster in self.world.posters:
            self._poster(poster)
        self._lights_and_ceiling_camera()
        add_robot(self._body, self._asset, self._files)
        add_actuators(root)
        return Xml.tostring(root, encoding="unicode"), self._files

    def _settings(self, root: Xml.Element) -> None:
        Xml.SubElement(root, "compiler", angle="radian")
        Xml.SubElement(root, "option", timestep=f"{TIMESTEP}", integrator="implicitfast", cone="elliptic", impratio="10")
        Xml.SubElement(root, "statistic", extent="4", center=_text([self.world.size[0] / 2, self.world.size[1] / 2, 0.5]))
        visual = Xml.SubElement(root, "visual")
        Xml.SubElement(visual, "quality", offsamples=str(self.antialiasing), numslices="20", numquads="2")
        Xml.SubElement(visual, "global", offwidth="4096", offheight="4096")
        Xml.SubElement(visual, "map", znear="0.01", zfar="20")
        Xml.SubElement(visual, "headlight", ambient="0.45 0.45 0.45", diffuse="0.25 0.25 0.25", specular="0 0 0")

    def _floors(self) -> None:
        self._geom("plane", [0, 0, 0], [0, 0, 1], contacts=FLOOR_CONTACTS, name="floor", group=HIDDEN_GROUP)
        for room in self.world.rooms:
            x0, y0, x1, y1 = room.area
            size = [x1 - x0, y1 - y0]
            material = self._textured(room.floor, size)
            middle = [(x0 + x1) / 2, (y0 + y1) / 2, -PANEL]
            self._geom("box", middle, [size[0] / 2, size[1] / 2, PANEL], material=material)

    def _walls(self) -> None:
        for strip in layout.solid_strips(self.world):
            size = [strip.length / 2, strip.thickness / 2, strip.height / 2]
            self._geom("box", [*strip.center, size[2]], size, yaw=strip.yaw, contacts=OBSTACLE_CONTACTS, rgba=WALL_CORE)
        for wall in self.world.walls:
            for a, b in layout.wall_pieces(self.world, wall):
                for side, texture in (("left", wall.left), ("right", wall.right)):
                    if texture:
                        size = [b - a, wall.height]
                        self._panel(wall, side, (a + b) / 2, wall.height / 2, size, self._textured(texture, size), PANEL)
        for door in self.world.doors:
            o = layout.door_obstacle(self.world, door)
            rgba = _rgba(door.color)
            size = [*o.half, o.height / 2]
            self._geom("box", [*o.center, size[2]], size, yaw=o.yaw, contacts=OBSTACLE_CONTACTS, rgba=rgba, name=door_geom(door.name))

    def _panel(
        self, wall: Wall, side: str, along: float, height: float, size: ArrayLike, material: str, thickness: float
    ) -> None:
        """A picture of `size` (width, height) on a wall, upright for one who looks at it."""
        direction = np.subtract(wall.end, wall.start) / layout.wall_length(wall)
        outward = np.array([-direction[1], direction[0]]) * (1 if side == "left" else -1)
        point = np.array(layout.point_on_wall(wall, along)) + outward * (wall.thickness / 2 + thickness - PANEL)
        right = [-outward[1], outward[0], 0]  # of the picture, as one sees it who faces it
        half = [*(np.asarray(size) / 2), PANEL]
        self._geom("box", [*point, height], half, material=material, axes=[*right, 0, 0, 1])

    def _furniture(self, furniture: Furniture) -> None:
        length, width, height = furniture.size
        look: dict[str, str] = {"rgba": _rgba(furniture.color)}
        if furniture.texture:
            look = {"material": self._furniture_material(furniture.texture, furniture)}
        position = [*furniture.position, height / 2]
        size = [length / 2, width / 2, height / 2] if furniture.shape == "box" else [length / 2, height / 2]
        self._geom(furniture.shape, position, size, yaw=furniture.yaw, contacts=OBSTACLE_CONTACTS, name=furniture.name, **look)

    def _furniture_material(self, texture: str, furniture: Furniture) -> str:
        """Boxes carry their texture on all six faces."""
        tile = self.world.textures[texture].tile
        picture = draw_texture(self.world.textures[texture])
        repeat = [max(round(furniture.size[0] / tile), 1), 1]
        return self._material(f"cube_{texture}", picture, repeat, kind="cube")

    def _poster(self, poster: Poster) -> None:
        wall = next(w for w in self.world.walls if w.name == poster.wall)
        material = self._material(f"poster_{poster.seed}", draw_poster(poster.seed), [1, 1])
        self._panel(wall, poster.side, poster.along, poster.height, poster.size, material, 3 * PANEL)

    def _textured(self, texture: str, size: list[float]) -> str:
        spec: Texture = self.world.textures[texture]
        return self._material(texture, draw_texture(spec), [size[0] / spec.tile, size[1] / spec.tile])

    def _material(self, texture: str, picture: Picture, repeat: list[float], kind: str = "2d") -> str:
        """A material that shows `picture` so many times across the face."""
        file = f"{texture}.png"
        if file not in self._files:
            self._files[file] = encode_png(picture)
            Xml.SubElement(self._asset, "texture", name=texture, type=kind, file=file)
        self._materials += 1
        name = f"{texture}_{self._materials}"
        Xml.SubElement(
            self._asset, "material", name=name, texture=texture, texrepeat=_text(repeat), specular="0", shininess="0"
        )
        return name

    def _lights_and_ceiling_camera(self) -> None:
        for light in self.world.lights:
            diffuse = _text([light.brightness] * 3)
            Xml.SubElement(
                self._body, "light", pos=_text(light.position), dir="0 0 -1", diffuse=diffuse, specular="0 0 0",
                attenuation="1 0 0.02", cutoff="90", castshadow="false",
            )  # fmt: skip
        width, depth = self.world.size
        Xml.SubElement(
            self._body, "camera", name="ceiling", pos=_text([width / 2, depth / 2, 6.0]), projection="orthographic",
            fovy=str(max(width, depth) + 0.2),
        )  # fmt: skip

    def _geom(
        self, kind: str, position: ArrayLike, size: ArrayLike, *, yaw: float = 0.0, axes: ArrayLike | None = None,
        contacts: dict[str, str] = NO_CONTACTS, group: int = SCENERY_GROUP, **look: str,
    ) -> None:  # fmt: skip
        turn = {"euler": _text([0, 0, yaw])} if axes is None else {"xyaxes": _text(axes)}
        Xml.SubElement(
            self._body, "geom", type=kind, pos=_text(position), size=_text(size), group=str(group), **turn, **contacts, **look
        )


def encode_png(picture: Picture) -> bytes:
    """`picture` as a PNG file."""
    return bytes(cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1])


def _text(values: ArrayLike) -> str:
    return " ".join(f"{v:.6g}" for v in np.asarray(values, dtype=np.float64))


def _rgba(color: str) -> str:
    return _text([*(rgb(color) / 255), 1])
