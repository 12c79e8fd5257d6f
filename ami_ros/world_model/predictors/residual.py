"""The predictor `mlp`: remembers nothing, and is the fastest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from ami_ros.world_model.predictors.base import Predictor
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


class ResidualPredictor(Predictor):
    """A residual MLP; the commands modulate its blocks."""

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__(spec)
        self.blocks = nn.ModuleList(AdaptiveBlock(spec.predictor_width) for _ in range(spec.predictor_blocks))

    def conditions(self, chunk: Tensor, previous: Tensor) -> list[Tensor]:
        """The modulation of each block, (..., 3 * width)."""
        condition = self._condition(chunk, previous)
        return [block.modulation(condition) for block in cast(Iterable[AdaptiveBlock], self.blocks)]

    def advance(self, latent: Tensor, state: Tensor, conditions: list[Tensor]) -> tuple[Tensor, Tensor]:
        """As `Predictor.advance`; the state stays empty."""
        x = self.enter(latent)
        for block, modulation in zip(self.blocks, conditions, strict=True):
            x = block(x, modulation)
        return latent + self.leave(x), state
