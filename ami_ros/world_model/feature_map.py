"""A picture as a map of features, for pictures that are compared cell by cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.picture_rays import CHANNELS as TOLD
from ami_ros.world_model.picture_rays import FIRST
from ami_ros.world_model.spec import PAIR_CHANNELS as CHANNELS


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1),
            nn.GroupNorm(8, width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class FeatureMap(nn.Module):
    """A picture, and where its pixels look -> a map of features, each of which knows what is around it.

    Unshuffling first keeps the full resolution out of the convolutions, as in `ConvolutionEncoder`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3 * FIRST**2 + TOLD, 64, 3, padding=1), nn.GroupNorm(8, 64), nn.GELU(),
            nn.Conv2d(64, 96, 3, stride=2, padding=1), _Residual(96), _Residual(96), nn.GELU(),
            nn.Conv2d(96, CHANNELS, 1),
        )  # fmt: skip

    def forward(self, image: Tensor, told: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> (batch, CHANNELS, size / 8, size / 8); `told` is that of `PictureRays`, of
        each picture or of all."""
        x = functional.pixel_unshuffle(image.float() / 255.0 - 0.5, FIRST)
        x = torch.cat([x, told.expand(len(x), -1, -1, -1)], 1)
        features: Tensor = self.layers(x.contiguous(memory_format=torch.channels_last))
        return features.float()
