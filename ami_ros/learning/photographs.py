"""Views as robots' cameras give them: with noise, black around what a narrow camera sees, and with what is known of
where the camera sits, which errs."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.camera import CameraMount
from ami_ros.geometry import Array
from ami_ros.learning.views import Views
from ami_ros.world_model.picture_rays import picture_rays

EXPOSURE = 0.25  # standard deviation of the logarithm of the gain
BALANCE = 0.06  # the same of each colour
GAMMA = 0.15  # the same of the exponent
NOISE = 6.0  # [grey levels] greatest standard deviation
BLURRED, STREAK = 0.3, 5  # share of pictures with motion blur, and its greatest length [px]
QUALITY = (50, 95)  # of JPEG


def disturbed(images: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Pictures (n, H, W, 3) as different moments, lights and cameras would have them; black frames stay black."""
    found = np.empty_like(images)
    for k, image in enumerate(images):
        found[k] = _disturb(image, rng)
    return found


def _disturb(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    levels = np.arange(256) / 255.0
    gains = np.exp(rng.normal(0, EXPOSURE) + rng.normal(0, BALANCE, 3))
    table = np.clip(levels[:, None] ** np.exp(rng.normal(0, GAMMA)) * gains * 255, 0, 255).astype(np.uint8)
    seen = np.stack([cv2.LUT(np.ascontiguousarray(image[..., c]), table[:, c]) for c in range(3)], -1)
    if rng.random() < BLURRED:
        seen = cv2.blur(seen, (int(rng.integers(2, STREAK + 1)), 1))
    noise = rng.normal(0, 1, image.shape).astype(np.float32) * rng.uniform(0, NOISE)
    seen = np.clip(seen + noise * (image.max(-1, keepdims=True) > 0), 0, 255).astype(np.uint8)
    done, code = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(*QUALITY))])
    assert done
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


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
