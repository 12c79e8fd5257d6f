"""The scan's branch."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ami_ros.world_model.spec import InputSpec


class ScanEncoder(nn.Module):
    """Circular convolutions over the beams of a full turn."""

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        self.range = spec.scan_range
        channels = (2, 32, 64, 64)
        layers: list[nn.Module] = []
        length = spec.scan_beams
        for a, b in pairwise(channels):
            layers += [nn.Conv1d(a, b, 5, stride=2, padding=2, padding_mode="circular"), nn.GELU()]
            length = (length + 1) // 2
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * length, width), nn.LayerNorm(width))

    def forward(self, scan: Tensor) -> Tensor:
        """(batch, beams) [m] -> (batch, width)."""
        near = scan.clamp(max=self.range)
        features: Tensor = self.layers(torch.stack([near / self.range, torch.exp(-near)], dim=1))
        return features
