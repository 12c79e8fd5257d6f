"""A sensor frame becomes a latent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.parts.synchroniser import SensorFrame
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import Sensors


@dataclass(frozen=True)
class LatentFrame:
    """What the robot perceives at one moment.

    Attributes:
        stamp: of the sensor frame [s].
        latent: (latent_dim,).
        picture: code (sight_code,) of the image, where the model compares pictures.
        sensors: what the latent was made of, a batch of one, for whoever learns about the camera.
    """

    stamp: float
    latent: NDArray[np.float32]
    picture: NDArray[np.float32] | None = None
    sensors: Sensors | None = None


def perceive(perception: Perception, frame: SensorFrame, compares: bool = True) -> LatentFrame:
    """Encodes a frame, and its picture where somebody compares pictures.

    Raises:
        AmiError: an input of the model is missing, or the latent is not finite.
    """
    latent = perception.encode(frame.image, frame.scan)
    return LatentFrame(frame.stamp, latent, perception.encode_picture(frame.image) if compares else None)
