"""What a camera makes of what is before it: exposure, white balance, motion blur, noise, compression."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.robots.sensors import CameraSensor
from ami_ros.simulation.noise import SensorNoise

GAINS = (0.4, 4.0)  # within which exposure is regulated
ADAPTS = 0.3  # share of the way to the right exposure from one picture to the next
Picture = NDArray[np.uint8]


class CameraNoise:
    """One camera in one run, which keeps its white balance. Without errors in `noise` pictures stay as they are."""

    def __init__(self, noise: SensorNoise, camera: CameraSensor, seed: int) -> None:
        self._noise, self._camera = noise, camera
        self.restart(seed)

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        n = self._noise
        return n.scale > 0 and any((n.image, n.auto_exposure, n.exposure, n.white_balance, n.shutter, n.jpeg))

    def restart(self, seed: int) -> None:
        """As switched on anew."""
        self._rng = np.random.default_rng([seed & 0xFFFFFFFF, 77])
        self._balance = 1.0 + self._noise.draw(self._rng, self._noise.white_balance, 3)
        self._gain: float | None = None

    def taken(self, image: Picture, turning: float = 0.0, photograph: bool = False) -> Picture:
        """A picture (H, W, 3) as the camera gives it, `turning` to the left [rad/s].

        A `photograph` is taken standing, with all the time that exposure needs, and leaves the camera as it was.
        """
        if not self.active:
            return image
        light = np.asarray(self._blurred(image, turning), np.float32)
        light *= (self._exposure(light, photograph) * self._balance).astype(np.float32)
        deviation = self._noise.image * self._noise.scale
        if deviation:
            shot = np.sqrt(np.clip(light, 0, 255) / 127.5 + 0.1)
            light += self._rng.normal(0.0, deviation, light.shape).astype(np.float32) * shot
        seen = np.clip(light, 0, 255).astype(np.uint8)
        return self._compressed(seen) if self._noise.jpeg else seen

    def _exposure(self, light: NDArray[np.float32], photograph: bool) -> float:
        missed = 2.0 ** float(self._noise.draw(self._rng, self._noise.exposure))
        if not self._noise.auto_exposure:
            return missed
        right = float(np.clip(255 * self._noise.auto_exposure / (light.mean() + 1.0), *GAINS))
        if photograph:
            return right * missed
        last = right if self._gain is None else self._gain
        self._gain = last * (right / last) ** ADAPTS
        return self._gain * missed

    def _blurred(self, image: Picture, turning: float) -> Picture:
        """Blurred by a turn while the shutter is open, as far as it goes sideways."""
        pixels = abs(turning) * self._noise.shutter * self._noise.scale * self._camera.matrix[0]
        if pixels < 1.0:
            return image
        width = 2 * math.ceil(pixels / 2) + 1
        kernel = np.full((1, width), 1.0 / pixels)
        kernel[0, [0, -1]] = max(0.0, (pixels - width + 2) / 2 / pixels)
        return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE))

    def _compressed(self, image: Picture) -> Picture:
        quality = [cv2.IMWRITE_JPEG_QUALITY, round(self._noise.jpeg)]
        coded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1]
        return np.asarray(cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))
