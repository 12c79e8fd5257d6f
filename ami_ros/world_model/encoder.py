"""Encoder: sensors of one moment -> latent."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ami_ros.plugins import ENCODERS, find_plugin
from ami_ros.world_model.branches import ConvolutionEncoder, ScanEncoder
from ami_ros.world_model.spec import ModelSpec, Sensors

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
