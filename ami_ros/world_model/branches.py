"""Branches of the encoder that are trained: one sensor -> its features."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.spec import InputSpec, ModelSpec


class ConvolutionEncoder(nn.Module):
    """A stem of PixelUnshuffle and three strided convolutions.

    Unshuffling first keeps the expensive full-resolution convolution out: two to four times faster on a
    CPU than a plain stack of strided convolutions. GroupNorm, since single frames are encoded on the robot.
    """

    def __init__(self, spec: ModelSpec) -> None:
        size, width = spec.inputs.image_size, spec.encoder_width
        super().__init__()
        # Each pixel by its own mean and deviation over the data: from a camera that stands still the robot is a few
        # pixels that stand out, instead of a small change of a large picture. eps: 8 of 255 grey levels. What deviates
        # by less is nothing: GroupNorm would weigh the noise of ten thousand pixels against the robot's sixteen.
        self.background = nn.BatchNorm1d(3 * size * size, eps=1e-3, affine=False) if spec.inputs.still_camera else None
        channels = (12, 48, 96, 128)
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        for a, b in pairwise(channels):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(8, b), nn.GELU()]
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(128 * (size // 16) ** 2, width), nn.LayerNorm(width))

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> (batch, encoder_width)."""
        features: Tensor = self.linear(self.convolutions(self.pixels(image)))
        return features

    def pixels(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> float, centred, or what stands out from the background."""
        x = image.float() / 255.0 - 0.5
        if self.background is not None:
            x = functional.softshrink(self.background(x.flatten(1)).clamp(-5, 5), 1.0).view_as(x)
        return x.contiguous(memory_format=torch.channels_last)


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


class HeadingEncoder(nn.Module):
    """Two numbers beside hundreds would hardly be heard: the heading gets as many features as a sensor."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, width), nn.GELU(), nn.Linear(width, width), nn.LayerNorm(width))

    def forward(self, heading: Tensor) -> Tensor:
        """(batch,) [rad] -> (batch, width)."""
        features: Tensor = self.layers(torch.stack([heading.cos(), heading.sin()], dim=1))
        return features
