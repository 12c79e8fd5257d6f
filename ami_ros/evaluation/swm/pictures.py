"""Our encoder on whole batches of pictures."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.world_model.encoder import Sensors
from ami_ros.world_model.model import WorldModel


class PictureEncoder:
    """Latents of pictures; a goal is a picture like any other here, so it needs no head of its own."""

    def __init__(self, model: WorldModel) -> None:
        self._model = model

    def encode_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """(n, size, size, 3) -> (n, latent_dim)."""
        with torch.inference_mode():
            return self._model.encode(Sensors(image=torch.from_numpy(pictures).permute(0, 3, 1, 2)))
