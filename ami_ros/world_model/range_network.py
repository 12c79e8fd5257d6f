"""The network that guesses distances from a picture; what it is for: `picture_scan`, which computes it by NumPy."""

from __future__ import annotations

import os
from pathlib import Path

import torch
import yaml
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.pairs import FeatureMap
from ami_ros.world_model.picture_rays import FIRST
from ami_ros.world_model.picture_scan import BEARINGS, COLUMNS, SIZE, STEPS
from ami_ros.world_model.spec import PAIR_CHANNELS as CHANNELS

SKIP, WIDTH = 32, 192  # channels of what keeps the width of the first map, and of a column
ROWS = SIZE // FIRST // 2


class RangeNetwork(nn.Module):
    """Begins as the maps of features that pictures are compared by, which know how far off things are; each column of
    them says what stands in its direction.

    Args:
        features: a trained `FeatureMap` to begin with; None: a new one.
    """

    def __init__(self, features: FeatureMap | None = None) -> None:
        super().__init__()
        layers = list((features or FeatureMap()).layers.children())
        self.first, self.deep = nn.Sequential(*layers[:3]), nn.Sequential(*layers[3:])
        self.skip = nn.Conv2d(64, SKIP, 3, stride=(2, 1), padding=1)
        self.columns = nn.Sequential(
            nn.Conv1d((CHANNELS + SKIP) * ROWS + 1, WIDTH, 3, padding=1), nn.GroupNorm(8, WIDTH), nn.GELU()
        )
        self.beside = nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 3, padding=1), nn.GroupNorm(8, WIDTH), nn.GELU())
        self.out = nn.Conv1d(WIDTH, BEARINGS // COLUMNS * STEPS, 1)

    def forward(self, image: Tensor, told: Tensor, tangent: Tensor) -> Tensor:
        """Scores of distances.

        Args:
            image: (batch, 3, SIZE, SIZE) uint8.
            told: where its pixels look, see `PictureRays`: (batch, ...).
            tangent: how far from the axis it reaches, at distance 1 (batch,).

        Returns:
            (batch, BEARINGS, STEPS) logits, from left to right and from near to far.
        """
        x = functional.pixel_unshuffle(image.float() / 255.0 - 0.5, FIRST)
        x = self.first(torch.cat([x, told], 1).contiguous(memory_format=torch.channels_last))
        maps = torch.cat([self.deep(x).repeat_interleave(2, -1), functional.gelu(self.skip(x))], 1)
        rows = torch.cat([maps.flatten(1, 2), tangent[:, None, None].expand(-1, 1, COLUMNS).to(maps.dtype)], 1)
        x = self.columns(rows)
        found: Tensor = self.out(x + self.beside(x)).float()
        return found.unflatten(1, (BEARINGS // COLUMNS, STEPS)).permute(0, 3, 1, 2).flatten(1, 2)


def save_ranges(folder: Path, network: RangeNetwork, field_of_view: float) -> None:
    """Writes what `load_picture_scan` reads; weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().half().contiguous() for name, tensor in network.state_dict().items()}
    partial = folder / f".weights.{os.getpid()}"
    partial.write_bytes(save(weights))
    os.replace(partial, folder / "weights.safetensors")
    (folder / "config.yaml").write_text(yaml.safe_dump({"field_of_view": field_of_view}))
