"""Views of a wall with a pattern above a floor without end, made without a renderer."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.world_model.learning.views import Views, axes_of

SIZE, SIDE, WALL = 32, 4, 3.0  # [px], cells, x of the wall [m]
FIELD = math.radians(90.0)


def view(pose: np.ndarray, seed: int, pitch: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Picture and depth of a camera 0.3 m above a floor without end, before a wall whose pattern is of `seed`."""
    steps = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    rays = np.stack([*np.meshgrid(steps, steps), np.ones((SIZE, SIZE))], -1)
    c, s = math.cos(pose[2]), math.sin(pose[2])
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    ways = rays @ (turn @ axes_of(pitch, 0.0)).T
    with np.errstate(divide="ignore"):
        wall = np.where(ways[..., 0] > 0, (WALL - pose[0]) / ways[..., 0], np.inf)
        floor = np.where(ways[..., 2] < 0, -0.3 / ways[..., 2], np.inf)
    depth = np.minimum(np.minimum(wall, floor), 30.0)
    hit = np.array([*pose[:2], 0.3]) + ways * depth[..., None]
    rng = np.random.default_rng(seed)
    waves = rng.normal(0, 4, (3, 3, 3))
    image = 128 + 40 * sum(np.sin(hit @ waves[k] + k) for k in range(3))
    coarse = depth.reshape(SIDE, 8, SIDE, 8)[:, 3:5, :, 3:5].mean((1, 3))
    return np.clip(image, 0, 255).astype(np.uint8), coarse.astype(np.float16)


def world(seed: int, groups: int = 4, members: int = 4) -> Views:
    rng = np.random.default_rng(seed)
    poses = [
        first + np.array([*rng.uniform(-0.5, 0.5, 2), rng.uniform(-0.4, 0.4)])
        for first in ([0.5, 3.0 * g, 0.0] for g in range(groups))
        for _ in range(members)
    ]
    shots = [view(pose, seed) for pose in poses]
    number = np.repeat(np.arange(groups), members)
    cameras, frames = np.tile([0.3, 0.0, 0.0], (len(poses), 1)), np.ones((len(poses), 2))
    tangent = math.tan(FIELD / 2)
    return Views(
        np.stack([image for image, _ in shots]), np.stack([depth for _, depth in shots]), np.stack(poses), cameras,
        frames, np.full(len(poses), tangent), number, number % 2, np.zeros(len(poses), np.int64), tangent,
    )  # fmt: skip
