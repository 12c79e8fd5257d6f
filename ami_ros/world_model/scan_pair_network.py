"""The network that compares what a laser saw around two spots; what it is for: `scan_pairs`, which computes it by
NumPy."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ami_ros.world_model.scan_pairs import FEATURES, NUMBERS

WIDTH, HIDDEN = 48, 64


class ScanPairNetwork(nn.Module):
    """Reads points as a set: each by itself, then their mean and their maximum."""

    def __init__(self) -> None:
        super().__init__()
        self.point = nn.Sequential(
            nn.Linear(FEATURES, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, WIDTH)
        )
        self.out = nn.Sequential(nn.Linear(4 * WIDTH + NUMBERS, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, points: Tensor, numbers: Tensor) -> Tensor:
        """Log odds (batch,) that two submaps are one place.

        Args:
            points: (batch, 2, POINTS, FEATURES), see `point_features`.
            numbers: (batch, NUMBERS), see `match_numbers`.
        """
        seen = self.point(points)
        sets = torch.cat([seen.mean(2), seen.amax(2)], -1).flatten(1)
        said: Tensor = self.out(torch.cat([sets, numbers], -1))
        return said[:, 0]


def save_scan_pairs(folder: Path, network: ScanPairNetwork) -> None:
    """Writes what `load_scan_pairs` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().contiguous() for name, tensor in network.state_dict().items()}
    partial = folder / f".weights.{os.getpid()}"
    partial.write_bytes(save(weights))
    os.replace(partial, folder / "weights.safetensors")
