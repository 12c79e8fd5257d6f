"""Views as robots' cameras give them: with noise, black around what a narrow camera sees, and with what is known of
where the camera sits, which errs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.camera import CameraMount
from ami_ros.geometry import Array
from ami_ros.learning.picture_noise import disturbed
from ami_ros.learning.views import Views
from ami_ros.world_model.picture_rays import picture_rays

UNKNOWN = 0.1  # share of pictures of a camera of which nobody said where it sits
HEIGHT, PITCH = 0.03, 0.015  # standard deviations of what is said: share of the height, and [rad]


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
    found = []
    for (height, pitch, _), half in zip(views.cameras, views.halves, strict=True):
        mount = CameraMount(z=height * (1 + rng.normal(0, HEIGHT)), pitch=pitch + rng.normal(0, PITCH))
        found.append(picture_rays(mount if rng.random() > UNKNOWN else CameraMount(), half, views.images.shape[1]))
    told, bearings = (torch.from_numpy(np.stack(values)) for values in zip(*found, strict=True))
    return told, bearings
