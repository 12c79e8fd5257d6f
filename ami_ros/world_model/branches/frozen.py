"""The image's branch `frozen`: features of a network that is not trained, and a small projection that is."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from ami_ros.world_model.frozen_network import FrozenNetwork, open_network
from ami_ros.world_model.spec import ModelSpec


class FrozenEncoder(nn.Module):
    """Takes pictures, or what the network made of them before (`learning.feature_cache`).

    The network is no part of this module: its weights are neither trained nor saved with the model.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        self.frozen, width = spec.frozen, spec.encoder_width
        if not self.frozen.width:
            raise ValueError("frozen.width is not known yet: see frozen_network.identified")
        self.projection = nn.Sequential(
            nn.LayerNorm(self.frozen.width), nn.Linear(self.frozen.width, 2 * width), nn.GELU(),
            nn.Linear(2 * width, width), nn.LayerNorm(width),
        )  # fmt: skip
        self._network: FrozenNetwork | None = None

    def attach(self, folder: Path) -> None:
        """Opens the network now rather than at the first picture; `folder` is that of the model.

        Raises:
            AmiError: as `open_network`.
        """
        self._network = open_network(self.frozen, folder)

    def forward(self, image: Tensor) -> Tensor:
        """(batch, 3, size, size) uint8, or features (batch, frozen.width) -> (batch, encoder_width)."""
        if image.ndim == 4:
            if self._network is None:
                self._network = open_network(self.frozen)
            image = self._network(image)
        features: Tensor = self.projection(image.float())
        return features
