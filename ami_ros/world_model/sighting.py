"""Goals are sighted by comparing pictures: what the camera sees now with what it saw at the goal."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.encoder import image_encoder
from ami_ros.world_model.heads import mlp
from ami_ros.world_model.spec import ModelSpec


class SightingHead(nn.Module):
    """Where a picture was taken, seen from a moment that has a picture of its own.

    A picture shows less than the latent knows, so a latent that is guessed from it (`WorldModel.encode_goal`) is off,
    and always by the same: many looks at it do not average out, and a robot stops where the guess is right. Two codes
    of one encoder err alike. Where the pictures are the same, so are the codes, and the goal is here.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.encoder = image_encoder(spec)
        self.out = nn.Linear(spec.encoder_width, spec.sight_code)
        self.head = mlp(spec.latent_dim + 2 * spec.sight_code, 3 * spec.head_width // 2, 5)

    def code(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> (batch, sight_code)."""
        code: Tensor = self.out(self.encoder(image).float())
        return code

    def forward(self, latent: Tensor, here: Tensor, there: Tensor) -> Tensor:
        """Compares.

        Args:
            latent: (..., latent_dim) of a moment.
            here: (..., sight_code), what the camera saw then.
            there: (..., sight_code) of the other picture.

        Returns:
            (..., 5): x, y [m], cos, sin of the other picture's yaw in the moment's base frame, and the logarithm of how
            far off x and y are to be expected [m].
        """
        out = self.head(torch.cat([latent, here, there], dim=-1))
        heading = functional.normalize(out[..., 2:4], dim=-1, eps=1e-6)
        return torch.cat([out[..., :2], heading, out[..., 4:].clamp(-5.0, 2.0)], dim=-1)
