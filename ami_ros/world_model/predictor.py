"""Predictor: latent and commands -> next latent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from ami_ros.world_model.spec import ModelSpec


class AdaptiveBlock(nn.Module):
    """Residual MLP whose normalisation is modulated by the commands (AdaLN-zero, arXiv 2212.09748)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = nn.Linear(width, 3 * width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """(batch, width), modulated by what `modulation` made of the commands (batch, 3 * width)."""
        scale, shift, gate = modulation.chunk(3, dim=-1)
        return x + gate * self.mlp(torch.addcmul(shift, self.norm(x), 1 + scale))


class Predictor(nn.Module):
    """One model step: `chunk` commands, each held for one period.

    The command that was in force before the chunk is part of the input: a robot with inertia moves
    differently from rest than at speed, and one frame does not show which.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        width = spec.predictor_width
        self.enter = nn.Linear(spec.latent_dim, width)
        self.condition = nn.Sequential(nn.Linear(2 * (spec.chunk + 1), width), nn.GELU(), nn.Linear(width, width))
        self.blocks = nn.ModuleList(AdaptiveBlock(width) for _ in range(spec.predictor_blocks))
        self.leave = nn.Linear(width, spec.latent_dim)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> Tensor:
        """One step ahead.

        Args:
            latent: (batch, latent_dim).
            chunk: (batch, chunk, 2), commands in units of the spec's maxima [-].
            previous: (batch, 2), the command before, likewise.

        Returns:
            (batch, latent_dim).
        """
        return self.advance(latent, self.modulations(chunk, previous))

    def modulations(self, chunk: Tensor, previous: Tensor) -> list[Tensor]:
        """What the commands do to each block, whatever the latent is: (..., 3 * width) each.

        Takes any leading shape, so that a rollout needs one call for all its steps.
        """
        condition = self.condition(torch.cat([previous, chunk.flatten(-2)], dim=-1))
        return [block.modulation(condition) for block in cast(Iterable[AdaptiveBlock], self.blocks)]

    def advance(self, latent: Tensor, modulations: list[Tensor]) -> Tensor:
        """One step ahead (batch, latent_dim), with `modulations` (batch, 3 * width) of that step."""
        x = self.enter(latent)
        for block, modulation in zip(self.blocks, modulations, strict=True):
            x = block(x, modulation)
        return latent + self.leave(x)
