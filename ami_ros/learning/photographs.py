"""Views as robots' cameras give them: with noise, and black around what a narrow camera sees."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.learning.picture_noise import disturbed
from ami_ros.learning.views import Views

NARROW = 0.5  # share of robots whose camera sees less than the model's
NARROWEST = 0.66, 0.45  # [rad] field of view across, and upright
PROPORTIONS = (1.0, 0.75, 0.5625)  # heights of pictures, by their width


def photographed(views: Views, rows: NDArray[np.int64], rng: np.random.Generator, narrow: float = NARROW) -> Views:
    """The views `rows` (k,), each robot's by one camera; a share `narrow` of the robots has narrow ones."""
    found = views.of(rows)
    frames = found.frames.copy()
    for robot in np.unique(found.robot):
        if rng.random() < narrow:
            own = found.robot == robot
            frames[own] = np.minimum(frames[own], _draw_frame(views.tangent, rng))
    return replace(found, images=framed(disturbed(found.images, rng), frames), frames=frames)


def framed(images: NDArray[np.uint8], frames: Array) -> NDArray[np.uint8]:
    """Pictures (n, size, size, 3), black but for the shares of them (n, 2), across and upright, in their middle."""
    size = images.shape[1]
    steps = np.abs((np.arange(size) + 0.5) / size * 2 - 1)
    across, down = (steps[None] < frames[:, k, None] for k in (0, 1))
    return images * (down[:, :, None] & across[:, None, :])[..., None]


def _draw_frame(tangent: float, rng: np.random.Generator) -> Array:
    across = math.tan(rng.uniform(NARROWEST[0], 2 * math.atan(tangent)) / 2)
    upright = max(across * rng.choice(PROPORTIONS), math.tan(NARROWEST[1] / 2))
    return np.array([across, upright]) / tangent
