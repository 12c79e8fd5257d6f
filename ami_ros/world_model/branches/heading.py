"""The compass's branch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HeadingEncoder(nn.Module):
    """Two numbers beside hundreds would hardly be heard: the heading gets as many features as a sensor."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width))

    def forward(self, heading: Tensor) -> Tensor:
        """(batch,) [rad] -> (batch, width)."""
        features: Tensor = self.layers(torch.stack([heading.cos(), heading.sin()], dim=1))
        return features
