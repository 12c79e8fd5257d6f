"""Encoder: sensors of one moment -> latent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from ami_ros.plugins import ENCODERS, find_plugin
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors


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


IMAGE_ENCODERS: dict[str, Callable[[ModelSpec], nn.Module]] = {"conv": ConvolutionEncoder}


def image_encoder(spec: ModelSpec) -> nn.Module:
    """An image branch as `spec` wants it: (batch, 3, size, size) uint8 -> (batch, encoder_width).

    Other packages name theirs by entry points of the group `ami_ros.encoders`: a module that is made of a `ModelSpec`.

    Raises:
        AmiError: there is none of that name.
    """
    branch: nn.Module = find_plugin(ENCODERS, spec.image_encoder, IMAGE_ENCODERS)(spec)
    return branch


class Encoder(nn.Module):
    """Joins the branches of all inputs into one latent.

    The last BatchNorm (no affine part) fixes the scale of the latent, which the predictor would otherwise
    shrink; SIGReg then only has to shape the distribution (LeJEPA, arXiv 2511.08544).
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        inputs, width = spec.inputs, spec.encoder_width
        self.image = image_encoder(spec) if inputs.image_size else None
        self.scan = ScanEncoder(inputs, width // 2) if inputs.scan_beams else None
        joined = width * bool(self.image) + width // 2 * bool(self.scan)
        self.join = nn.Sequential(
            nn.Linear(joined, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, spec.latent_dim),
            nn.BatchNorm1d(spec.latent_dim, affine=False),
        )

    def features(self, image: Tensor) -> Tensor:
        """The image branch alone: (batch, 3, size, size) uint8 -> (batch, encoder_width)."""
        assert self.image is not None
        features: Tensor = self.image(image)
        return features

    def forward(self, sensors: Sensors) -> tuple[Tensor, Tensor | None]:
        """Returns the latent (batch, latent_dim) and, with an image, its features (batch, encoder_width)."""
        parts = []
        features = None
        if self.image is not None:
            assert sensors.image is not None
            features = self.features(sensors.image)
            parts.append(features)
        if self.scan is not None:
            assert sensors.scan is not None
            parts.append(self.scan(sensors.scan))
        return self.join(torch.cat([p.float() for p in parts], dim=1)), features
