"""Branches of the encoder that are trained: one sensor -> its features."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from ami_ros.world_model.spec import InputSpec, ModelSpec


class ConvolutionEncoder(nn.Module):
    """A stem of PixelUnshuffle and three strided convolutions.

    Unshuffling first keeps the expensive full-resolution convolution out: two to four times faster on a
    CPU than a plain stack of strided convolutions. GroupNorm, since single frames are encoded on the robot.
    """

    def __init__(self, spec: ModelSpec) -> None:
        size, width = spec.inputs.image_size, spec.encoder_width
        super().__init__()
        channels = (12, 48, 96, 128)
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        for a, b in pairwise(channels):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(8, b), nn.GELU()]
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(128 * (size // 16) ** 2, width), nn.LayerNorm(width))

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> (batch, encoder_width)."""
        pixels = self.pixels(image).contiguous(memory_format=torch.channels_last)
        features: Tensor = self.linear(self.convolutions(pixels))
        return features

    def pixels(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> float, about 0; encoders of plugins prepare pictures here."""
        return image.float() / 255.0 - 0.5


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
