"""A world on one picture: its plan from above, and views through a camera from places that are marked on it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.robots.description import RobotDescription, default_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.mjcf import draw_top_view
from ami_ros.simulation.simulator import Simulator

VIEW = (320, 240)  # of a view [pixels]
FIELD = 85.0  # of a view [degrees]
PLAN = 900  # longer side of the plan [pixels]
ROOM_AHEAD = 1.0  # [m] that views prefer to have before them
COLUMNS = 4


def draw_world(path: Path, space: FreeSpace, views: int, seed: int) -> None:
    """Writes a PNG with `views` from poses drawn by `seed`.

    Raises AmiError: it cannot be written, or there is no OpenGL.
    """
    rng, world = np.random.default_rng(seed), space.world
    poses = [_pose(space, rng) for _ in range(views)]
    scale = PLAN / max(world.size)
    top = draw_top_view(world, scale)
    plan = np.ascontiguousarray(top.image)
    simulator = Simulator(world, _with_views(default_robot()), seed)
    pictures = []
    for number, pose in enumerate(poses, 1):
        column, row = (int(v) for v in top.to_pixels(pose))
        tip = (int(column + 18 * math.cos(pose[2])), int(row - 18 * math.sin(pose[2])))
        cv2.arrowedLine(plan, (column, row), tip, (220, 40, 40), 2, cv2.LINE_AA, tipLength=0.4)
        picture = simulator.photograph(pose)
        for image, place in ((plan, (column + 6, row - 6)), (picture, (6, 18))):
            cv2.putText(image, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (220, 40, 40), 2, cv2.LINE_AA)
        pictures.append(picture)
    simulator.close()
    sheet = _sheet(plan, pictures)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise AmiError(f"cannot write {path}: is its folder there, and does its name end in .png?")


def _pose(space: FreeSpace, rng: np.random.Generator) -> Array:
    """Somewhere free, rather not before a wall."""
    for _ in range(20):
        pose = space.sample_pose(rng)
        if space.plan.cast(pose[:2], [pose[2]])[0] > ROOM_AHEAD:
            break
    return pose


def _with_views(robot: RobotDescription) -> RobotDescription:
    """The robot with a camera for people."""
    camera = robot.camera
    assert camera is not None and camera.mount is not None
    return robot.with_sensor(
        camera.name, width=VIEW[0], height=VIEW[1], fov=FIELD, mount=replace(camera.mount, z=0.45, pitch=0.0)
    )


def _sheet(plan: NDArray[np.uint8], pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The plan, and below it the pictures in rows, on white."""
    rows = [np.concatenate(pictures[i : i + COLUMNS], axis=1) for i in range(0, len(pictures), COLUMNS)]
    width = max(part.shape[1] for part in (plan, *rows))
    wide = [np.pad(part, ((0, 0), (0, width - part.shape[1]), (0, 0)), constant_values=255) for part in (plan, *rows)]
    return np.concatenate(wide)
