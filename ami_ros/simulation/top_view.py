"""A picture of a world from above, and where a point of the world lies on it: the ground for paths and graphs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ami_ros.core.geometry import Array
from ami_ros.simulation import floor_plan as layout
from ami_ros.simulation.mjcf import Camera, build_model, ceiling_view, mujoco, show_door
from ami_ros.simulation.world import World

BORDER = 0.1  # of the surroundings on each side [m]
SHADOW = (0.07, -0.07)  # how far a shadow falls for each metre of height, x and y [m]

GAMMA = 0.75  # below 1: brighter than the cameras see it


@dataclass(frozen=True)
class TopView:
    """`image`: (H, W, 3) RGB with y of the world pointing up; `scale`: [pixels/m]."""

    image: NDArray[np.uint8]
    scale: float

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
    view = TopView(_render(world, dict(doors or {}), scale)[:height, :width].copy(), scale)
    return TopView(_with_shadows(view, layout.obstacles_of(world, dict(doors or {}))), scale)


def _render(world: World, doors: dict[str, bool], scale: float) -> NDArray[np.uint8]:
    """What the ceiling camera sees, `scale` pixels a metre, cut to the world and its border."""
    model = build_model(world, antialiasing=8)
    for name, is_open in doors.items():
        show_door(model, name, is_open)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    size = 2 * round(ceiling_view(world) * scale)
    camera = Camera(model, "ceiling", size, show_robot=False)
    picture = camera.picture(data)
    camera.close()
    half = cv2.resize(picture, (size // 2, size // 2), interpolation=cv2.INTER_AREA)
    left, top = (round((max(world.size) - length) / 2 * scale) for length in world.size)
    return np.asarray(half[top:, left:])


def _with_shadows(view: TopView, obstacles: list[layout.Obstacle]) -> NDArray[np.uint8]:
    """The picture with soft shadows of what stands on the floor, which it is otherwise hard to tell from the floor."""
    solid = np.zeros(view.image.shape[:2], dtype=np.float32)
    shade = solid.copy()
    for obstacle in obstacles:
        outline = _outline(obstacle)
        for step in np.linspace(0.0, obstacle.height, 8):
            _fill(shade, view.to_pixels(outline + np.multiply(SHADOW, step)))
        _fill(solid, view.to_pixels(outline))
    shade = cv2.GaussianBlur(shade, None, 0.02 * view.scale) * (1.0 - solid)
    bright = 255.0 * (view.image / 255.0) ** GAMMA
    return np.asarray(bright * (1.0 - 0.45 * shade[..., None]), dtype=np.uint8)


def _outline(obstacle: layout.Obstacle) -> Array:
    """Corners (n, 2) [m] of the footprint."""
    if obstacle.shape == "box":
        return layout.corners(obstacle)
    angles = np.linspace(0.0, 2 * np.pi, 32, endpoint=False)
    return np.asarray(obstacle.half[0] * np.stack([np.cos(angles), np.sin(angles)], axis=-1) + obstacle.center)


def _fill(mask: NDArray[np.float32], pixels: Array) -> None:
    cv2.fillPoly(mask, [np.round(pixels * 16).astype(np.int32)], 1.0, lineType=cv2.LINE_AA, shift=4)
