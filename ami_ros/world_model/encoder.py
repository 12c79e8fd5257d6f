"""Encoder: sensors of one moment -> latent."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from ami_ros.world_model.spec import InputSpec, ModelSpec


class Sensors(NamedTuple):
    """A batch of synchronous sensor readings; what the model does not use may be None."""

    image: Tensor | None = None  # (batch, 3, size, size) uint8, RGB
    scan: Tensor | None = None  # (batch, beams) [m], inf where nothing returned
    heading: Tensor | None = None  # (batch,) [rad]


class ImageEncoder(nn.Module):
    """A stem of PixelUnshuffle and three strided convolutions.

    Unshuffling first keeps the expensive full-resolution convolution out: two to four times faster on a
    CPU than a plain stack of strided convolutions. GroupNorm, since single frames are encoded on the robot.
    """

    def __init__(self, size: int, width: int, still: bool) -> None:
        super().__init__()
        # Each pixel by its own mean and deviation over the data: from a camera that stands still the robot is a few
        # pixels that stand out, instead of a small change of a large picture. eps: 8 of 255 grey levels. What deviates
        # by less is nothing: GroupNorm would weigh the noise of ten thousand pixels against the robot's sixteen.
        self.background = nn.BatchNorm1d(3 * size * size, eps=1e-3, affine=False) if still else None
        channels = (12, 48, 96, 128)
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        for a, b in pairwise(channels):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(8, b), nn.GELU()]
        self.convolutions = nn.Sequential(*layers)
        self.linear = nn.Sequential(nn.Flatten(), nn.Linear(128 * (size // 16) ** 2, width), nn.LayerNorm(width))

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8 -> (batch, width)."""
        x = image.float() / 255.0 - 0.5
        if self.background is not None:
            x = functional.softshrink(self.background(x.flatten(1)).clamp(-5, 5), 1.0).view_as(x)
        x = x.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.linear(self.convolutions(x))
        return features


def image_encoder(spec: ModelSpec) -> ImageEncoder:
    """An image branch as `spec` wants it."""
    return ImageEncoder(spec.inputs.image_size, spec.encoder_width, spec.inputs.still_camera)


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
        self.heading = HeadingEncoder(width // 2) if inputs.heading else None
        joined = width * bool(self.image) + width // 2 * (bool(self.scan) + bool(self.heading))
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
        if self.heading is not None:
            assert sensors.heading is not None
            parts.append(self.heading(sensors.heading))
        return self.join(torch.cat([p.float() for p in parts], dim=1)), features
