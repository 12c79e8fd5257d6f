"""World -> MuJoCo model, with who moves about in it, and pictures of it. Import `mujoco` from here: OpenGL is chosen
before."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Sequence
from xml.etree import ElementTree

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import importing
from ami_ros.core.robots.description import RobotDescription, default_robot
from ami_ros.simulation.people.bodies import CHEST, CROTCH, DRUM, HIPS, LEG, SHIN, THIGH, TROLLEY, Body
from ami_ros.simulation.people.crowd import Crowd
from ami_ros.simulation.robot_model import (
    CEILING_GROUP,
    FLOOR_CONTACTS,
    HIDDEN_GROUP,
    NO_CONTACTS,
    OBSTACLE_CONTACTS,
    ROBOT_GROUP,
    SCENERY_GROUP,
    Element,
    add,
    add_actuators,
    add_other,
    add_robot,
)
from ami_ros.simulation.scene import (
    LAMP_CONE,
    LAMP_FALL,
    Beam,
    Material,
    Scene,
    Shape,
    door_shape,
    leaf_shape,
    light_on_people,
    scene_of,
)
from ami_ros.simulation.textures import rgb
from ami_ros.simulation.world import World

# MuJoCo's way to OpenGL on a machine without a screen. Import `mujoco` from here, so that the choice comes first.

_ADVICE = "install the system packages libegl1 libegl-mesa0 libgl1-mesa-dri (or libosmesa6 with MUJOCO_GL=osmesa)"


def _loads(*libraries: str) -> bool:
    for library in libraries:
        try:
            ctypes.CDLL(library)
            return True
        except OSError:
            continue
    return False


def choose_backend() -> str:
    """The OpenGL backend that this machine has: egl, else osmesa, else disable (physics without pictures)."""
    if _loads("libEGL.so.1"):
        return "egl"
    if _loads("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so"):
        return "osmesa"
    return "disable"


if not os.environ.get("MUJOCO_GL"):
    os.environ["MUJOCO_GL"] = choose_backend()
# Mesa's software renderer hands even the smallest picture to threads of its own and waits for them. Drawing where it is
# asked costs less, and on a machine with all cores busy it took 6 ms instead of 85.
os.environ.setdefault("LP_NUM_THREADS", "0")

with importing("sim"):
    import mujoco  # the backend is chosen at its import


class Camera:
    """Pictures from one camera of a model, `size` pixels square. Not to be shared between threads."""

    def __init__(self, model: mujoco.MjModel, name: str, size: int | tuple[int, int], show_robot: bool) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        # The frame buffer is taken from the model's settings, and antialiased it costs 40 bytes a pixel.
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        model.vis.quality.shadowsize = 0  # there are no shadows: a map for them would be 64 MB
        try:
            self._renderer = mujoco.Renderer(model, height, width)
        except Exception as error:  # MuJoCo's backends raise anything from ImportError to AttributeError here
            reason = " ".join(str(error).split())
            raise AmiError(f"no OpenGL for the simulated camera ({reason}): {_ADVICE}") from error
        self._name = name
        self._options = mujoco.MjvOption()
        self._options.geomgroup[:] = 1
        self._options.geomgroup[ROBOT_GROUP] = int(show_robot)
        self._options.geomgroup[HIDDEN_GROUP] = 0
        self._options.geomgroup[CEILING_GROUP] = int(name != "ceiling")
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = 0

    def picture(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """What the camera sees in `data`: (H, W, 3) RGB."""
        self._renderer.update_scene(data, self._name, self._options)
        return self._renderer.render()

    def measures_depth(self) -> None:
        """From now on `picture` gives (H, W) float32: depth along the optical axis [m]."""
        self._renderer.enable_depth_rendering()

    def close(self) -> None:
        """Gives back the OpenGL context."""
        self._renderer.close()


# Moving bodies in MuJoCo: each is a few mocap bodies, which are put where they are and weigh on no solver.

AWAY = (-1e3, -1e3)  # where those are who are not there [m]
LIMBS = ("left", "right")


def add_bodies(world_body: Element, bodies: Sequence[Body], light: float = 1.0) -> None:
    """Adds them to a model, in a `light` of so much of the usual."""
    for body in bodies:
        trunk = _mocap(world_body, body.name)
        paint = [(*np.clip(rgb(color) / 255 * light, 0, 1), 1.0) for color in body.colors]
        if body.kind == "trolley":
            length, width, height = TROLLEY
            _solid(trunk, body.name, "box", [length / 2, width / 2, height / 2], [0, 0, height / 2])
            _add_trolley(trunk, paint[0])
        elif body.kind == "robot":
            _solid(trunk, body.name, "cylinder", [body.radius, DRUM / 2], [0, 0, DRUM / 2])
            _look(trunk, paint[0], type="cylinder", size=[body.radius, DRUM / 2], pos=[0, 0, DRUM / 2])
        else:
            _add_person(world_body, trunk, body, paint)


def _add_person(world_body: Element, trunk: Element, body: Body, paint: Sequence[ArrayLike]) -> None:
    """Legs that swing about the hips, a trunk with arms, a head with hair on it and a face."""
    tall, (trousers, coat, skin, hair) = body.stature, paint
    crotch, shoulder, top = CROTCH * tall, 0.81 * tall, 0.93 * tall  # the last one is the middle of the head
    for limb in LIMBS:
        leg = _mocap(world_body, f"{body.name}_{limb}")
        shin = tall * (LEG + (THIGH - LEG) * SHIN / crotch)  # as wide all along as where a robot touches it
        _solid(leg, f"{body.name}_{limb}", "cylinder", [shin, crotch / 2], [0, 0, -crotch / 2])
        _look(leg, trousers, type="capsule", size=(LEG + THIGH) / 2 * tall, fromto=[0, 0, 0, 0, 0, 0.06 - crotch])
        _look(leg, hair, type="box", size=[0.075 * tall, 0.028 * tall, 0.03], pos=[0.03 * tall, 0, 0.03 - crotch])
    middle = (crotch + shoulder) / 2
    size = [0.07 * tall, 0.105 * tall, (shoulder - crotch) / 2 + 0.03 * tall]
    _look(trunk, coat, type="ellipsoid", size=size, pos=[0, 0, middle])
    _look(trunk, coat, type="box", size=[0.055 * tall, 0.085 * tall, (shoulder - crotch) / 2], pos=[0, 0, middle])
    for side in (-1, 1):
        reach = [0, side * (CHEST + 0.02) * tall, shoulder, 0.03 * tall, side * (CHEST + 0.03) * tall, crotch]
        _look(trunk, coat, type="capsule", size=0.026 * tall, fromto=reach)
    head = 0.065 * tall if body.kind == "adult" else 0.085 * tall
    _look(trunk, skin, type="sphere", size=head, pos=[0, 0, top])
    _look(trunk, hair, type="sphere", size=head * 1.02, pos=[-0.25 * head, 0, top + 0.2 * head])


def _add_trolley(trunk: Element, color: ArrayLike) -> None:
    length, width, height = TROLLEY
    _look(trunk, color, type="box", size=[length / 2, width / 2, 0.3], pos=[0, 0, 0.42])
    _look(trunk, color, type="box", size=[0.02, width / 2, height / 2 - 0.35], pos=[-length / 2, 0, height / 2 + 0.33])
    for x in (-1, 1):
        for y in (-1, 1):
            place = [x * (length / 2 - 0.06), y * (width / 2 - 0.05), 0.06]
            _look(trunk, (0.1, 0.1, 0.1, 1.0), type="sphere", size=0.06, pos=place)


def _mocap(world_body: Element, name: str) -> Element:
    return add(world_body, "body", name=name, mocap="true", pos=[*AWAY, 0.0])


def _solid(body: Element, name: str, kind: str, size: ArrayLike, pos: ArrayLike) -> None:
    add(body, "geom", name=name, type=kind, mass=0, size=size, pos=pos, group=HIDDEN_GROUP, **OBSTACLE_CONTACTS)


def _look(body: Element, rgba: ArrayLike, **attributes: ArrayLike) -> None:
    add(body, "geom", mass=0, rgba=rgba, group=SCENERY_GROUP, **NO_CONTACTS, **attributes)


class Puppets:
    """Puts the bodies of a crowd in a model where they are."""

    def __init__(self, model: mujoco.MjModel, bodies: Sequence[Body]) -> None:
        self._bodies = bodies
        self._trunks = np.array([_number(model, body.name) for body in bodies], dtype=int)
        self._legs = np.array(
            [[_number(model, f"{body.name}_{limb}") for limb in LIMBS] if body.walks else [0, 0] for body in bodies]
        ).reshape(-1, 2)
        self.geoms: dict[int, int] = {}  # what of them is solid, and whose it is
        for index, body in enumerate(bodies):
            parts = [f"{body.name}_{limb}" for limb in LIMBS] if body.walks else [body.name]
            self.geoms |= {model.geom(part).id: index for part in parts}

    def show(self, data: mujoco.MjData, crowd: Crowd) -> None:
        """As they are now."""
        self.put(data, self.stances(crowd))

    def stances(self, crowd: Crowd) -> Array:
        """Where they are (n, 3), and how far ahead their feet (n, 2) are [m]: all that `put` needs."""
        found = np.zeros((len(self._bodies), 5))
        found[:, :3] = crowd.poses
        for index, body in enumerate(self._bodies):
            if body.walks:
                found[index, 3:] = body.feet(*crowd.gait(index))
            if not crowd.present[index]:
                found[index, :2] = AWAY
        return found

    def put(self, data: mujoco.MjData, stances: Array | None) -> None:
        """Puts them there; None: nobody is there."""
        if stances is None:
            stances = np.tile([*AWAY, 0.0, 0.0, 0.0], (len(self._bodies), 1))
        yaw = stances[:, 2]
        data.mocap_pos[self._trunks, :2], data.mocap_pos[self._trunks, 2] = stances[:, :2], 0.0
        data.mocap_quat[self._trunks] = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=-1)
        for index, body in enumerate(self._bodies):
            if body.walks:
                self._put_legs(data, index, body, stances[index])

    def _put_legs(self, data: mujoco.MjData, index: int, body: Body, stance: Array) -> None:
        x, y, yaw = (float(value) for value in stance[:3])
        crotch, aside = CROTCH * body.stature, HIPS * body.stature
        c, s = math.cos(yaw / 2), math.sin(yaw / 2)
        for leg, foot, side in zip(self._legs[index], stance[3:], (1, -1), strict=True):
            data.mocap_pos[leg] = x - side * aside * math.sin(yaw), y + side * aside * math.cos(yaw), crotch
            swing = -math.atan2(float(foot), crotch) / 2  # about the axis to the left: forward is negative
            cs, ss = math.cos(swing), math.sin(swing)
            data.mocap_quat[leg] = c * cs, -s * ss, c * ss, s * cs


def _number(model: mujoco.MjModel, name: str) -> int:
    return int(model.body(name).mocapid[0])


# World -> MuJoCo model.

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
