"""A world as an MJCF document: what is seen of it and what is solid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.robots.description import RobotDescription
from ami_ros.simulation import layout
from ami_ros.simulation.elements import add
from ami_ros.simulation.rendering import HIDDEN_GROUP, mujoco
from ami_ros.simulation.robot_model import FLOOR_CONTACTS, NO_CONTACTS, OBSTACLE_CONTACTS, add_actuators, add_robot
from ami_ros.simulation.textures import poster_png, rgb, texture_png
from ami_ros.simulation.world import HEADROOM, Furniture, Point, Poster, Wall, World

TIMESTEP = 0.01  # of the physics [s]
SCENERY_GROUP = 0  # geometry group of what is only looked at
PANEL = 0.003  # half thickness of wallpaper, floors and posters [m]
SKY, HORIZON = (0.86, 0.9, 0.95), (0.65, 0.7, 0.78)
WALL_CORE = (0.24, 0.26, 0.29, 1.0)  # what is seen of walls from above and in door frames
CEILING = 6.0  # height of the ceiling camera [m]
CEILING_BORDER = 0.1  # of the surroundings that it sees on each side [m]


class Scene:
    """An MJCF document in the making; `files` holds its pictures."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.files: dict[str, bytes] = {}
        self.root = ElementTree.Element("mujoco", model=world.name)
        self.asset = add(self.root, "asset")
        self.body = add(self.root, "worldbody")
        self._middle = [world.size[0] / 2, world.size[1] / 2]

    def build(self, antialiasing: int, robot: RobotDescription) -> mujoco.MjModel:
        """The model of everything, with `robot` at the origin."""
        self.settings(antialiasing)
        self.floors()
        self.walls()
        self.doors()
        for furniture in self.world.furniture:
            self.furniture(furniture)
        for poster in self.world.posters:
            self.poster(poster)
        self.lights()
        self.ceiling_camera()
        add_robot(self.body, self.asset, self.files, robot)
        add_actuators(self.root, robot)
        return mujoco.MjModel.from_xml_string(ElementTree.tostring(self.root, encoding="unicode"), self.files)

    def settings(self, antialiasing: int) -> None:
        add(self.root, "compiler", angle="radian")
        add(self.root, "option", timestep=TIMESTEP, integrator="implicitfast", cone="elliptic", impratio=10)
        add(self.root, "statistic", extent=4, center=[*self._middle, 0.5])
        visual = add(self.root, "visual")
        add(visual, "quality", offsamples=antialiasing, numslices=20, numquads=2)
        add(visual, "global", offwidth=4096, offheight=4096)
        add(visual, "map", znear=0.01, zfar=20)
        add(visual, "headlight", ambient=[0.45] * 3, diffuse=[0.25] * 3, specular=[0] * 3)
        add(self.asset, "texture", type="skybox", builtin="gradient", width=32, height=192, rgb1=SKY, rgb2=HORIZON)

    def floors(self) -> None:
        self.geom("plane", [0, 0, 0], [0, 0, 1], contacts=FLOOR_CONTACTS, name="floor", group=HIDDEN_GROUP)
        for room in self.world.rooms:
            x0, y0, x1, y1 = room.area
            material = self._repeated(room.floor, [x1 - x0, y1 - y0])
            self.geom(
                "box", [(x0 + x1) / 2, (y0 + y1) / 2, -PANEL], [(x1 - x0) / 2, (y1 - y0) / 2, PANEL], material=material
            )

    def walls(self) -> None:
        for s in layout.solid_strips(self.world):
            half = [s.length / 2, s.thickness / 2, s.height / 2]
            self.geom("box", [*s.center, half[2]], half, yaw=s.yaw, contacts=OBSTACLE_CONTACTS, rgba=WALL_CORE)
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
            name, rgba = door_geom(door.name), rgba_of(door.color)
            self.geom("box", [*o.center, half[2]], half, yaw=o.yaw, contacts=OBSTACLE_CONTACTS, name=name, rgba=rgba)
            leaf = layout.leaf_obstacle(self.world, door)
            if leaf is not None:
                half = [*leaf.half, leaf.height / 2]
                self.geom("box", [*leaf.center, half[2]], half, yaw=leaf.yaw, contacts=OBSTACLE_CONTACTS,
                          name=leaf_geom(door.name), rgba=rgba)  # fmt: skip

    def furniture(self, furniture: Furniture) -> None:
        length, width, height = furniture.size
        look: dict[str, Any] = {"rgba": self.color(furniture)}
        if furniture.texture:
            texture = self.world.textures[furniture.texture]
            repeat = [max(round(length / texture.tile), 1), 1]
            look = {"material": self.material(f"cube_{furniture.texture}", texture_png(texture), repeat, kind="cube")}
        half = [length / 2, width / 2, height / 2] if furniture.shape == "box" else [length / 2, height / 2]
        self.geom(
            furniture.shape, [*furniture.position, furniture.base + height / 2], half, yaw=furniture.yaw,
            contacts=OBSTACLE_CONTACTS if furniture.base < HEADROOM else NO_CONTACTS, name=furniture.name, **look,
        )  # fmt: skip

    def color(self, furniture: Furniture) -> list[float]:
        """Of a piece without a texture."""
        return rgba_of(furniture.color)

    def poster(self, poster: Poster) -> None:
        wall = next(w for w in self.world.walls if w.name == poster.wall)
        material = self.material(f"poster_{poster.seed}", poster_png(poster.seed), [1, 1])
        self.panel(wall, poster.side, (poster.along, poster.height), poster.size, material, lift=2 * PANEL)

    def lights(self) -> None:
        for light in self.world.lights:
            add(
                self.body, "light", pos=light.position, dir=[0, 0, -1], castshadow="false", cutoff=90,
                diffuse=[light.brightness] * 3, specular=[0] * 3, attenuation=[1, 0, 0.02],
            )  # fmt: skip

    def ceiling_camera(self) -> None:
        position, view = [*self._middle, CEILING], ceiling_view(self.world)
        add(self.body, "camera", name="ceiling", pos=position, projection="orthographic", fovy=view)

    def panel(
        self, wall: Wall, side: str, middle: Point, size: Sequence[float], material: str, lift: float = 0.0
    ) -> None:
        """A picture of `size` (width, height) on a wall, its `middle` along the wall and above the floor [m]."""
        direction = np.subtract(wall.end, wall.start) / layout.wall_length(wall)
        outward = np.array([-direction[1], direction[0]]) * (1 if side == "left" else -1)
        point = np.array(layout.point_on_wall(wall, middle[0])) + outward * (wall.thickness / 2 + lift)
        to_the_right = [-outward[1], outward[0], 0]  # for one who looks at the wall
        half = [size[0] / 2, size[1] / 2, PANEL]
        self.geom("box", [*point, middle[1]], half, material=material, axes=[*to_the_right, 0, 0, 1])

    def _repeated(self, texture: str, size: Sequence[float]) -> str:
        """The name of a material that covers `size` [m] with a texture of the world."""
        spec = self.world.textures[texture]
        return self.material(texture, texture_png(spec), [size[0] / spec.tile, size[1] / spec.tile])

    def material(self, texture: str, png: bytes, repeat: Sequence[float], kind: str = "2d") -> str:
        """The name of a material that shows the picture `png` so many times across and up a face."""
        if f"{texture}.png" not in self.files:
            self.files[f"{texture}.png"] = png
            add(self.asset, "texture", name=texture, type=kind, file=f"{texture}.png")
        name = f"{texture}:{len(self.asset)}"
        add(self.asset, "material", name=name, texture=texture, texrepeat=repeat, specular=0, shininess=0)
        return name

    def geom(
        self, kind: str, position: ArrayLike, size: ArrayLike, *, yaw: float = 0.0, axes: ArrayLike | None = None,
        contacts: Mapping[str, int] = NO_CONTACTS, group: int = SCENERY_GROUP, **look: Any,
    ) -> None:  # fmt: skip
        turn: dict[str, ArrayLike] = {"euler": [0, 0, yaw]} if axes is None else {"xyaxes": axes}
        add(self.body, "geom", type=kind, pos=position, size=size, group=group, **turn, **contacts, **look)


def door_geom(name: str) -> str:
    """The name of the panel of a closed door."""
    return f"door:{name}"


def leaf_geom(name: str) -> str:
    """The name of the leaf of an open door."""
    return f"leaf:{name}"


def ceiling_view(world: World) -> float:
    """Width and height of what the ceiling camera sees [m], the middle of the world in its middle."""
    return max(world.size) + 2 * CEILING_BORDER


def rgba_of(color: str) -> list[float]:
    """A colour as MuJoCo takes it."""
    return [*(rgb(color) / 255), 1.0]
