"""Pictures of simulated worlds for learning how two of them are compared: groups of views that are near each other,
with the depth of what they show, as robots' cameras give them. No robot drives for it: only where the pictures are
taken matters.

Every set of views is of another robot, whose camera sits higher or lower, tilted, and sees more or less.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import Tensor

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, wrap
from ami_ros.core.robots.description import RobotDescription, default_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.mjcf import AWAY, Camera, Puppets, build_model, mujoco
from ami_ros.simulation.people.bodies import Body
from ami_ros.simulation.people.crowd import bodies_of
from ami_ros.simulation.robot_model import BODY, WHEEL_RADIUS
from ami_ros.simulation.world import People, World
from ami_ros.world_model.picture_rays import SAME, compared, picture_rays
from ami_ros.world_model.spec import PAIR


@dataclass(frozen=True)
class PeopleConfig:
    """People of one world, and where they stand in its pictures."""

    known: int = 6  # of one world: the same person is met in several places
    children: float = 0.2  # share of them
    most: int = 3  # in one picture
    distance: tuple[float, float] = (0.35, 3.5)  # [m] from the camera, the nearer the likelier
    bearing: float = math.radians(55)  # [rad] to each side
    speed: float = 1.2  # [m/s] of who walks, at most


@dataclass(frozen=True)
class Disturbance:
    """What moments, lights and cameras make of a picture: standard deviations, but where it says otherwise."""

    exposure: float = 0.25  # of the logarithm of the gain
    balance: float = 0.06  # the same of each colour
    gamma: float = 0.15  # the same of the exponent
    noise: float = 6.0  # [grey levels] greatest deviation
    blurred: float = 0.3  # share of pictures with motion blur
    streak: int = 5  # [px] its greatest length
    quality: tuple[int, int] = (50, 95)  # of JPEG
    unknown: float = 0.1  # share of pictures of a camera of which nobody said where it sits
    height: float = 0.03  # of what is said: share of the height
    pitch: float = 0.015  # [rad] likewise


PEOPLE, DISTURBED = PeopleConfig(), Disturbance()


class PeopleInViews:
    """The people of one world, who stand in its pictures: a place has to be recognised whoever hides a part of it. They
    are few, so that the same person is met in several places.

    Args:
        share: of pictures that somebody stands in.
        seed: of the world.
    """

    def __init__(self, share: float, seed: int) -> None:
        self.share, self._rng = share, np.random.default_rng((seed, 1))  # of its own: poses are the same without people
        self.bodies: tuple[Body, ...] = bodies_of(People(count=PEOPLE.known, children=PEOPLE.children, seed=seed))

    def stances(self, pose: Array, space: FreeSpace) -> Array | None:
        """Where they are (n, 5) while a picture is taken at `pose` (3,), as `Puppets.put` takes it; None: nobody is in
        sight."""
        rng = self._rng
        if rng.random() >= self.share:
            return None
        found = np.tile([*AWAY, 0.0, 0.0, 0.0], (len(self.bodies), 1))
        (near, far), aside = PEOPLE.distance, PEOPLE.bearing
        for index in rng.permutation(len(self.bodies))[: rng.integers(1, PEOPLE.most + 1)]:
            for _ in range(10):  # draws for a free spot before somebody stays away
                away, bearing = near * (far / near) ** rng.random(), rng.uniform(-aside, aside)
                at = pose[:2] + away * np.array([math.cos(pose[2] + bearing), math.sin(pose[2] + bearing)])
                if space.free(np.array([*at, 0.0])):
                    feet = self.bodies[index].feet(rng.random(), PEOPLE.speed * rng.random())
                    found[index] = [*at, rng.uniform(-np.pi, np.pi), *feet]
                    break
        return found


@dataclass(frozen=True)
class CameraRange:
    """What cameras are drawn from."""

    height: tuple[float, float] = (0.1, 0.6)  # [m] above the floor
    pitch: tuple[float, float] = (-0.25, 0.12)  # [rad], positive looks down
    proportions: tuple[float, ...] = (1.0, 0.75, 0.5625)  # heights of narrow cameras' pictures, by their width
    narrowest: tuple[float, float] = (0.66, 0.45)  # [rad] field of view across, and upright
    roll: float = 0.03  # [rad] standard deviation of each picture's own: floors and suspensions


@dataclass(frozen=True)
class ViewConfig:
    """Of one world's views."""

    groups: int = 20
    members: int = 6  # views of a group
    robots: int = 4  # whose groups these are, by turns: one has the camera that is described, half narrow ones
    size: int = 96  # [px] of the square pictures
    field_of_view: float = math.radians(100.0)  # [rad] of the model's camera, which sees most
    cameras: CameraRange = field(default_factory=CameraRange)
    reach: float = 2.5  # [m] from the first view of a group to the others
    turn: float = 1.2  # [rad] likewise
    people: float = 0.2  # share of pictures that somebody stands in


@dataclass
class Views:
    """n views; those of one group show much the same."""

    images: NDArray[np.uint8]  # (n, size, size, 3) RGB, as rendered; what is outside of `frames` is not to be used
    depth: NDArray[np.float16]  # (n, side, side) [m] along the optical axis, at the middle of each cell of a map
    poses: Array  # (n, 3) of the base in the world
    cameras: Array  # (n, 3) height [m], pitch, roll [rad]
    frames: Array  # (n, 2) shares of a picture, across and upright, that the camera sees in its middle
    halves: Array  # (n,) how far from the axis the picture reaches, at distance 1
    group: NDArray[np.int64]  # (n,)
    robot: NDArray[np.int64]  # (n,)
    world: NDArray[np.int64]  # (n,) number of the building
    tangent: float  # of half the field of view of the model's camera

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def columns(self) -> dict[str, Any]:
        """All that has a row for each view, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.name != "tangent"}

    def of(self, rows: NDArray[np.int64]) -> Views:
        """The views `rows` (k,)."""
        return replace(self, **{name: values[rows] for name, values in self.columns.items()})

    def of_worlds(self, rest: int) -> Views:
        """The views of every other world: those whose number leaves `rest` (0 or 1) when halved."""
        return self.of(np.flatnonzero(self.world % 2 == rest))

    def of_cameras(self, narrow: bool) -> Views:
        """The views of cameras that see less than the model's, or of the others; all, where there are none of those."""
        return self.of(self.rows_of_cameras(narrow))

    def rows_of_cameras(self, narrow: bool) -> NDArray[np.int64]:
        """Which views `of_cameras` are: (k,)."""
        less = (self.halves[:, None] * self.frames).min(1) < SAME * self.tangent
        rows = np.flatnonzero(less == narrow)
        return rows if len(rows) else np.arange(len(self))


def save_views(file: Path, views: Views) -> None:
    """Writes them so that the file is there once it is complete."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.npz")
    np.savez(partial, tangent=views.tangent, **views.columns)
    os.replace(partial, file)


def load_views(file: Path) -> Views:
    """What `save_views` wrote.

    Raises:
        AmiError: something else.
    """
    try:
        with np.load(file, allow_pickle=False) as found:
            return Views(**{name: found[name] for name in found.files} | {"tangent": float(found["tangent"])})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AmiError(f"{file} holds no views; remove it, and they are taken again") from error


def joined(parts: list[Views]) -> Views:
    """The views of several worlds, whose groups and robots stay apart."""
    groups = np.cumsum([0, *(part.group.max() + 1 for part in parts[:-1])])
    robots = np.cumsum([0, *(part.robot.max() + 1 for part in parts[:-1])])
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in parts[0].columns}
    columns["group"] = np.concatenate([part.group + first for part, first in zip(parts, groups, strict=True)])
    columns["robot"] = np.concatenate([part.robot + first for part, first in zip(parts, robots, strict=True)])
    columns["world"] = np.concatenate([np.full(len(part), number) for number, part in enumerate(parts)])
    return Views(**columns, tangent=parts[0].tangent)


def axes_of(pitch: float, roll: float) -> Array:
    """Axes (3, 3) of a camera in the base's frame, as columns: right, down and ahead in the picture."""
    body = Rotation.from_euler("xyz", [roll, pitch, 0.0]).as_matrix()
    return np.stack([-body[:, 1], -body[:, 2], body[:, 0]], axis=1)


def take_views(world: World, config: ViewConfig, seed: int, robot: RobotDescription | None = None) -> Views:
    """Pictures from random places of a world; a seed repeats them.

    Raises:
        AmiError: there is no OpenGL.
    """
    rng = np.random.default_rng(seed)
    robot = robot or default_robot()
    people = PeopleInViews(config.people, seed)
    model = build_model(world, 2, robot, crowd=people.bodies)
    data = mujoco.MjData(model)
    colour = Camera(model, "onboard", config.size, show_robot=False)
    depth = Camera(model, "onboard", config.size // PAIR.stride, show_robot=False, depth=True)
    try:
        return _take(
            model, data, colour, depth, FreeSpace(world, radius=robot.shape.radius), config, robot, people, rng
        )
    finally:
        colour.close()
        depth.close()


def _take(
    model: mujoco.MjModel, data: mujoco.MjData, colour: Camera, depth: Camera, space: FreeSpace, config: ViewConfig,
    own: RobotDescription, people: PeopleInViews, rng: np.random.Generator,
) -> Views:  # fmt: skip
    robots, puppets = _draw_cameras(own, config, rng), Puppets(model, people.bodies)
    images, depths, poses = list[NDArray[np.uint8]](), list[NDArray[np.float16]](), list[Array]()
    roll = np.zeros(config.groups * config.members)
    for group in range(config.groups):
        seen = robots[group % config.robots]
        model.cam("onboard").fovy[:] = math.degrees(2 * math.atan(seen.half))
        for pose in _group(space, config, rng):
            roll[len(images)] = rng.normal(0.0, config.cameras.roll)
            puppets.put(data, people.stances(pose, space))
            _place(model, data, pose, seen.height, axes_of(seen.pitch, roll[len(images)]))
            images.append(colour.picture(data))
            depths.append(depth.picture(data).astype(np.float16))
            poses.append(pose)
    number = np.repeat(np.arange(config.groups), config.members)
    robot = number % config.robots
    of_each = np.array([(c.height, c.pitch, *c.frame, c.half) for c in robots])[robot]
    return Views(
        np.stack(images), np.stack(depths), np.stack(poses), np.column_stack([of_each[:, :2], roll]), of_each[:, 2:4],
        of_each[:, 4], number, robot, np.zeros(len(number), np.int64), math.tan(config.field_of_view / 2),
    )  # fmt: skip


class _Drawn(NamedTuple):
    """A robot's camera."""

    height: float  # [m]
    pitch: float  # [rad]
    half: float  # how far from the axis its pictures reach, at distance 1
    frame: tuple[float, float]  # shares of them, across and upright, that it sees


def _draw_cameras(own: RobotDescription, config: ViewConfig, rng: np.random.Generator) -> list[_Drawn]:
    """The one that is described first; then those that see as much as the model's, and as many narrow ones."""
    assert own.camera is not None and own.camera.mount is not None, "a robot whose camera's place is known"
    tangent, mount = math.tan(config.field_of_view / 2), own.camera.mount
    found = [_Drawn(mount.z, mount.pitch, *_seen(np.array(own.camera.half_view), tangent))]
    for robot in range(1, config.robots):
        sees = np.array([tangent, tangent])
        if robot >= config.robots / 2:
            across = math.tan(rng.uniform(config.cameras.narrowest[0], config.field_of_view) / 2)
            upright = across * rng.choice(config.cameras.proportions)
            sees = np.array([across, max(upright, math.tan(config.cameras.narrowest[1] / 2))])
        cameras = config.cameras
        found.append(_Drawn(rng.uniform(*cameras.height), rng.uniform(*cameras.pitch), *_seen(sees, tangent)))
    return found


def _seen(sees: Array, tangent: float) -> tuple[float, tuple[float, float]]:
    """What is compared of a camera that sees so far across and upright, and the shares of that which it sees."""
    sees = np.minimum(sees, tangent)
    half = compared(Window(-sees[0], -sees[1], sees[0], sees[1]), tangent)
    return half, (sees[0] / half, sees[1] / half)


def _group(space: FreeSpace, config: ViewConfig, rng: np.random.Generator) -> list[Array]:
    """Free poses near the first one that look much the same way; half of them very near, as when a robot arrives."""
    first = space.sample_pose(rng)
    found = [first]
    for member in range(1, config.members):
        reach = config.reach * (0.25 if member % 2 else 1.0)
        for _ in range(50):  # draws for a view before it is left where the first one is
            way, angle = reach * math.sqrt(rng.random()), rng.uniform(-np.pi, np.pi)
            pose = np.array([*(first[:2] + way * np.array([math.cos(angle), math.sin(angle)])), 0.0])
            if space.free(pose):
                break
        else:
            pose = first.copy()
        pose[2] = wrap(first[2] + rng.uniform(-config.turn, config.turn) * (0.5 if member % 2 else 1.0))
        found.append(pose)
    return found


def _place(model: mujoco.MjModel, data: mujoco.MjData, pose: Array, height: float, axes: Array) -> None:
    """The robot at `pose` (3,), its camera so high and with such axes in the base's frame."""
    camera = model.cam("onboard")
    camera.pos[:] = 0.0, 0.0, height - WHEEL_RADIUS
    # MuJoCo's cameras look along -z, with y up.
    turned = np.stack([axes[:, 0], -axes[:, 1], -axes[:, 2]], axis=1)
    x, y, z, w = Rotation.from_matrix(turned).as_quat()
    camera.quat[:] = w, x, y, z
    start = model.joint(BODY).qposadr[0]
    data.qpos[start : start + 7] = pose[0], pose[1], WHEEL_RADIUS, math.cos(pose[2] / 2), 0, 0, math.sin(pose[2] / 2)
    mujoco.mj_kinematics(model, data)
    mujoco.mj_camlight(model, data)


def disturbed(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures (n, H, W, 3) as different moments, lights and cameras would have them; black frames stay black."""
    found, levels = np.empty_like(images), np.arange(256) / 255.0
    for k, image in enumerate(images):
        gains = np.exp(rng.normal(0, DISTURBED.exposure) + rng.normal(0, DISTURBED.balance, 3))
        table = np.clip(levels[:, None] ** np.exp(rng.normal(0, DISTURBED.gamma)) * gains * 255, 0, 255).astype(
            np.uint8
        )
        seen = np.stack([cv2.LUT(np.ascontiguousarray(image[..., c]), table[:, c]) for c in range(3)], -1)
        if rng.random() < DISTURBED.blurred:
            seen = cv2.blur(seen, (int(rng.integers(2, DISTURBED.streak + 1)), 1))
        noise = rng.normal(0, 1, image.shape).astype(np.float32) * rng.uniform(0, DISTURBED.noise)
        seen = np.clip(seen + noise * (image.max(-1, keepdims=True) > 0), 0, 255).astype(np.uint8)
        done, code = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*DISTURBED.quality))])
        assert done
        found[k] = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))
    return found


def photographed(views: Views, rows: NDArray[np.int64], rng: np.random.Generator) -> Views:
    """The views `rows` (k,), each as its camera gives it."""
    found = views.of(rows)
    return replace(found, images=framed(disturbed(found.images, rng), found.frames))


def framed(images: NDArray[np.uint8], frames: Array) -> NDArray[np.uint8]:
    """Pictures (n, size, size, 3), black but for the shares of them (n, 2), across and upright, in their middle."""
    size = images.shape[1]
    steps = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    across, down = (steps[None] < frames[:, k, None] for k in (0, 1))
    return images * (down[:, :, None] & across[:, None, :])[..., None]


def rays_of(views: Views, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Where the pixels of each picture look, by what is said of its camera: (n, CHANNELS, ...) and bearings (n, cells);
    see `PictureRays`."""
    found = []  # what is said errs, and of one camera in ten nobody said where it sits
    for (height, pitch, _), half in zip(views.cameras, views.halves, strict=True):
        mount = CameraMount(
            z=height * (1 + rng.normal(0, DISTURBED.height)), pitch=pitch + rng.normal(0, DISTURBED.pitch)
        )
        found.append(
            picture_rays(mount if rng.random() > DISTURBED.unknown else CameraMount(), half, views.images.shape[1])
        )
    told, bearings = (torch.from_numpy(np.stack(values)) for values in zip(*found, strict=True))
    return told, bearings
