"""World -> MuJoCo model."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from numpy.typing import ArrayLike

from ami_ros.robots.description import RobotDescription, default_robot
from ami_ros.simulation.elements import CEILING_GROUP, HIDDEN_GROUP, SCENERY_GROUP, Element, add
from ami_ros.simulation.interior_scene import light_on_people, scene_of
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.people.mocap import add_bodies
from ami_ros.simulation.rendering import mujoco
from ami_ros.simulation.robot_model import (
    FLOOR_CONTACTS,
    NO_CONTACTS,
    OBSTACLE_CONTACTS,
    add_actuators,
    add_other,
    add_robot,
)
from ami_ros.simulation.scene import LAMP_CONE, LAMP_FALL, Beam, Material, Scene, Shape, door_shape, leaf_shape
from ami_ros.simulation.world import World

TIMESTEP = 0.01  # of the physics [s]
CEILING = 6.0  # height of the ceiling camera [m]
CEILING_BORDER = 0.1  # of the surroundings that it sees on each side [m]
GROUPS = {"scenery": SCENERY_GROUP, "ceiling": CEILING_GROUP, "hidden": HIDDEN_GROUP}
CONTACTS = {"floor": FLOOR_CONTACTS, "obstacle": OBSTACLE_CONTACTS, None: NO_CONTACTS}


def build_model(
    world: World,
    antialiasing: int = 0,
    robot: RobotDescription | None = None,
    others: int = 0,
    crowd: Sequence[Body] = (),
) -> mujoco.MjModel:
    """The model of `world` with a robot in it. `antialiasing`: samples a pixel of every picture.

    `others`: further robots, which are moved from outside; `crowd`: what else moves by itself.

    Its doors are as in the file; `show_door` opens and closes them.
    """
    scene = scene_of(world)
    root = ElementTree.Element("mujoco", model=world.name)
    asset, body = add(root, "asset"), add(root, "worldbody")
    _add_settings(root, asset, scene, antialiasing)
    for name, material in scene.materials.items():
        _add_material(asset, name, material)
    for shape in scene.shapes:
        _add_geom(body, shape)
    for beam in scene.beams:
        _add_light(body, beam)
    middle = [world.size[0] / 2, world.size[1] / 2]
    add(body, "camera", name="ceiling", pos=[*middle, CEILING], projection="orthographic", fovy=ceiling_view(world))
    files, robot = dict(scene.files), robot or default_robot()
    add_robot(body, asset, files, robot)
    for index in range(others):
        add_other(body, f"other{index}", robot.shape.disc)
    add_bodies(body, crowd, light_on_people(world))
    add_actuators(root, robot)
    model = mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"), files)
    for door in world.doors:
        show_door(model, door.name, door.open)
    return model


def show_door(model: mujoco.MjModel, name: str, is_open: bool) -> None:
    """Makes a closed door solid and seen, an open one neither; with its leaf, if it has one, it is the other way."""
    _show(model, door_shape(name), not is_open)
    if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, leaf_shape(name)) >= 0:
        _show(model, leaf_shape(name), is_open)


def ceiling_view(world: World) -> float:
    """Width and height of what the ceiling camera sees [m], the middle of the world in its middle."""
    return max(world.size) + 2 * CEILING_BORDER


def _show(model: mujoco.MjModel, name: str, there: bool) -> None:
    geom = model.geom(name)
    geom.contype[:] = OBSTACLE_CONTACTS["contype"] if there else 0
    geom.rgba[3] = 1.0 if there else 0.0


def _add_settings(root: Element, asset: Element, scene: Scene, antialiasing: int) -> None:
    light, size = scene.surroundings, scene.world.size
    add(root, "compiler", angle="radian")
    add(root, "option", timestep=TIMESTEP, integrator="implicitfast", cone="elliptic", impratio=10)
    add(root, "statistic", extent=4, center=[size[0] / 2, size[1] / 2, 0.5])
    visual = add(root, "visual")
    add(visual, "quality", offsamples=antialiasing, numslices=20, numquads=2)
    add(visual, "global", offwidth=4096, offheight=4096)
    add(visual, "map", znear=0.01, zfar=20)
    add(visual, "headlight", ambient=[light.ambient] * 3, diffuse=[light.frontal] * 3, specular=[0] * 3)
    up, horizon = light.sky
    add(asset, "texture", type="skybox", builtin="gradient", width=32, height=192, rgb1=up, rgb2=horizon)


def _add_material(asset: Element, name: str, material: Material) -> None:
    texture = material.picture.removesuffix(".png")
    if asset.find(f"texture[@name='{texture}']") is None:
        add(asset, "texture", name=texture, type=material.kind, file=material.picture)
    shine: dict[str, ArrayLike] = {"emission": 1} if material.shines else {"texrepeat": material.repeat}
    add(asset, "material", name=name, texture=texture, specular=0, shininess=0, **shine)


def _add_geom(body: Element, shape: Shape) -> None:
    look: dict[str, ArrayLike] = {"name": shape.name} if shape.name else {}
    look |= {"material": shape.material} if shape.material else {} if shape.rgba is None else {"rgba": shape.rgba}
    x, y = shape.axes
    add(
        body, "geom", type=shape.kind, pos=shape.position, size=shape.size, xyaxes=[*x, *y],
        group=GROUPS[shape.layer], **CONTACTS[shape.solid], **look,
    )  # fmt: skip


def _add_light(body: Element, beam: Beam) -> None:
    place: dict[str, ArrayLike] = {"directional": "true"}
    if beam.position is not None:
        place = {"pos": beam.position, "cutoff": 90, "exponent": LAMP_CONE, "attenuation": [1, 0, LAMP_FALL]}
    add(body, "light", dir=beam.direction, castshadow="false", diffuse=[beam.strength] * 3, specular=[0] * 3, **place)
