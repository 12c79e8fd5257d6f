"""Heads: what is read out of latents. All are learned from the robot's own logs; none needs a label."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.spec import CONTRAST_TEMPERATURE, ModelSpec


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
