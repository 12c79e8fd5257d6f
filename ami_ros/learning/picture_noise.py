"""What a camera adds to a picture: exposure, white balance, motion blur, noise and JPEG, each drawn anew."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

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
