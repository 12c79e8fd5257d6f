"""World -> MuJoCo model, with who moves about in it, and pictures of it. Import `mujoco` from here: OpenGL is chosen
before."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.installation import importing
from ami_ros.core.robots.description import RobotDescription, default_robot
from ami_ros.simulation.floor_plan import Obstacle, obstacles_of, outline
from ami_ros.simulation.people.bodies import PERSON, SHIN, TROLLEY, Body
from ami_ros.simulation.people.crowd import Crowd
from ami_ros.simulation.robot_model import CONTACTS, Element, Group, add, add_actuators, add_other, add_robot
from ami_ros.simulation.scene import Scene, light_on_people, scene_of
from ami_ros.simulation.textures import rgb
from ami_ros.simulation.world import World


def choose_backend() -> str:
    """The OpenGL backend that this machine has: egl, else osmesa, else disable (physics without pictures)."""
    osmesa = ("libOSMesa.so.8", "libOSMesa.so.6", "libOSMesa.so")
    for backend, libraries in (("egl", ("libEGL.so.1",)), ("osmesa", osmesa)):
        for library in libraries:
            try:
                ctypes.CDLL(library)
                return backend
            except OSError:
                continue
    return "disable"


if not os.environ.get("MUJOCO_GL"):
    os.environ["MUJOCO_GL"] = choose_backend()
# Mesa's software renderer hands even the smallest picture to threads of its own and waits for them. Drawing where it is
# asked costs less, and on a machine with all cores busy it took 6 ms instead of 85.
os.environ.setdefault("LP_NUM_THREADS", "0")

with importing("sim"):
    import mujoco  # the backend is chosen at its import

AWAY = (-1e3, -1e3)  # where those are who are not there [m]
BORDER = 0.1  # of the surroundings that a picture from above shows on each side [m]


class Camera:
    """Pictures from one camera of a model, `size` pixels square. Not to be shared between threads.

    With `depth` they are of depth along the optical axis.
    """

    def __init__(
        self, model: mujoco.MjModel, name: str, size: int | tuple[int, int], show_robot: bool, depth: bool = False
    ) -> None:
        height, width = (size, size) if isinstance(size, int) else size
        # The frame buffer is taken from the model's settings, and antialiased it costs 40 bytes a pixel.
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        model.vis.quality.shadowsize = 0  # there are no shadows: a map for them would be 64 MB
        try:
            self._renderer = mujoco.Renderer(model, height, width)
        except Exception as error:  # MuJoCo's backends raise anything from ImportError to AttributeError here
            reason = " ".join(str(error).split())
            advice = "install the system packages libegl1 libegl-mesa0 libgl1-mesa-dri"
            advice += " (or libosmesa6 with MUJOCO_GL=osmesa)"
            raise AmiError(f"no OpenGL for the simulated camera ({reason}): {advice}") from error
        self._name, self._options = name, mujoco.MjvOption()
        self._options.geomgroup[:] = 1
        self._options.geomgroup[Group.ROBOT] = int(show_robot)
        self._options.geomgroup[Group.HIDDEN] = 0
        self._options.geomgroup[Group.CEILING] = int(name != "ceiling")
        for flag in (mujoco.mjtRndFlag.mjRND_SHADOW, mujoco.mjtRndFlag.mjRND_REFLECTION):
            self._renderer.scene.flags[flag] = 0
        if depth:
            self._renderer.enable_depth_rendering()

    def picture(self, data: mujoco.MjData) -> NDArray[np.uint8]:
        """What the camera sees in `data`: (H, W, 3) RGB, or (H, W) float32 [m] of depth."""
        self._renderer.update_scene(data, self._name, self._options)
        return self._renderer.render()

    def close(self) -> None:
        """Gives back the OpenGL context."""
        self._renderer.close()


# The model


def build_model(
    world: World, antialiasing: int = 0, robot: RobotDescription | None = None, others: int = 0,
    crowd: Sequence[Body] = (),
) -> mujoco.MjModel:  # fmt: skip
    """The model of `world` with a robot in it. `antialiasing`: samples a pixel of every picture.

    `others`: further robots, which are moved from outside; `crowd`: what else moves by itself.

    Its doors are as in the file; `show_door` opens and closes them.
    """
    scene = scene_of(world)
    root = ElementTree.Element("mujoco", model=world.name)
    asset, body = add(root, "asset"), add(root, "worldbody")
    _add_settings(root, asset, scene, antialiasing)
    _add_scene(asset, body, scene)
    middle = [world.size[0] / 2, world.size[1] / 2]
    add(body, "camera", name="ceiling", pos=[*middle, 6.0], projection="orthographic", fovy=_ceiling_view(world))
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
    for part, there in ((f"door:{name}", not is_open), (f"leaf:{name}", is_open)):
        if mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_GEOM, part) >= 0:
            model.geom(part).contype[:] = CONTACTS["obstacle"]["contype"] if there else 0
            model.geom(part).rgba[3] = 1.0 if there else 0.0


def _ceiling_view(world: World) -> float:
    """Width and height of what the ceiling camera sees [m], the middle of the world in its middle."""
    return max(world.size) + 2 * BORDER


def _add_settings(root: Element, asset: Element, scene: Scene, antialiasing: int) -> None:
    light, size = scene.surroundings, scene.world.size
    add(root, "compiler", angle="radian")
    add(root, "option", timestep=0.01, integrator="implicitfast", cone="elliptic", impratio=10)
    add(root, "statistic", extent=4, center=[size[0] / 2, size[1] / 2, 0.5])
    visual = add(root, "visual")
    add(visual, "quality", offsamples=antialiasing, numslices=20, numquads=2)
    add(visual, "global", offwidth=4096, offheight=4096)
    add(visual, "map", znear=0.01, zfar=20)
    add(visual, "headlight", ambient=[light.ambient] * 3, diffuse=[light.frontal] * 3, specular=[0] * 3)
    up, horizon = light.sky
    add(asset, "texture", type="skybox", builtin="gradient", width=32, height=192, rgb1=up, rgb2=horizon)


def _add_scene(asset: Element, body: Element, scene: Scene) -> None:
    """Materials, shapes and lights."""
    for name, material in scene.materials.items():
        texture = material.picture.removesuffix(".png")
        if asset.find(f"texture[@name='{texture}']") is None:
            add(asset, "texture", name=texture, type=material.kind, file=material.picture)
        shine: dict[str, ArrayLike] = {"emission": 1} if material.shines else {"texrepeat": material.repeat}
        add(asset, "material", name=name, texture=texture, specular=0, shininess=0, **shine)
    groups = {"scenery": Group.SCENERY, "ceiling": Group.CEILING, "hidden": Group.HIDDEN}
    for shape in scene.shapes:
        look: dict[str, ArrayLike] = {"name": shape.name} if shape.name else {}
        look |= {"material": shape.material} if shape.material else {} if shape.rgba is None else {"rgba": shape.rgba}
        x, y = shape.axes
        add(
            body, "geom", type=shape.kind, pos=shape.position, size=shape.size, xyaxes=[*x, *y],
            group=groups[shape.layer], **CONTACTS[shape.solid], **look,
        )  # fmt: skip
    for beam in scene.beams:
        place: dict[str, ArrayLike] = {"directional": "true"}
        if beam.position is not None:
            place = {"pos": beam.position, "cutoff": 90, "exponent": beam.cone, "attenuation": [1, 0, beam.fall]}
        strength = [beam.strength] * 3
        add(body, "light", dir=beam.direction, castshadow="false", diffuse=strength, specular=[0] * 3, **place)


# Moving bodies: each is a few mocap bodies, which are put where they are and weigh on no solver.


def add_bodies(world_body: Element, bodies: Sequence[Body], light: float = 1.0) -> None:
    """Adds them to a model, in a `light` of so much of the usual."""
    for body in bodies:
        trunk = _mocap(world_body, body.name)
        paint = [(*np.clip(rgb(color) / 255 * light, 0, 1), 1.0) for color in body.colors]
        if body.kind == "trolley":
            length, width, height = TROLLEY
            _solid(trunk, body.name, "box", [length / 2, width / 2, height / 2], [0, 0, height / 2])
            _look(trunk, paint[0], type="box", size=[length / 2, width / 2, 0.3], pos=[0, 0, 0.42])
            handle: dict[str, ArrayLike] = {"size": [0.02, width / 2, height / 2 - 0.35]}
            _look(trunk, paint[0], type="box", pos=[-length / 2, 0, height / 2 + 0.33], **handle)
            for x, y in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
                place = [x * (length / 2 - 0.06), y * (width / 2 - 0.05), 0.06]
                _look(trunk, (0.1, 0.1, 0.1, 1.0), type="sphere", size=0.06, pos=place)
        elif body.kind == "robot":
            half = body.stature / 2
            _solid(trunk, body.name, "cylinder", [body.radius, half], [0, 0, half])
            _look(trunk, paint[0], type="cylinder", size=[body.radius, half], pos=[0, 0, half])
        else:
            _add_person(world_body, trunk, body, paint)


def _add_person(world_body: Element, trunk: Element, body: Body, paint: Sequence[ArrayLike]) -> None:
    """Legs that swing about the hips, a trunk with arms, a head with hair on it and a face."""
    tall, (trousers, coat, skin, hair) = body.stature, paint
    crotch, shoulder, top = PERSON.crotch * tall, 0.81 * tall, 0.93 * tall  # the last one is the middle of the head
    for name in _limbs(body):
        leg, wide = _mocap(world_body, name), (PERSON.leg + PERSON.thigh) / 2 * tall
        shin = tall * (PERSON.leg + (PERSON.thigh - PERSON.leg) * SHIN / crotch)  # as where a robot touches it
        _solid(leg, name, "cylinder", [shin, crotch / 2], [0, 0, -crotch / 2])
        _look(leg, trousers, type="capsule", size=wide, fromto=[0, 0, 0, 0, 0, 0.06 - crotch])
        _look(leg, hair, type="box", size=[0.075 * tall, 0.028 * tall, 0.03], pos=[0.03 * tall, 0, 0.03 - crotch])
    middle = (crotch + shoulder) / 2
    size = [0.07 * tall, 0.105 * tall, (shoulder - crotch) / 2 + 0.03 * tall]
    _look(trunk, coat, type="ellipsoid", size=size, pos=[0, 0, middle])
    _look(trunk, coat, type="box", size=[0.055 * tall, 0.085 * tall, (shoulder - crotch) / 2], pos=[0, 0, middle])
    for side in (-1, 1):
        aside = side * (PERSON.chest + 0.02) * tall, side * (PERSON.chest + 0.03) * tall
        reach = [0, aside[0], shoulder, 0.03 * tall, aside[1], crotch]
        _look(trunk, coat, type="capsule", size=0.026 * tall, fromto=reach)
    head = 0.065 * tall if body.kind == "adult" else 0.085 * tall
    _look(trunk, skin, type="sphere", size=head, pos=[0, 0, top])
    _look(trunk, hair, type="sphere", size=head * 1.02, pos=[-0.25 * head, 0, top + 0.2 * head])


def _limbs(body: Body) -> list[str]:
    return [f"{body.name}_left", f"{body.name}_right"]


def _mocap(world_body: Element, name: str) -> Element:
    return add(world_body, "body", name=name, mocap="true", pos=[*AWAY, 0.0])


def _solid(body: Element, name: str, kind: str, size: ArrayLike, pos: ArrayLike) -> None:
    add(body, "geom", name=name, type=kind, mass=0, size=size, pos=pos, group=Group.HIDDEN, **CONTACTS["obstacle"])


def _look(body: Element, rgba: ArrayLike, **attributes: ArrayLike) -> None:
    add(body, "geom", mass=0, rgba=rgba, group=Group.SCENERY, **CONTACTS[None], **attributes)


class Puppets:
    """Puts the bodies of a crowd in a model where they are."""

    def __init__(self, model: mujoco.MjModel, bodies: Sequence[Body]) -> None:
        self._bodies = bodies
        self._trunks = np.array([model.body(body.name).mocapid[0] for body in bodies], dtype=int)
        self._legs: dict[int, list[int]] = {}  # of those who walk
        self.geoms: dict[int, int] = {}  # what of them is solid, and whose it is
        for index, body in enumerate(bodies):
            if body.walks:
                self._legs[index] = [int(model.body(limb).mocapid[0]) for limb in _limbs(body)]
            parts = _limbs(body) if body.walks else [body.name]
            self.geoms |= {model.geom(part).id: index for part in parts}

    def stances(self, crowd: Crowd) -> Array:
        """Where they are (n, 3), and how far ahead their feet (n, 2) are [m]: all that `put` needs."""
        found = np.zeros((len(self._bodies), 5))
        found[:, :3] = crowd.manner.poses
        for index in self._legs:
            found[index, 3:] = self._bodies[index].feet(*crowd.gait(index))
        found[~crowd.manner.present, :2] = AWAY
        return found

    def put(self, data: mujoco.MjData, stances: Array | None) -> None:
        """Puts them there; None: nobody is there."""
        if stances is None:
            stances = np.tile([*AWAY, 0.0, 0.0, 0.0], (len(self._bodies), 1))
        yaw = stances[:, 2]
        data.mocap_pos[self._trunks, :2], data.mocap_pos[self._trunks, 2] = stances[:, :2], 0.0
        data.mocap_quat[self._trunks] = np.stack([np.cos(yaw / 2), 0 * yaw, 0 * yaw, np.sin(yaw / 2)], axis=-1)
        for index, legs in self._legs.items():
            self._put_legs(data, legs, self._bodies[index].stature, stances[index])

    def _put_legs(self, data: mujoco.MjData, legs: Sequence[int], tall: float, stance: Array) -> None:
        x, y, yaw = (float(value) for value in stance[:3])
        crotch, aside = PERSON.crotch * tall, PERSON.hips * tall
        c, s = math.cos(yaw / 2), math.sin(yaw / 2)
        for leg, foot, side in zip(legs, stance[3:], (1, -1), strict=True):
            data.mocap_pos[leg] = x - side * aside * math.sin(yaw), y + side * aside * math.cos(yaw), crotch
            swing = -math.atan2(float(foot), crotch) / 2  # about the axis to the left: forward is negative
            cs, ss = math.cos(swing), math.sin(swing)
            data.mocap_quat[leg] = c * cs, -s * ss, c * ss, s * cs


# A picture from above, the ground for paths and graphs


@dataclass(frozen=True)
class TopView:
    """`image`: (H, W, 3) RGB with y of the world pointing up; `scale`: [pixels/m]."""

    image: NDArray[np.uint8]
    scale: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """x_min, x_max, y_min, y_max of the picture in the world [m]."""
        height, width = (pixels / self.scale for pixels in self.image.shape[:2])
        return -BORDER, width - BORDER, -BORDER, height - BORDER

    def to_pixels(self, points: ArrayLike) -> Array:
        """Where points or poses (..., 2 or 3) of the world lie in the picture: (..., 2) as column, row."""
        p = np.asarray(points, dtype=np.float64)
        column = (p[..., 0] + BORDER) * self.scale
        row = self.image.shape[0] - (p[..., 1] + BORDER) * self.scale
        return np.stack([column, row], axis=-1)


def draw_top_view(world: World, scale: float = 100.0, doors: Mapping[str, bool] | None = None) -> TopView:
    """Draws `world` without the robot, its doors as in `doors` (name -> open; those not named as in the file).

    Raises AmiError where there is no OpenGL.
    """
    width, height = (round((length + 2 * BORDER) * scale) for length in world.size)
    model = build_model(world, antialiasing=8)
    for name, is_open in dict(doors or {}).items():
        show_door(model, name, is_open)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    size = 2 * round(_ceiling_view(world) * scale)
    camera = Camera(model, "ceiling", size, show_robot=False)
    picture = camera.picture(data)
    camera.close()
    half = cv2.resize(picture, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    left, top = (round((max(world.size) - length) / 2 * scale) for length in world.size)
    view = TopView(np.asarray(half[top:, left:])[:height, :width].copy(), scale)
    return TopView(_with_shadows(view, obstacles_of(world, dict(doors or {}))), scale)


def _with_shadows(view: TopView, obstacles: list[Obstacle]) -> NDArray[np.uint8]:
    """The picture with soft shadows of what stands on the floor, which it is otherwise hard to tell from the floor."""
    solid = np.zeros(view.image.shape[:2], dtype=np.float32)
    shade = solid.copy()

    def fill(mask: NDArray[np.float32], points: Array) -> None:
        pixels = np.round(view.to_pixels(points) * 16).astype(np.int32)
        cv2.fillPoly(mask, [pixels], 1.0, lineType=cv2.LINE_AA, shift=4)

    for obstacle in obstacles:
        edge = outline(obstacle)
        for step in np.linspace(0.0, obstacle.height, 8):
            fill(shade, edge + np.multiply((0.07, -0.07), step))  # so far a shadow falls for each metre of height
        fill(solid, edge)
    shade = cv2.GaussianBlur(shade, None, 0.02 * view.scale) * (1.0 - solid)
    bright = 255.0 * (view.image / 255.0) ** 0.75  # than the cameras see it
    return np.asarray(bright * (1.0 - 0.45 * shade[..., None]), dtype=np.uint8)
