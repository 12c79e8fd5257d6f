"""Heads: what is read out of latents. All are learned from the robot's own logs; none needs a label."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.encoder import image_encoder
from ami_ros.world_model.spec import CONTRAST_TEMPERATURE, ModelSpec


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


def mlp(inputs: int, width: int, outputs: int) -> nn.Sequential:
    """Two hidden layers with GELU."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, width), nn.GELU(), nn.Linear(width, outputs)
    )


class RelativePose(nn.Module):
    """Where the second latent was taken, seen from the first: the energy in metres.

    Trained on odometry over pairs of one run, so it needs no common frame of different runs.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.layers = mlp(2 * spec.latent_dim, spec.head_width, 4)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(..., latent_dim) twice -> (..., 4): x, y [m], cos, sin of the second's yaw in the first's base frame."""
        out: Tensor = self.layers(torch.cat(torch.broadcast_tensors(first, second), dim=-1))
        return torch.cat([out[..., :2], functional.normalize(out[..., 2:], dim=-1, eps=1e-6)], dim=-1)


class Motion(nn.Module):
    """Displacement of the base during one chunk, as odometry would measure it; knows walls through the latent."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.layers = mlp(spec.latent_dim + spec.command_dim * (spec.chunk + 1), spec.head_width // 2, 3)
        self.step_duration = spec.step_duration

    def forward(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> Tensor:
        """As `Predictor` -> (batch, 3): x [m], y [m], yaw [rad] in the base frame at the start of the chunk."""
        out: Tensor = self.layers(torch.cat([latent, previous, chunk.flatten(1)], dim=1))
        return out


class Contrast(nn.Module):
    """How likely it is that two latents belong to one stretch of time, that is, to one place (InfoNCE critic)."""

    temperature = CONTRAST_TEMPERATURE

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.query = mlp(spec.latent_dim, spec.head_width, spec.contrast_dim)
        self.key = mlp(spec.latent_dim, spec.head_width, spec.contrast_dim)

    def queries(self, latent: Tensor) -> Tensor:
        """(batch, latent_dim) -> (batch, contrast_dim), unit length."""
        return functional.normalize(self.query(latent), dim=-1)

    def keys(self, latent: Tensor) -> Tensor:
        """(batch, latent_dim) -> (batch, contrast_dim), unit length; scores are `queries @ keys.T` in [-1, 1]."""
        return functional.normalize(self.key(latent), dim=-1)
